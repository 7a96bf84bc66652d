"""SnapStart in the API: states, what is refused and when, and the errors of invocations."""

from typing import Any

import pytest

from cloudlet.compute import snap_start
from cloudlet.compute.reports import Failure
from cloudlet.errors import ServiceError
from tests.support.lambda_world import World, zip_of

ON = {"ApplyOn": "PublishedVersions"}


@pytest.fixture
async def function(world: World) -> World:
    await world.create(SnapStart=ON)
    return world


async def refusal(world: World, operation: str, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **{"FunctionName": "fn", **params})
    return caught.value


async def version(world: World, number: str = "1") -> Any:
    return await world.call("GetFunctionConfiguration", FunctionName="fn", Qualifier=number)


async def test_a_version_waits_for_its_snapshot(function: World) -> None:
    assert (await version(function, "$LATEST"))["SnapStart"] == {**ON, "OptimizationStatus": "Off"}
    function.prepare.hold()
    published = await function.call("PublishVersion", FunctionName="fn")
    assert (published["State"], published["StateReason"]) == ("Pending", "The function is being created.")
    function.prepare.release()
    await function.settled()
    ready = await version(function)
    assert (ready["State"], ready["LastUpdateStatus"]) == ("Active", "Successful")
    assert ready["SnapStart"] == {**ON, "OptimizationStatus": "On"}


async def test_versions_start_from_it_and_latest_does_not(function: World) -> None:
    await function.call("PublishVersion", FunctionName="fn")
    await function.settled()
    for qualifier in ("1", "$LATEST"):
        await function.call("Invoke", FunctionName="fn", Qualifier=qualifier)
    assert [ran.initialization_type for ran, _ in function.compute.ran] == ["snap-start", "on-demand"]


async def test_a_version_that_was_published_without_it_stays_so(world: World) -> None:
    await world.create(Publish=True)
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", SnapStart=ON)
    await world.settled()
    published = await world.call("PublishVersion", FunctionName="fn")
    assert published["Version"] == "2"
    assert (await version(world))["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}


async def test_a_failed_init_phase_is_the_versions_state(function: World) -> None:
    function.prepare.error = snap_start.snapshot_error(
        Failure("error", "Runtime.Unknown", payload=b'{"errorType": "KeyError", "errorMessage": "TABLE"}')
    )
    await function.call("PublishVersion", FunctionName="fn")
    await function.settled()
    failed = await version(function)
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "FunctionError")
    assert failed["StateReason"] == "The function's init phase failed: KeyError: TABLE"


@pytest.mark.parametrize("operation", ["PublishVersion", "UpdateFunctionCode", "CreateFunction"])
async def test_what_this_machine_cannot_do_is_refused_at_publication(world: World, operation: str) -> None:
    world.runtimes.obstacles["java21"] = "there is no CRIU: install it."
    java = {"Runtime": "java21", "Handler": "example.Handler::handle", "SnapStart": ON}
    params: dict[str, Any] = {}
    if operation == "CreateFunction":
        role = {"Role": "arn:aws:iam::111111111111:role/worker", "Code": {"ZipFile": zip_of(a="")}}
        params = {**java, **role, "Publish": True}
    else:
        await world.create(**java)
        if operation == "UpdateFunctionCode":
            params = {"ZipFile": zip_of(b=""), "Publish": True}
    error = await refusal(world, operation, **params)
    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        "Cloudlet cannot publish a version of a java21 function with SnapStart: there is no CRIU: install it."
    )


async def test_provisioned_concurrency_is_refused(function: World) -> None:
    await function.call("PublishVersion", FunctionName="fn")
    await function.settled()
    error = await refusal(function, "PutProvisionedConcurrencyConfig", Qualifier="1", ProvisionedConcurrentExecutions=1)
    assert error.message == "Provisioned Concurrency is not supported for SnapStart enabled functions."


@pytest.mark.parametrize(
    ("failure", "code", "status"),
    [
        (snap_start.RestoreFailed(), "SnapStartException", 400),
        (snap_start.RestoreTimedOut(), "SnapStartTimeoutException", 408),
        (snap_start.SnapshotFailed("It failed.", "FunctionError"), "SnapStartRegenerationFailureException", 409),
    ],
    ids=["hook", "timeout", "snapshot"],
)
async def test_an_invocation_fails_as_its_environment_does(
    function: World, failure: Exception, code: str, status: int
) -> None:
    def fail(*_: object) -> Any:
        raise failure

    function.compute.answer = fail
    error = await refusal(function, "Invoke")
    assert (error.code, error.status) == (code, status)
