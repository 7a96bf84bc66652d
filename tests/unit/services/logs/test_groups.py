"""Log groups."""

import pytest

from tests.support.logs_world import LogsWorld

REGEX_LIKE_NAMES = ["a_b", "aXb", "a-b", "A_b", "/a/b", "c"]


async def names(logs: LogsWorld, **params: object) -> list[str]:
    return [group["logGroupName"] for group in (await logs("DescribeLogGroups", **params))["logGroups"]]


async def listed(logs: LogsWorld, **params: object) -> list[str]:
    return [group["logGroupName"] for group in (await logs("ListLogGroups", **params))["logGroups"]]


async def test_a_new_group_is_described(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="/aws/lambda/hello")
    answer = await logs("DescribeLogGroups")
    assert answer == {
        "logGroups": [
            {
                "logGroupName": "/aws/lambda/hello",
                "creationTime": logs.now_ms,
                "metricFilterCount": 0,
                "arn": "arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/hello:*",
                "storedBytes": 0,
                "logGroupClass": "STANDARD",
                "logGroupArn": "arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/hello",
                "deletionProtectionEnabled": False,
            }
        ]
    }


async def test_a_name_is_taken_once_in_each_account_and_region(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group")
    assert await logs.refuses("CreateLogGroup", logGroupName="group") == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    logs.account = "222222222222"
    await logs("CreateLogGroup", logGroupName="group")
    logs.region = "eu-west-1"
    await logs("CreateLogGroup", logGroupName="group")


async def test_names_of_aws_are_reserved(logs: LogsWorld) -> None:
    for name in ("aws/group", "AWS/group"):
        assert await logs.refuses("CreateLogGroup", logGroupName=name) == (
            "InvalidParameterException",
            "Log groups starting with AWS/ are reserved for AWS.",
        )


async def test_a_name_with_other_characters_is_refused(logs: LogsWorld) -> None:
    code, text = await logs.refuses("CreateLogGroup", logGroupName="a:b")
    assert code == "InvalidParameterException"
    assert text.startswith("1 validation error detected: Value 'a:b' at 'logGroupName' failed to satisfy constraint")


async def test_encryption_with_own_keys_is_not_pretended(logs: LogsWorld) -> None:
    code, _ = await logs.refuses("CreateLogGroup", logGroupName="group", kmsKeyId="arn:aws:kms:us-east-1:1:key/k")
    assert code == "NotImplemented"


async def test_a_deleted_group_is_gone_with_its_tags(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group", tags={"a": "b"})
    await logs("DeleteLogGroup", logGroupName="group")
    assert await names(logs) == []
    assert await logs.refuses("DeleteLogGroup", logGroupName="group") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    await logs("CreateLogGroup", logGroupName="group")
    assert (await logs("ListTagsLogGroup", logGroupName="group"))["tags"] == {}


async def test_a_protected_group_stays(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group", deletionProtectionEnabled=True)
    code, _ = await logs.refuses("DeleteLogGroup", logGroupName="group")
    assert code == "ValidationException"
    await logs("PutLogGroupDeletionProtection", logGroupIdentifier="group", deletionProtectionEnabled=False)
    await logs("DeleteLogGroup", logGroupName="group")
    assert await names(logs) == []


async def test_groups_are_found_by_prefix_in_the_order_of_their_names(logs: LogsWorld) -> None:
    for name in REGEX_LIKE_NAMES:
        await logs("CreateLogGroup", logGroupName=name)
    assert await names(logs) == sorted(REGEX_LIKE_NAMES)
    assert await names(logs, logGroupNamePrefix="a_") == ["a_b"]
    assert await names(logs, logGroupNamePrefix="b") == []


async def test_groups_are_found_by_a_part_of_their_name(logs: LogsWorld) -> None:
    for name in REGEX_LIKE_NAMES:
        await logs("CreateLogGroup", logGroupName=name)
    assert await names(logs, logGroupNamePattern="_b") == ["A_b", "a_b"]
    assert await names(logs, logGroupNamePattern="") == sorted(REGEX_LIKE_NAMES)
    (found,) = (await logs("DescribeLogGroups", logGroupNamePattern="c"))["logGroups"]
    assert not found.keys() & {"storedBytes", "deletionProtectionEnabled"}


async def test_prefix_and_pattern_exclude_each_other(logs: LogsWorld) -> None:
    assert await logs.refuses("DescribeLogGroups", logGroupNamePrefix="a", logGroupNamePattern="b") == (
        "InvalidParameterException",
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
    )


async def test_groups_come_in_pages(logs: LogsWorld) -> None:
    for index in range(5):
        await logs("CreateLogGroup", logGroupName=f"group-{index}")
    for operation in ("DescribeLogGroups", "ListLogGroups"):
        pages = await logs.pages(operation, limit=2)
        found = [[group["logGroupName"][-1] for group in page["logGroups"]] for page in pages]
        assert found == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize("token", ["none", "W10", "WyJwb2xpY2llcyIsImEiXQ", "WyJncm91cHMiLDFd"])
async def test_a_token_of_someone_else_is_refused(logs: LogsWorld, token: str) -> None:
    assert await logs.refuses("DescribeLogGroups", nextToken=token) == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


async def test_groups_are_found_by_name_or_arn_or_class(logs: LogsWorld) -> None:
    for name in "abc":
        await logs("CreateLogGroup", logGroupName=name)
    await logs("CreateLogGroup", logGroupName="rare", logGroupClass="INFREQUENT_ACCESS")
    arn = "arn:aws:logs:us-east-1:111111111111:log-group:b"
    assert await names(logs, logGroupIdentifiers=["a", arn, "none"]) == ["a", "b"]
    assert await names(logs, logGroupClass="INFREQUENT_ACCESS") == ["rare"]
    assert await listed(logs, logGroupClass="STANDARD") == ["a", "b", "c"]


async def test_only_the_own_account_is_seen(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group")
    assert await names(logs, includeLinkedAccounts=True, accountIdentifiers=["222222222222"]) == []
    assert await names(logs, includeLinkedAccounts=True, accountIdentifiers=["111111111111"]) == ["group"]
    assert await names(logs, includeLinkedAccounts=True) == ["group"]


async def test_groups_are_listed_with_their_class(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group")
    assert await logs("ListLogGroups") == {
        "logGroups": [
            {
                "logGroupName": "group",
                "logGroupArn": "arn:aws:logs:us-east-1:111111111111:log-group:group",
                "logGroupClass": "STANDARD",
            }
        ]
    }


async def test_groups_are_listed_by_alternatives_of_prefixes_and_parts(logs: LogsWorld) -> None:
    for name in ("one-two", "two-one", "three", "t_ree"):
        await logs("CreateLogGroup", logGroupName=name)
    assert await listed(logs, logGroupNamePattern="^two") == ["two-one"]
    assert await listed(logs, logGroupNamePattern="two") == ["one-two", "two-one"]
    assert await listed(logs, logGroupNamePattern="^one|_ree") == ["one-two", "t_ree"]


async def test_groups_are_listed_by_tags(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="a", tags={"team": "red", "stage": "prod"})
    await logs("CreateLogGroup", logGroupName="b", tags={"team": "blue"})
    await logs("CreateLogGroup", logGroupName="c")
    assert await listed(logs, logGroupTags=[{"key": "team"}]) == ["a", "b"]
    assert await listed(logs, logGroupTags=[{"key": "team", "values": ["blue", "green"]}]) == ["b"]
    assert await listed(logs, logGroupTags=[{"key": "team"}, {"key": "stage", "values": ["prod"]}]) == ["a"]


async def test_no_group_has_a_data_source_or_a_field_index(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group")
    assert await listed(logs, dataSources=[{"name": "source"}]) == []
    assert await listed(logs, fieldIndexNames=["field"]) == []


async def test_retention_is_set_and_taken_away(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group")
    await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=7)
    assert (await logs("DescribeLogGroups"))["logGroups"][0]["retentionInDays"] == 7
    for _ in range(2):
        await logs("DeleteRetentionPolicy", logGroupName="group")
    assert "retentionInDays" not in (await logs("DescribeLogGroups"))["logGroups"][0]


async def test_only_some_retentions_are_there(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group")
    code, text = await logs.refuses("PutRetentionPolicy", logGroupName="group", retentionInDays=2)
    assert code == "InvalidParameterException"
    assert text.startswith("Invalid retention value. Valid values are: [1, 3, 5, 7, 14, 30,")


@pytest.mark.parametrize(
    ("operation", "params"), [("PutRetentionPolicy", {"retentionInDays": 1}), ("DeleteRetentionPolicy", {})]
)
async def test_retention_needs_a_group(logs: LogsWorld, operation: str, params: dict[str, object]) -> None:
    assert await logs.refuses(operation, logGroupName="group", **params) == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


async def test_a_delivery_group_keeps_its_retention(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group", logGroupClass="DELIVERY")
    assert (await logs("DescribeLogGroups"))["logGroups"][0]["retentionInDays"] == 1
    code, _ = await logs.refuses("PutRetentionPolicy", logGroupName="group", retentionInDays=7)
    assert code == "InvalidParameterException"
