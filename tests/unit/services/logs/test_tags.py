"""Tags of groups and destinations."""

import pytest

from tests.support.logs_world import LogsWorld

ARN = "arn:aws:logs:us-east-1:111111111111:"
GROUP = ARN + "log-group:group"
DESTINATION = ARN + "destination:place"


async def tags(logs: LogsWorld, arn: str = GROUP) -> dict[str, str]:
    return dict((await logs("ListTagsForResource", resourceArn=arn))["tags"])


@pytest.fixture
async def made(logs: LogsWorld) -> LogsWorld:
    await logs("CreateLogGroup", logGroupName="group", tags={"a": "1"})
    await logs("PutDestination", destinationName="place", targetArn="target", roleArn="role", tags={"a": "1"})
    return logs


@pytest.mark.parametrize("arn", [GROUP, DESTINATION])
async def test_tags_are_added_changed_and_taken_away(made: LogsWorld, arn: str) -> None:
    await made("TagResource", resourceArn=arn, tags={"a": "2", "b": ""})
    assert await tags(made, arn) == {"a": "2", "b": ""}
    await made("UntagResource", resourceArn=arn, tagKeys=["a", "none"])
    assert await tags(made, arn) == {"b": ""}


async def test_groups_have_operations_of_their_own(made: LogsWorld) -> None:
    await made("TagLogGroup", logGroupName="group", tags={"b": "2"})
    await made("UntagLogGroup", logGroupName="group", tags=["a"])
    assert (await made("ListTagsLogGroup", logGroupName="group"))["tags"] == {"b": "2"}
    assert await tags(made) == {"b": "2"}


@pytest.mark.parametrize(
    "arn", [GROUP + "2", DESTINATION + "2", GROUP.replace("111", "222"), ARN + "other:group", "group"]
)
async def test_what_is_not_there_has_no_tags(made: LogsWorld, arn: str) -> None:
    for operation, params in (
        ("TagResource", {"tags": {"a": "b"}}),
        ("UntagResource", {"tagKeys": ["a"]}),
        ("ListTagsForResource", {}),
    ):
        code, _ = await made.refuses(operation, resourceArn=arn, **params)
        assert code == "ResourceNotFoundException"


async def test_fifty_tags_and_one_more(made: LogsWorld) -> None:
    await made("TagResource", resourceArn=GROUP, tags={f"key-{index}": "" for index in range(49)})
    await made("TagResource", resourceArn=GROUP, tags={"a": "again"})
    code, _ = await made.refuses("TagResource", resourceArn=GROUP, tags={"b": ""})
    assert code == "TooManyTagsException"
    code, _ = await made.refuses("TagLogGroup", logGroupName="group", tags={"b": ""})
    assert code == "InvalidParameterException"
    assert len(await tags(made)) == 50


async def test_tags_of_aws_are_reserved(made: LogsWorld) -> None:
    code, _ = await made.refuses("TagResource", resourceArn=GROUP, tags={"aws:a": "b"})
    assert code == "InvalidParameterException"


async def test_a_deleted_destination_takes_its_tags_along(made: LogsWorld) -> None:
    await made("DeleteDestination", destinationName="place")
    await made("PutDestination", destinationName="place", targetArn="target", roleArn="role")
    assert await tags(made, DESTINATION) == {}
