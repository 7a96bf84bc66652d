"""Provisioned concurrency: of what, how much, and what follows."""

from typing import Any

import pytest

from cloudlet.compute.provisioning import INIT_FAILURE, Allocation
from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, World, zip_of

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"
PUT, GET = "PutProvisionedConcurrencyConfig", "GetProvisionedConcurrencyConfig"
DELETE, LIST = "DeleteProvisionedConcurrencyConfig", "ListProvisionedConcurrencyConfigs"


@pytest.fixture
async def function(world: World) -> World:
    """A function with two versions and an alias `live` of the first."""
    await world.create(Publish=True)
    await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=zip_of(index_py="handler = 2"), Publish=True)
    await world.settled()
    await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    return world


async def put(world: World, qualifier: str, count: int) -> Any:
    return await world.call(PUT, FunctionName="fn", Qualifier=qualifier, ProvisionedConcurrentExecutions=count)


async def refusal(world: World, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **{"FunctionName": "fn", **params})
    return caught.value.code, caught.value.message


async def kept(world: World, expected: dict[str, int]) -> None:
    """Wait until compute keeps just these versions."""
    while {function.version: count for function, count in world.keeper.kept.get(ARN, [])} != expected:
        world.keeper.kept_one.clear()
        await world.keeper.kept_one.wait()


async def counted(world: World, expected: dict[str, dict[str, int]]) -> None:
    """Wait until counting has been told this."""
    while world.counting.provisioned != expected:
        world.counting.told_one.clear()
        await world.counting.told_one.wait()


async def test_a_version_has_what_was_asked_for(function: World) -> None:
    answer = await put(function, "1", 3)
    assert (answer["Status"], answer["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 3)
    await kept(function, {"1": 3})
    await counted(function, {ARN: {"1": 3}})
    got = await function.call(GET, FunctionName="fn", Qualifier="1")
    assert got.pop("LastModified") == answer["LastModified"]
    assert got == {
        "RequestedProvisionedConcurrentExecutions": 3,
        "AllocatedProvisionedConcurrentExecutions": 3,
        "AvailableProvisionedConcurrentExecutions": 3,
        "Status": "READY",
    }
    function.keeper.started = lambda count: Allocation(count, 1, INIT_FAILURE)
    got = await function.call(GET, FunctionName="fn", Qualifier="1")
    assert (got["Status"], got["StatusReason"]) == ("FAILED", INIT_FAILURE)
    assert got["AllocatedProvisionedConcurrentExecutions"] == 1


async def test_an_alias_takes_it_along(function: World) -> None:
    await put(function, "live", 2)
    await kept(function, {"1": 2})
    await function.call("UpdateAlias", FunctionName="fn", Name="live", FunctionVersion="2")
    await kept(function, {"2": 2})
    await counted(function, {ARN: {"2": 2}})
    await function.call("DeleteAlias", FunctionName="fn", Name="live")
    await kept(function, {})
    await counted(function, {})


async def test_it_goes_with_the_version_and_with_the_function(function: World) -> None:
    await put(function, "2", 2)
    await put(function, "live", 1)
    listed = await function.call(LIST, FunctionName="fn", MaxItems=1)
    assert [one["FunctionArn"] for one in listed["ProvisionedConcurrencyConfigs"]] == [f"{ARN}:2"]
    rest = await function.call(LIST, FunctionName="fn", Marker=listed["NextMarker"])
    assert [one["FunctionArn"] for one in rest["ProvisionedConcurrencyConfigs"]] == [f"{ARN}:live"]
    await function.call("DeleteFunction", FunctionName="fn", Qualifier="2")
    await kept(function, {"1": 1})
    await function.call("DeleteFunction", FunctionName="fn")
    await kept(function, {})
    await counted(function, {})
    await function.create()
    assert await function.call(LIST, FunctionName="fn") == {"ProvisionedConcurrencyConfigs": []}


async def test_it_can_be_given_up(function: World) -> None:
    await put(function, "1", 2)
    for _ in range(2):
        assert await function.call(DELETE, FunctionName="fn", Qualifier="1") == {}
    await kept(function, {})
    assert (await refusal(function, GET, Qualifier="1"))[0] == "ProvisionedConcurrencyConfigNotFoundException"


async def test_what_cannot_have_it(function: World) -> None:
    count = {"ProvisionedConcurrentExecutions": 1}
    unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    invalid, missing = "InvalidParameterValueException", "ResourceNotFoundException"
    assert await refusal(function, PUT, Qualifier="$LATEST", **count) == (invalid, unpublished)
    await function.call("CreateAlias", FunctionName="fn", Name="newest", FunctionVersion="$LATEST")
    assert await refusal(function, PUT, Qualifier="newest", **count) == (invalid, unpublished)
    named = "The function resource provided must be an alias or a published version."
    for operation in (GET, DELETE):
        assert await refusal(function, operation, Qualifier="$LATEST") == (invalid, named)
    assert await refusal(function, PUT, Qualifier="none", **count) == (missing, f"Cannot find alias arn: {ARN}:none")
    assert await refusal(function, PUT, Qualifier="10", **count) == (missing, f"Function not found: {ARN}:10")
    code, _ = await refusal(function, PUT, Qualifier="1", ProvisionedConcurrentExecutions=0)
    assert code == "ValidationException"
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    await function.call("CreateAlias", FunctionName="fn", Name="both", FunctionVersion="1", RoutingConfig=weights)
    assert await refusal(function, PUT, Qualifier="both", **count) == (
        invalid,
        "Alias with weights can not be used with Provisioned Concurrency",
    )


async def test_a_version_has_it_once(function: World) -> None:
    await put(function, "1", 1)
    assert await refusal(function, PUT, Qualifier="live", ProvisionedConcurrentExecutions=1) == (
        "ResourceConflictException",
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    )
    await function.call(DELETE, FunctionName="fn", Qualifier="1")
    await put(function, "live", 1)
    assert await refusal(function, PUT, Qualifier="1", ProvisionedConcurrentExecutions=1) == (
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )


async def test_it_must_fit_into_what_is_reserved_or_left(function: World) -> None:
    assert await refusal(function, PUT, Qualifier="1", ProvisionedConcurrentExecutions=1001) == (
        "InvalidParameterValueException",
        "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].",
    )
    assert await refusal(function, PUT, Qualifier="1", ProvisionedConcurrentExecutions=901) == (
        "InvalidParameterValueException",
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
        "minimum value of [100].",
    )
    await put(function, "1", 900)
    await put(function, "1", 5)
    assert await refusal(function, "PutFunctionConcurrency", ReservedConcurrentExecutions=4) == (
        "InvalidParameterValueException",
        " ReservedConcurrentExecutions  4 should not be lower than function's total provisioned concurrency [5].",
    )
    await function.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=6)
    assert await refusal(function, PUT, Qualifier="2", ProvisionedConcurrentExecutions=2) == (
        "InvalidParameterValueException",
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    )
    await put(function, "2", 1)
