"""Aliases."""

from typing import Any

import pytest

from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


@pytest.fixture
async def versioned(world: World) -> World:
    """A function with the versions 1 and 2."""
    await world.create(Publish=True)
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    await world.settled()
    await world.call("PublishVersion", FunctionName="fn")
    return world


async def refusal(world: World, operation: str, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, FunctionName="fn", Name="live", **params)
    return caught.value


async def test_an_alias_points_to_a_version(versioned: World) -> None:
    made = await versioned.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    assert made == {
        "AliasArn": f"{ARN}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
        "RevisionId": made["RevisionId"],
    }
    assert await versioned.call("GetAlias", FunctionName="fn", Name="live") == made
    shown = await versioned.call("GetFunctionConfiguration", FunctionName="fn", Qualifier="live")
    assert (shown["FunctionArn"], shown["Version"]) == (f"{ARN}:live", "1")


async def test_an_alias_may_point_to_latest(versioned: World) -> None:
    made = await versioned.call("CreateAlias", FunctionName="fn", Name="new", FunctionVersion="$LATEST")
    assert made["FunctionVersion"] == "$LATEST"


async def test_an_update_changes_what_it_names_and_the_revision_always(versioned: World) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    made = await versioned.call(
        "CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1", Description="a", RoutingConfig=routing
    )
    assert made["RoutingConfig"] == routing
    same = await versioned.call("UpdateAlias", FunctionName="fn", Name="live")
    assert same == {**made, "RevisionId": same["RevisionId"]}
    assert same["RevisionId"] != made["RevisionId"]
    plain = await versioned.call(
        "UpdateAlias", FunctionName="fn", Name="live", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert "RoutingConfig" not in plain
    moved = await versioned.call("UpdateAlias", FunctionName="fn", Name="live", FunctionVersion="2", Description="b")
    assert (moved["FunctionVersion"], moved["Description"]) == ("2", "b")


async def test_a_stale_revision_is_refused(versioned: World) -> None:
    await versioned.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    assert (await refusal(versioned, "UpdateAlias", RevisionId="x")).code == "PreconditionFailedException"


async def test_an_alias_that_is_not_there(versioned: World) -> None:
    assert (await refusal(versioned, "GetAlias")).message == f"Cannot find alias arn: {ARN}:live"
    assert (await refusal(versioned, "UpdateAlias")).message == f"Alias not found: {ARN}:live"
    await versioned.call("DeleteAlias", FunctionName="fn", Name="live")


async def test_an_alias_is_made_once(versioned: World) -> None:
    await versioned.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    error = await refusal(versioned, "CreateAlias", FunctionVersion="1")
    assert (error.code, error.message) == ("ResourceConflictException", f"Alias already exists: {ARN}:live")


@pytest.mark.parametrize(
    ("version", "weights", "code", "message"),
    [
        (
            "1",
            {"1": 0.8, "2": 0.2},
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "1",
            {"1": 0.5},
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        (
            "$LATEST",
            {"1": 0.5},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        ("10", {"2": 0.5}, "ResourceNotFoundException", f"Function not found: {ARN}:10"),
        ("$LATEST.PUBLISHED", {}, "ResourceNotFoundException", f"Function not found: {ARN}:$LATEST.PUBLISHED"),
        ("1", {"10": 0.5}, "ResourceNotFoundException", f"Function not found: {ARN}:10"),
        (
            "1",
            {"2": 2.0},
            "ValidationException",
            "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to "
            "satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
            "Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
    ],
)
async def test_routes_that_cannot_be(
    versioned: World, version: str, weights: dict[str, float], code: str, message: str
) -> None:
    routing = {"AdditionalVersionWeights": weights}
    error = await refusal(versioned, "CreateAlias", FunctionVersion=version, RoutingConfig=routing)
    assert (error.code, error.message) == (code, message)


async def test_aliases_are_listed_by_name_by_version_and_by_page(versioned: World) -> None:
    for name, version in (("b", "1"), ("a", "2"), ("c", "1")):
        await versioned.call("CreateAlias", FunctionName="fn", Name=name, FunctionVersion=version)
    page = await versioned.call("ListAliases", FunctionName="fn", MaxItems=2)
    rest = await versioned.call("ListAliases", FunctionName="fn", Marker=page["NextMarker"])
    assert [alias["Name"] for alias in page["Aliases"] + rest["Aliases"]] == ["a", "b", "c"]
    ones = await versioned.call("ListAliases", FunctionName="fn", FunctionVersion="1")
    assert [alias["Name"] for alias in ones["Aliases"]] == ["b", "c"]


async def test_aliases_belong_to_a_function(world: World) -> None:
    for operation in ("ListAliases",):
        with pytest.raises(ServiceError, match=f"Function not found: {ARN}$"):
            await world.call(operation, FunctionName="fn")
    with pytest.raises(ServiceError, match=f"Function not found: {ARN}:1$"):
        await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
