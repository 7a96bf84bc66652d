"""Packages: kept while they are needed, and no longer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudlet.compute import archive
from cloudlet.errors import ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Service, operation
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.packages import LEASE_MS, Packages
from tests.support.lambda_world import ROLE, World, zip_of

ONE, TWO = zip_of(index_py="one"), zip_of(index_py="two")


@pytest.fixture
async def kept(world: World) -> Packages:
    """The service's packages, collected by the test alone."""
    await world.create("unrelated")
    for loop in world.service._loops:
        loop.cancel()
    return world.service.packages


async def is_kept(world: World, content: bytes) -> bool:
    import hashlib

    try:
        return await world.blobs.get(hashlib.sha256(content).hexdigest()) == content
    except KeyError:
        return False


async def collect_all(kept: Packages) -> None:
    while await kept.collect():
        pass


async def test_code_goes_with_the_last_version_that_needs_it(world: World, kept: Packages) -> None:
    await world.create("a", Code={"ZipFile": ONE}, Publish=True)
    await world.create("b", Code={"ZipFile": ONE})
    await world.call("UpdateFunctionCode", FunctionName="a", ZipFile=TWO)
    await world.settled("a")
    await world.call("DeleteFunction", FunctionName="b")
    await collect_all(kept)
    assert await is_kept(world, ONE)  # version 1 of a has it
    await world.call("DeleteFunction", FunctionName="a", Qualifier="1")
    await collect_all(kept)
    assert not await is_kept(world, ONE)
    await world.call("DeleteFunction", FunctionName="a")
    await collect_all(kept)
    assert not await is_kept(world, TWO)


async def test_code_that_still_runs_stays_until_the_update_is_done(world: World, kept: Packages) -> None:
    await world.create("a", Code={"ZipFile": ONE})
    world.prepare.hold()
    await world.call("UpdateFunctionCode", FunctionName="a", ZipFile=TWO)
    await collect_all(kept)
    assert await is_kept(world, ONE)
    world.prepare.release()
    await world.settled("a")
    await collect_all(kept)
    assert not await is_kept(world, ONE)


async def test_code_of_a_creation_that_failed_goes(world: World, kept: Packages) -> None:
    await world.create("a", Code={"ZipFile": ONE})
    with pytest.raises(ServiceError, match="already exist"):
        await world.create("a", Code={"ZipFile": TWO})
    await collect_all(kept)
    assert await is_kept(world, ONE)
    assert not await is_kept(world, TWO)


async def test_an_upload_under_way_keeps_its_code(world: World, kept: Packages) -> None:
    await world.create("a", Code={"ZipFile": ONE})
    async with kept.hold(world.context(), ONE):
        await world.call("DeleteFunction", FunctionName="a")
        await collect_all(kept)
        assert await is_kept(world, ONE)
    await collect_all(kept)
    assert not await is_kept(world, ONE)


async def test_an_upload_waits_for_a_deletion_under_way(
    world: World, kept: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleting, go_on = asyncio.Event(), asyncio.Event()
    delete = world.blobs.delete

    async def slow_delete(digest: str) -> None:
        deleting.set()
        await go_on.wait()
        await delete(digest)

    monkeypatch.setattr(world.blobs, "delete", slow_delete)
    async with kept.hold(world.context(), ONE):
        pass
    collecting = asyncio.create_task(kept.collect())
    await deleting.wait()

    async def upload() -> bool:
        async with kept.hold(world.context(), ONE):
            return await is_kept(world, ONE)

    uploading = asyncio.create_task(upload())
    await world.store.transact(lambda tx: None)
    assert not uploading.done()
    go_on.set()
    await collecting
    assert await uploading


async def test_time_that_is_moved_during_an_upload_does_not_end_its_lease(world: World, kept: Packages) -> None:
    async with kept.hold(world.context(), ONE):
        await world.clock.advance(30 * 86400)
        await collect_all(kept)
        assert await is_kept(world, ONE)


async def test_the_lease_of_an_upload_that_died_runs_out(
    world: World, kept: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding = kept.hold(world.context(), ONE)
    await holding.__aenter__()
    await collect_all(kept)
    assert await is_kept(world, ONE)
    later = world.clock.wall() + LEASE_MS / 1000 + 1
    monkeypatch.setattr(world.clock, "wall", lambda: later)
    await collect_all(kept)
    assert not await is_kept(world, ONE)
    await holding.__aexit__(None, None, None)


async def refusal(world: World, **code: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await world.create(Code=code)
    return caught.value


async def test_a_package_that_is_no_zip_is_refused(world: World) -> None:
    error = await refusal(world, ZipFile=b"this is not a zipfile, just a random string")
    assert error.code == "InvalidParameterValueException"
    assert error.message == "Could not unzip uploaded file. Please check your file, then try to upload again."


async def test_the_sizes_of_a_package_are_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ZIPPED_BYTES", len(ONE))
    await world.create("fits", Code={"ZipFile": ONE})
    error = await refusal(world, ZipFile=zip_of(index_py="one more"))
    assert (error.code, error.status) == ("RequestEntityTooLargeException", 413)
    assert error.message == f"Zipped size must be smaller than {len(ONE)} bytes"


async def test_a_package_unpacks_to_250_mb_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 3)
    error = await refusal(world, ZipFile=ONE)
    assert (error.code, error.message) == (
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    )


async def test_code_comes_from_one_place(world: World) -> None:
    assert (await refusal(world)).message == "Please provide a source for function code."
    assert (await refusal(world, ZipFile=ONE, S3Bucket="bucket", S3Key="k")).message == (
        "Please do not provide other FunctionCode parameters when providing a ZipFile."
    )
    assert (await refusal(world, ZipFile=b"")).message == "Uploaded file must be a non-empty zip"


async def test_without_s3_no_bucket_exists(world: World) -> None:
    error = await refusal(world, S3Bucket="bucket", S3Key="key")
    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
        "S3 Error Message: The specified bucket does not exist"
    )


class _NoSuchKey(ServiceError):
    code = "NoSuchKey"


class _Buckets(Service):
    name = "s3"

    @operation("GetObject")
    async def get_object(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        if params["Key"] != "code.zip":
            raise _NoSuchKey("The specified key does not exist.")

        async def body() -> AsyncIterator[bytes]:
            yield ONE[:10]
            yield ONE[10:]

        return {"Body": body()}


async def test_code_comes_from_a_bucket(world: World) -> None:
    world.dispatcher.register([_Buckets(world.platform)])
    made = await world.create(Code={"S3Bucket": "bucket", "S3Key": "code.zip"})
    assert made["CodeSize"] == len(ONE)
    with pytest.raises(ServiceError) as caught:
        await world.call("UpdateFunctionCode", FunctionName="fn", S3Bucket="bucket", S3Key="other")
    assert caught.value.message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    )


async def test_the_collector_runs_by_itself(world: World) -> None:
    deleted = asyncio.Event()
    delete = world.blobs.delete

    async def noting(digest: str) -> None:
        await delete(digest)
        deleted.set()

    world.blobs.delete = noting  # type: ignore[method-assign]
    await world.create(Code={"ZipFile": ONE}, Role=ROLE)
    await world.call("DeleteFunction", FunctionName="fn")
    await deleted.wait()
    assert not await is_kept(world, ONE)
