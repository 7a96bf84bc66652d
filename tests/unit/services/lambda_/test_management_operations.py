"""How a function follows the versions of its runtime."""

from typing import Any

import pytest

from cloudlet.compute.reports import runtime_version_arn
from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"
HERE = runtime_version_arn("python3.12", "us-east-1")
GET, PUT = "GetRuntimeManagementConfig", "PutRuntimeManagementConfig"


@pytest.fixture
async def function(world: World) -> World:
    await world.create()
    return world


async def refusal(world: World, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await world.call(PUT, FunctionName="fn", **params)
    return caught.value.code, caught.value.message


async def test_the_mode_is_one_of_a_version_and_new_versions_have_that_of_latest(function: World) -> None:
    await function.call("PublishVersion", FunctionName="fn")
    put = {"FunctionName": "fn", "UpdateRuntimeOn": "FunctionUpdate"}
    answer = {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": f"{ARN}:$LATEST"}
    assert await function.call(PUT, **put) == answer
    assert await function.call(GET, FunctionName="fn") == answer
    assert (await function.call(GET, FunctionName="fn", Qualifier="1"))["UpdateRuntimeOn"] == "Auto"
    await function.call("PublishVersion", FunctionName="fn")
    assert await function.call(GET, FunctionName="fn", Qualifier="2") == {**answer, "FunctionArn": f"{ARN}:2"}


async def test_a_function_can_be_held_to_the_version_that_is_here(function: World) -> None:
    pinned = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": HERE}
    assert await function.call(PUT, FunctionName="fn", **pinned) == {**pinned, "FunctionArn": f"{ARN}:$LATEST"}
    assert (await function.call(GET, FunctionName="fn"))["RuntimeVersionArn"] == HERE
    shown = await function.call("GetFunctionConfiguration", FunctionName="fn")
    assert shown["RuntimeVersionConfig"] == {"RuntimeVersionArn": HERE}
    await function.call(PUT, FunctionName="fn", UpdateRuntimeOn="Auto")
    assert "RuntimeVersionArn" not in await function.call(GET, FunctionName="fn")


async def test_by_hand_needs_a_version_that_is_here(function: World) -> None:
    other = runtime_version_arn("python2.7", "us-east-1")
    code, message = await refusal(function, UpdateRuntimeOn="Manual", RuntimeVersionArn=other)
    assert code == "InvalidParameterValueException"
    assert (other in message, HERE in message) == (True, True)
    assert "required" in (await refusal(function, UpdateRuntimeOn="Manual"))[1]
    assert "not supported" in (await refusal(function, UpdateRuntimeOn="Auto", RuntimeVersionArn=HERE))[1]


async def test_an_alias_has_none(function: World) -> None:
    code, _ = await refusal(function, UpdateRuntimeOn="Auto", Qualifier="live")
    assert code == "InvalidParameterValueException"
    code, _ = await refusal(function, UpdateRuntimeOn="Auto", Qualifier="7")
    assert code == "ResourceNotFoundException"
