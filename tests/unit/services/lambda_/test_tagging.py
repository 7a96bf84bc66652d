"""Tags."""

import pytest

from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import limits
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


async def test_tags_come_and_go(world: World) -> None:
    await world.create(Tags={"A": "a"})
    await world.call("TagResource", Resource=ARN, Tags={"A": "new", "B": ""})
    assert await world.call("ListTags", Resource=ARN) == {"Tags": {"A": "new", "B": ""}}
    await world.call("UntagResource", Resource=ARN, TagKeys=["A", "never"])
    assert await world.call("ListTags", Resource=ARN) == {"Tags": {"B": ""}}


async def test_a_change_of_tags_is_a_new_revision(world: World) -> None:
    await world.create()
    before = await world.settled()
    await world.call("TagResource", Resource=ARN, Tags={"A": "a"})
    assert (await world.settled())["RevisionId"] != before["RevisionId"]


@pytest.mark.parametrize(
    ("operation", "more"),
    [("TagResource", {"Tags": {"A": "a"}}), ("UntagResource", {"TagKeys": ["A"]}), ("ListTags", {})],
)
async def test_only_functions_have_tags(world: World, operation: str, more: dict[str, object]) -> None:
    with pytest.raises(ServiceError, match=f"Function not found: {ARN}"):
        await world.call(operation, Resource=ARN, **more)
    with pytest.raises(ServiceError, match="Tags on function aliases and versions are not supported"):
        await world.call(operation, Resource=f"{ARN}:1", **more)


async def test_there_may_be_50(world: World) -> None:
    await world.create(Tags={str(number): "" for number in range(limits.TAGS)})
    with pytest.raises(ServiceError, match="Number of tags exceeds"):
        await world.call("TagResource", Resource=ARN, Tags={"one": "more"})


async def test_no_tags_are_no_request(world: World) -> None:
    await world.create()
    with pytest.raises(ServiceError, match="An error occurred and the request cannot be processed"):
        await world.call("TagResource", Resource=ARN, Tags={})
