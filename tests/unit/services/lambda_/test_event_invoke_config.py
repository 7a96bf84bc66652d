"""Settings of asynchronous invocations: what they may be, and that they go with what they belong to."""

from typing import Any

import pytest

from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"
PUT, GET = "PutFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig"


async def refusal(world: World, operation: str, /, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **{"FunctionName": "fn", **params})
    return caught.value.code, caught.value.message


def to(success: str = "", failure: str = "") -> dict[str, Any]:
    given = {"OnSuccess": success, "OnFailure": failure}
    return {"DestinationConfig": {name: {"Destination": arn} for name, arn in given.items() if arn}}


async def test_something_must_be_set_on_something_that_is_there(world: World) -> None:
    for operation in (PUT, "UpdateFunctionEventInvokeConfig"):
        assert await refusal(world, operation) == (
            "InvalidParameterValueException",
            "You must specify at least one of error handling or destination setting.",
        )
        missing = ("ResourceNotFoundException", "The function doesn't exist.")
        assert await refusal(world, operation, MaximumRetryAttempts=1) == missing
    await world.create()
    assert await refusal(world, PUT, MaximumRetryAttempts=1, Qualifier="1") == missing
    assert await refusal(world, "UpdateFunctionEventInvokeConfig", MaximumRetryAttempts=1) == (
        "ResourceNotFoundException",
        f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig",
    )
    assert await refusal(world, "DeleteFunctionEventInvokeConfig", FunctionName="other") == missing


@pytest.mark.parametrize(("name", "value"), [("MaximumRetryAttempts", 3), ("MaximumEventAgeInSeconds", 59)])
async def test_limits_are_the_models(world: World, name: str, value: int) -> None:
    await world.create()
    code, message = await refusal(world, PUT, **{name: value})
    assert code == "ValidationException"
    assert str(value) in message


async def test_destinations_must_be_there_and_usable(world: World) -> None:
    await world.create()
    assert await refusal(world, PUT, **to(f"{ARN}:1")) == (
        "InvalidParameterValueException",
        "You can't specify the function as a destination for itself.",
    )
    other = ARN.replace(":fn", ":other")
    assert await refusal(world, PUT, **to(failure=other)) == (
        "InvalidParameterValueException",
        f"The destination ARN {other} is invalid.",
    )
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
    assert await refusal(world, PUT, **to(topic)) == (
        "InvalidParameterValueException",
        f"Cloudlet has no sns yet: {topic} cannot be a destination.",
    )
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    assert await refusal(world, PUT, **to(role, topic)) == (
        "InvalidParameterValueException",
        f"The provided destination config DestinationConfig(onSuccess=OnSuccess(destination={role}), "
        f"onFailure=OnFailure(destination={topic})) is invalid.",
    )
    code, message = await refusal(world, PUT, **to("arn:aws:s3:::bucket"))  # a bucket takes failures only
    assert code == "InvalidParameterValueException"
    assert message.endswith("onFailure=null) is invalid.")


async def test_dead_letters_go_to_standard_queues_and_topics(world: World) -> None:
    await world.create()
    update = "UpdateFunctionConfiguration"
    for target in (ARN, f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo"):
        code, message = await refusal(world, update, DeadLetterConfig={"TargetArn": target})
        assert code == "InvalidParameterValueException"
        assert target in message
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    code, message = await refusal(world, update, DeadLetterConfig={"TargetArn": queue})
    assert message == f"Cloudlet has no sqs yet: {queue} cannot be a destination."


async def test_a_setting_goes_with_what_it_belongs_to(world: World) -> None:
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    for qualifier in ("1", "live", "$LATEST"):
        await world.call(PUT, FunctionName="fn", Qualifier=qualifier, MaximumRetryAttempts=0)
    await world.call("DeleteAlias", FunctionName="fn", Name="live")
    await world.call("DeleteFunction", FunctionName="fn", Qualifier="1")
    shown = (await world.call("ListFunctionEventInvokeConfigs", FunctionName="fn"))["FunctionEventInvokeConfigs"]
    assert [one["FunctionArn"] for one in shown] == [f"{ARN}:$LATEST"]
    await world.call("DeleteFunction", FunctionName="fn")
    await world.create()
    assert (await world.call("ListFunctionEventInvokeConfigs", FunctionName="fn"))["FunctionEventInvokeConfigs"] == []
