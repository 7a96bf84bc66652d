"""Code signing configurations, and what they keep out."""

from typing import Any

import pytest

from cloudlet.errors import ServiceError
from cloudlet.services.lambda_.code_signing import UNSIGNED
from tests.support.lambda_world import ACCOUNT, World, zip_of

PROFILE = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/mine/0123456789"
MISSING = f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-01234567890123456"
CODE = zip_of(index_py="handler = id")


async def signing(world: World, policy: str = "Enforce", **params: Any) -> str:
    """The ARN of a new configuration."""
    publishers = {"SigningProfileVersionArns": [PROFILE]}
    policies = {"UntrustedArtifactOnDeployment": policy}
    answer = await world.call(
        "CreateCodeSigningConfig", AllowedPublishers=publishers, CodeSigningPolicies=policies, **params
    )
    return str(answer["CodeSigningConfig"]["CodeSigningConfigArn"])


async def refusal(world: World, operation: str, /, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **params)
    return caught.value.code, caught.value.message


async def test_a_configuration_warns_unless_it_is_to_enforce(world: World) -> None:
    publishers = {"SigningProfileVersionArns": [PROFILE]}
    made = (await world.call("CreateCodeSigningConfig", AllowedPublishers=publishers))["CodeSigningConfig"]
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert "Description" not in made
    assert made["CodeSigningConfigArn"].endswith(f":code-signing-config:{made['CodeSigningConfigId']}")


async def test_a_function_with_warnings_takes_unsigned_code(world: World) -> None:
    await world.create(CodeSigningConfigArn=await signing(world, "Warn"))
    await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=CODE)


async def test_unsigned_code_is_refused_where_signatures_are_enforced(world: World) -> None:
    config = await signing(world)
    with pytest.raises(ServiceError) as caught:
        await world.create(CodeSigningConfigArn=config)
    assert (caught.value.code, caught.value.message) == ("CodeVerificationFailedException", UNSIGNED)
    await world.create()
    await world.call("PutFunctionCodeSigningConfig", FunctionName="fn", CodeSigningConfigArn=config)
    expected = ("CodeVerificationFailedException", UNSIGNED)
    assert await refusal(world, "UpdateFunctionCode", FunctionName="fn", ZipFile=CODE) == expected
    layer = await world.call("PublishLayerVersion", LayerName="tools", Content={"ZipFile": CODE})
    layers = [layer["LayerVersionArn"]]
    assert await refusal(world, "UpdateFunctionConfiguration", FunctionName="fn", Layers=layers) == expected
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Description="no code")
    await world.settled("fn")
    await world.call("DeleteFunctionCodeSigningConfig", FunctionName="fn")
    assert await world.call("GetFunctionCodeSigningConfig", FunctionName="fn") == {}
    await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=CODE)


async def test_a_configuration_in_use_stays(world: World) -> None:
    config = await signing(world, "Warn")
    await world.create(CodeSigningConfigArn=config)
    code, _ = await refusal(world, "DeleteCodeSigningConfig", CodeSigningConfigArn=config)
    assert code == "ResourceConflictException"
    await world.call("DeleteFunction", FunctionName="fn")
    await world.call("DeleteCodeSigningConfig", CodeSigningConfigArn=config)
    assert (await world.call("ListCodeSigningConfigs"))["CodeSigningConfigs"] == []


@pytest.mark.parametrize("operation", ["Get", "Update", "Delete"])
async def test_a_configuration_that_is_not_there(world: World, operation: str) -> None:
    assert await refusal(world, f"{operation}CodeSigningConfig", CodeSigningConfigArn=MISSING) == (
        "ResourceNotFoundException",
        f"The Lambda code signing configuration {MISSING} can not be found.",
    )


async def test_a_function_cannot_have_one_that_is_not_there(world: World) -> None:
    await world.create()
    expected = (
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
        f"{MISSING}.",
    )
    params = {"FunctionName": "fn", "CodeSigningConfigArn": MISSING}
    assert await refusal(world, "PutFunctionCodeSigningConfig", **params) == expected
    with pytest.raises(ServiceError) as caught:
        await world.create("other", CodeSigningConfigArn=MISSING)
    assert (caught.value.code, caught.value.message) == expected


async def test_one_of_another_region_is_refused(world: World) -> None:
    there = MISSING.replace("us-east-1", "eu-west-1")
    code, _ = await refusal(world, "GetCodeSigningConfig", CodeSigningConfigArn=there)
    assert code == "InvalidParameterValueException"


async def test_lists_come_in_pages(world: World) -> None:
    made = sorted([await signing(world, "Warn") for _ in range(3)])
    first = await world.call("ListCodeSigningConfigs", MaxItems=2)
    second = await world.call("ListCodeSigningConfigs", MaxItems=2, Marker=first["NextMarker"])
    listed = [*first["CodeSigningConfigs"], *second["CodeSigningConfigs"]]
    assert [each["CodeSigningConfigArn"] for each in listed] == made
    assert "NextMarker" not in second
    for name in ("a", "b", "c"):
        await world.create(name, CodeSigningConfigArn=made[0])
    page = {"CodeSigningConfigArn": made[0], "MaxItems": 2}
    first = await world.call("ListFunctionsByCodeSigningConfig", **page)
    second = await world.call("ListFunctionsByCodeSigningConfig", **page, Marker=first["NextMarker"])
    names = [arn.rpartition(":")[2] for arn in [*first["FunctionArns"], *second["FunctionArns"]]]
    assert names == ["a", "b", "c"]


async def test_it_has_tags(world: World) -> None:
    config = await signing(world, Tags={"team": "red"})
    await world.call("TagResource", Resource=config, Tags={"stage": "test"})
    await world.call("UntagResource", Resource=config, TagKeys=["team"])
    assert await world.call("ListTags", Resource=config) == {"Tags": {"stage": "test"}}
