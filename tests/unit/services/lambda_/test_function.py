"""Functions from creation to deletion."""

import asyncio
import base64
import hashlib

import pytest

from cloudlet.compute.function import RuntimeMissing, SandboxFailure
from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import limits
from tests.support.lambda_world import ACCOUNT, ROLE, World, zip_of

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


async def refusal(world: World, operation: str, /, **params: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **params)
    return caught.value


async def test_a_new_function_is_pending_and_then_active(world: World) -> None:
    world.prepare.hold()
    package = zip_of(index_py="handler = print")
    made = await world.call(
        "CreateFunction",
        FunctionName="fn",
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": package},
    )
    assert (made["State"], made["StateReason"], made["StateReasonCode"]) == (
        "Pending",
        "The function is being created.",
        "Creating",
    )
    assert "LastUpdateStatus" not in made
    assert "Environment" not in made
    assert made["FunctionArn"] == ARN
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()
    assert made["CodeSize"] == len(package)
    world.prepare.release()
    active = await world.settled()
    assert (active["State"], active["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReason" not in active
    assert active["RevisionId"] != made["RevisionId"]


async def test_a_name_is_taken_once(world: World) -> None:
    await world.create()
    error = await refusal(
        world,
        "CreateFunction",
        FunctionName="fn",
        Role=ROLE,
        Runtime="python3.12",
        Handler="h",
        Code={"ZipFile": zip_of(a="")},
    )
    assert (error.code, error.message) == ("ResourceConflictException", "Function already exist: fn")


async def test_a_name_may_be_64_characters_long(world: World) -> None:
    await world.create("a" * limits.FUNCTION_NAME_LENGTH)
    with pytest.raises(ServiceError) as caught:
        await world.create("a" * 65)
    assert caught.value.code == "InvalidParameterValueException"
    assert caught.value.message == (
        f"1 validation error detected: Value '{'a' * 65}' at 'functionName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )


async def test_a_function_is_made_in_ones_own_account_and_region(world: World) -> None:
    made = await world.create("own", FunctionName=f"{ACCOUNT}:function:own")
    assert made["FunctionName"] == "own"
    with pytest.raises(ServiceError) as caught:
        await world.create("other", FunctionName="222222222222:function:other")
    assert caught.value.code == "AccessDeniedException"
    assert not caught.value.message
    with pytest.raises(ServiceError, match="not reachable in this region"):
        await world.create("other", FunctionName=ARN.replace("us-east-1", "eu-west-1"))


async def test_a_sandbox_that_cannot_be_made_now_is_no_fault_of_the_function(world: World) -> None:
    world.prepare.error = SandboxFailure("no room")
    await world.create()
    assert (await world.settled())["State"] == "Active"


async def test_a_preparation_that_fails_leaves_the_function_failed(world: World) -> None:
    world.prepare.error = RuntimeMissing("there is none")
    await world.create()
    failed = await world.settled()
    assert (failed["State"], failed["StateReason"], failed["StateReasonCode"]) == (
        "Failed",
        "there is none",
        "InvalidRuntime",
    )
    assert (await refusal(world, "PublishVersion", FunctionName="fn")).message.endswith("state: Failed")


async def test_a_runtime_that_this_machine_lacks_cannot_be_chosen(world: World) -> None:
    world.runtimes.instead["python3.9"] = RuntimeMissing("install it so")
    with pytest.raises(ServiceError) as caught:
        await world.create(Runtime="python3.9")
    assert (caught.value.code, caught.value.message) == ("InvalidParameterValueException", "install it so")


async def test_the_nearest_runtime_shows_in_the_runtime_version(world: World) -> None:
    world.runtimes.instead["python3.13"] = "python3.12"
    nearest = await world.create(Runtime="python3.13")
    real = await world.create("real", Runtime="python3.12")
    assert nearest["Runtime"] == "python3.13"
    assert nearest["RuntimeVersionConfig"] == real["RuntimeVersionConfig"]


async def test_an_update_is_in_progress_and_refuses_another_until_it_is_done(world: World) -> None:
    await world.create()
    before = await world.settled()
    world.prepare.hold()
    updated = await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=zip_of(index_py="new"))
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert updated["LastUpdateStatusReason"] == "The function is being created."
    assert updated["LastUpdateStatusReasonCode"] == "Creating"
    assert updated["RevisionId"] != before["RevisionId"]
    for operation, params in (("UpdateFunctionCode", {"ZipFile": zip_of(a="")}), ("UpdateFunctionConfiguration", {})):
        error = await refusal(world, operation, FunctionName="fn", **params)
        assert error.code == "ResourceConflictException"
        assert error.message == (
            f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}"
        )
    world.prepare.release()
    done = await world.settled()
    assert done["LastUpdateStatus"] == "Successful"
    assert len({before["RevisionId"], updated["RevisionId"], done["RevisionId"]}) == 3


async def test_two_updates_in_a_row_meet_the_conflict_even_when_the_first_is_fast(world: World) -> None:
    await world.create()
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=5)
    error = await refusal(world, "UpdateFunctionConfiguration", FunctionName="fn", Timeout=6)
    assert error.code == "ResourceConflictException"


async def test_an_update_that_cannot_be_prepared_leaves_what_ran_before(world: World) -> None:
    await world.create()
    world.prepare.error = RuntimeMissing("gone")
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=5)
    failed = await world.settled()
    assert (failed["State"], failed["LastUpdateStatus"], failed["LastUpdateStatusReason"]) == (
        "Active",
        "Failed",
        "gone",
    )
    await world.call("Invoke", FunctionName="fn")
    assert world.compute.ran[-1][0].timeout_s == 3


async def test_a_stale_revision_is_refused(world: World) -> None:
    await world.create()
    for operation, params in (
        ("UpdateFunctionCode", {"ZipFile": zip_of(a="")}),
        ("UpdateFunctionConfiguration", {}),
        ("PublishVersion", {}),
    ):
        error = await refusal(world, operation, FunctionName="fn", RevisionId="wrong", **params)
        assert error.code == "PreconditionFailedException"
        assert error.message == (
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


async def test_an_operation_waits_for_a_function_that_is_being_created(world: World) -> None:
    world.prepare.hold()
    creating = asyncio.create_task(world.create())
    await world.exists()
    publishing = asyncio.create_task(world.call("PublishVersion", FunctionName="fn"))
    updating = asyncio.create_task(world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9))
    world.prepare.release()
    await asyncio.gather(creating, publishing, updating)
    assert publishing.result()["Version"] == "1"
    assert updating.result()["Timeout"] == 9


async def test_a_dry_run_changes_nothing_and_shows_the_new_code(world: World) -> None:
    await world.create()
    before = await world.settled()
    package = zip_of(index_py="new")
    shown = await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=package, DryRun=True)
    assert shown["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()
    assert await world.settled() == before


# Versions


async def test_a_published_version_is_active_at_once_and_changes_the_revision_of_latest(world: World) -> None:
    await world.create()
    latest = await world.settled()
    version = await world.call("PublishVersion", FunctionName="fn", Description="first")
    assert (version["Version"], version["FunctionArn"], version["Description"]) == ("1", f"{ARN}:1", "first")
    assert (version["State"], version["LastUpdateStatus"]) == ("Active", "Successful")
    assert await world.call("GetFunctionConfiguration", FunctionName="fn", Qualifier="1") == version
    assert (await world.settled())["RevisionId"] not in (latest["RevisionId"], version["RevisionId"])


async def test_what_has_not_changed_is_not_published_again(world: World) -> None:
    await world.create(Publish=True)
    first = await world.call("GetFunctionConfiguration", FunctionName="fn", Qualifier="1")
    assert await world.call("PublishVersion", FunctionName="fn", Description="ignored") == first
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Description="changed")
    await world.settled()
    assert (await world.call("PublishVersion", FunctionName="fn"))["Version"] == "2"


async def test_a_function_that_is_created_and_published_shows_its_version(world: World) -> None:
    made = await world.create(Publish=True)
    assert (made["Version"], made["FunctionArn"], made["State"]) == ("1", ARN, "Pending")
    one = await world.call("GetFunctionConfiguration", FunctionName="fn", Qualifier="1")
    latest = await world.settled()
    assert (one["State"], latest["State"]) == ("Active", "Active")
    assert len({made["RevisionId"], one["RevisionId"], latest["RevisionId"]}) == 3


async def test_code_that_is_updated_and_published_shows_its_version(world: World) -> None:
    await world.create()
    shown = await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=zip_of(index_py="new"), Publish=True)
    assert (shown["Version"], shown["FunctionArn"], shown["State"]) == ("1", f"{ARN}:1", "Pending")
    assert (await world.settled())["CodeSha256"] == shown["CodeSha256"]


async def test_the_code_that_is_published_can_be_demanded(world: World) -> None:
    await world.create()
    sha256 = (await world.settled())["CodeSha256"]
    error = await refusal(world, "PublishVersion", FunctionName="fn", CodeSha256="other")
    assert error.message == (
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({sha256}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    await world.call("PublishVersion", FunctionName="fn", CodeSha256=sha256)


async def test_versions_are_listed_page_by_page_without_their_states(world: World) -> None:
    await world.create(Publish=True)
    for number in range(2, 12):
        await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=number)
        await world.settled()
        await world.call("PublishVersion", FunctionName="fn")
    found, marker = [], None
    while True:
        page = await world.call(
            "ListVersionsByFunction", FunctionName="fn", MaxItems=4, **({"Marker": marker} if marker else {})
        )
        found += page["Versions"]
        assert len(page["Versions"]) <= 4
        if not (marker := page.get("NextMarker")):
            break
    assert [version["Version"] for version in found] == ["$LATEST", *(str(number) for number in range(1, 12))]
    assert found[0]["FunctionArn"] == f"{ARN}:$LATEST"
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & found[0].keys()


# Reading


async def test_a_function_is_listed_once_or_with_all_its_versions(world: World) -> None:
    await world.create("one", Publish=True)
    await world.create("two")

    async def names(**params: object) -> list[str]:
        found: list[str] = []
        page = await world.call("ListFunctions", MaxItems=1, **params)
        while True:
            found += [item["FunctionArn"].split(":function:")[1] for item in page["Functions"]]
            if "NextMarker" not in page:
                return found
            page = await world.call("ListFunctions", MaxItems=1, Marker=page["NextMarker"], **params)

    assert await names() == ["one", "two"]
    assert await names(FunctionVersion="ALL") == ["one:$LATEST", "one:1", "two:$LATEST"]
    assert await names(FunctionVersion="ALL", MasterRegion="eu-west-1") == []


async def test_a_marker_of_our_own_making_is_needed(world: World) -> None:
    for marker in ("x", "WzFd", "é"):
        assert (await refusal(world, "ListFunctions", Marker=marker)).code == "InvalidParameterValueException"


async def test_get_function_shows_tags_and_concurrency_where_there_are_some(world: World) -> None:
    await world.create()
    assert set(await world.call("GetFunction", FunctionName="fn")) == {"Configuration", "Code"}
    await world.create("other", Tags={"a": "b"})
    await world.call("PutFunctionConcurrency", FunctionName="other", ReservedConcurrentExecutions=3)
    got = await world.call("GetFunction", FunctionName="other", Qualifier="$LATEST")
    assert (got["Tags"], got["Concurrency"]) == ({"a": "b"}, {"ReservedConcurrentExecutions": 3})
    assert got["Configuration"]["FunctionArn"].endswith(":other:$LATEST")


@pytest.mark.parametrize("operation", ["GetFunction", "GetFunctionConfiguration"])
async def test_what_is_not_there_is_named_as_it_was_asked_for(world: World, operation: str) -> None:
    assert (await refusal(world, operation, FunctionName="fn")).message == f"Function not found: {ARN}"
    await world.create()
    for qualifier in ("1221", "noalias", "01", "9" * 30, "$LATEST.PUBLISHED"):
        error = await refusal(world, operation, FunctionName="fn", Qualifier=qualifier)
        assert (error.code, error.message) == ("ResourceNotFoundException", f"Function not found: {ARN}:{qualifier}")


# Deletion


async def test_a_deleted_function_is_gone_with_all_it_had(world: World) -> None:
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    await world.call(
        "AddPermission",
        FunctionName="fn",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    assert await world.call("DeleteFunction", FunctionName="fn") == {"StatusCode": 204}
    assert (await refusal(world, "DeleteFunction", FunctionName="fn")).message == f"Function not found: {ARN}"
    await world.create()
    assert (await world.call("ListAliases", FunctionName="fn"))["Aliases"] == []
    assert len((await world.call("ListVersionsByFunction", FunctionName="fn"))["Versions"]) == 1
    assert (await refusal(world, "GetPolicy", FunctionName="fn")).code == "ResourceNotFoundException"


async def test_a_version_is_deleted_alone_and_its_number_never_comes_again(world: World) -> None:
    await world.create(Publish=True)
    for _ in range(2):
        await world.call("DeleteFunction", FunctionName="fn", Qualifier="1")
    assert len((await world.call("ListVersionsByFunction", FunctionName="fn"))["Versions"]) == 1
    assert (await world.call("PublishVersion", FunctionName="fn"))["Version"] == "2"


async def test_a_version_that_an_alias_needs_stays(world: World) -> None:
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    error = await refusal(world, "DeleteFunction", FunctionName="fn", Qualifier="1")
    assert error.code == "ResourceConflictException"
    assert error.message == "Unable to delete version because the following aliases reference it: [live]"


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("live", "Deletion of aliases is not currently supported."),
    ],
)
async def test_neither_latest_nor_aliases_are_deleted_alone(world: World, qualifier: str, message: str) -> None:
    error = await refusal(world, "DeleteFunction", FunctionName="fn", Qualifier=qualifier)
    assert (error.code, error.message) == ("InvalidParameterValueException", message)


async def test_an_account_has_room_for_so_much_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (await world.create())["CodeSize"]
    monkeypatch.setattr(limits, "TOTAL_CODE_BYTES", 3 * size)
    await world.create("second")
    await world.call("PublishVersion", FunctionName="fn")
    with pytest.raises(ServiceError) as caught:
        await world.create("third")
    assert (caught.value.code, caught.value.message) == ("CodeStorageExceededException", "Code storage limit exceeded.")


@pytest.mark.parametrize("operation", ["UpdateFunctionCode", "UpdateFunctionConfiguration"])
async def test_only_what_is_not_published_is_changed(world: World, operation: str) -> None:
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    change: dict[str, object] = {"ZipFile": zip_of(a="")} if operation == "UpdateFunctionCode" else {"Timeout": 9}
    for name in ("fn:1", f"{ARN}:live"):
        error = await refusal(world, operation, FunctionName=name, **change)
        assert error.code == "InvalidParameterValueException"
        assert error.message.startswith("This operation is permitted on Lambda functions only.")
    assert (await world.call(operation, FunctionName="fn:$LATEST", **change))["FunctionArn"] == ARN
