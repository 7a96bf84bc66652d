"""The answers about what a function or an account has none of."""

from typing import Any

import pytest

from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("GetFunctionCodeSigningConfig", {}),
        ("GetFunctionRecursionConfig", {"RecursiveLoop": "Terminate"}),
        ("GetRuntimeManagementConfig", {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{ARN}:$LATEST"}),
        ("ListFunctionEventInvokeConfigs", {"FunctionEventInvokeConfigs": []}),
        ("ListFunctionUrlConfigs", {"FunctionUrlConfigs": []}),
        ("ListProvisionedConcurrencyConfigs", {"ProvisionedConcurrencyConfigs": []}),
    ],
)
async def test_a_function_has_none_of_it(world: World, operation: str, answer: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, FunctionName="fn")
    assert caught.value.code == "ResourceNotFoundException"
    await world.create()
    assert await world.call(operation, FunctionName="fn") == answer


@pytest.mark.parametrize(
    ("operation", "params", "answer"),
    [
        ("ListEventSourceMappings", {}, {"EventSourceMappings": []}),
        ("ListLayers", {}, {"Layers": []}),
        ("ListLayerVersions", {"LayerName": "any"}, {"LayerVersions": []}),
        ("ListCodeSigningConfigs", {}, {"CodeSigningConfigs": []}),
    ],
)
async def test_an_account_has_none_of_it(
    world: World, operation: str, params: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert await world.call(operation, **params) == answer


async def refusal(world: World, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, FunctionName="fn", **params)
    return caught.value.code, caught.value.message


async def test_what_is_asked_for_by_name_is_not_there(world: World) -> None:
    assert await refusal(world, "GetFunctionEventInvokeConfig", Qualifier="7") == (
        "ResourceNotFoundException",
        f"The function {ARN}:7 doesn't have an EventInvokeConfig",
    )
    assert await refusal(world, "GetFunctionUrlConfig") == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


async def test_provisioned_concurrency_is_that_of_a_version_or_alias(world: World) -> None:
    get = "GetProvisionedConcurrencyConfig"
    await world.create(Publish=True)
    assert await refusal(world, get, Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "The function resource provided must be an alias or a published version.",
    )
    assert await refusal(world, get, Qualifier="noalias") == (
        "ResourceNotFoundException",
        f"Cannot find alias arn: {ARN}:noalias",
    )
    assert await refusal(world, get, Qualifier="10") == ("ResourceNotFoundException", f"Function not found: {ARN}:10")
    assert await refusal(world, get, Qualifier="1") == (
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
