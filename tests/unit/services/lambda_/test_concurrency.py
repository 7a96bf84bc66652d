"""Reserved concurrency."""

import pytest

from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, REGION, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


async def test_what_is_reserved_is_shown_until_it_is_given_back(world: World) -> None:
    await world.create()
    assert await world.call("GetFunctionConcurrency", FunctionName="fn") == {}
    for amount in (0, 7):
        put = await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=amount)
        assert put == {"ReservedConcurrentExecutions": amount}
        assert await world.call("GetFunctionConcurrency", FunctionName="fn") == put
    settings = await world.call("GetAccountSettings")
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 993
    await world.call("DeleteFunctionConcurrency", FunctionName="fn")
    assert await world.call("GetFunctionConcurrency", FunctionName="fn") == {}


async def test_100_stay_unreserved(world: World) -> None:
    await world.create()
    await world.create("other")
    await world.call("PutFunctionConcurrency", FunctionName="other", ReservedConcurrentExecutions=300)
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=600)
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=600)
    with pytest.raises(ServiceError) as caught:
        await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=601)
    assert caught.value.code == "InvalidParameterValueException"
    assert caught.value.fields["Type"] is None
    assert caught.value.message == (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
        "below its minimum value of [100]."
    )


async def test_compute_is_told_before_the_caller_is(world: World) -> None:
    await world.create()
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=5)
    assert world.counting.told == {(ACCOUNT, REGION): (1000, {ARN: 5})}
    await world.call("DeleteFunctionConcurrency", FunctionName="fn")
    assert world.counting.told == {(ACCOUNT, REGION): (1000, {})}


async def test_a_deleted_function_has_nothing_reserved(world: World) -> None:
    await world.create()
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=5)
    await world.call("DeleteFunction", FunctionName="fn")
    while world.counting.told[ACCOUNT, REGION] != (1000, {}):
        world.counting.told_one.clear()
        await world.counting.told_one.wait()


async def test_compute_is_told_at_the_start(world: World) -> None:
    await world.create()
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=5)
    world.counting.told.clear()
    await world.service.changes.load()
    assert world.counting.told == {(ACCOUNT, REGION): (1000, {ARN: 5})}


async def test_only_whole_functions_reserve(world: World) -> None:
    with pytest.raises(ServiceError, match="This operation is permitted on Lambda functions only"):
        await world.call("PutFunctionConcurrency", FunctionName=f"{ARN}:1", ReservedConcurrentExecutions=0)
    with pytest.raises(ServiceError, match=r"Function not found: .*:fn:\$LATEST$"):
        await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=1)
    for operation in ("GetFunctionConcurrency", "DeleteFunctionConcurrency"):
        with pytest.raises(ServiceError, match=r"Function not found: .*:fn$"):
            await world.call(operation, FunctionName="fn")


async def test_account_settings_count_code_of_each_version(world: World) -> None:
    size = (await world.create(Publish=True))["CodeSize"]
    assert await world.call("GetAccountSettings") == {
        "AccountLimit": {
            "TotalCodeSize": 80530636800,
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        },
        "AccountUsage": {"TotalCodeSize": 2 * size, "FunctionCount": 1},
    }
