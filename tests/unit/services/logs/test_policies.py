"""Resource policies."""

import json
from typing import Any

import pytest

from tests.support.logs_world import LogsWorld

STATEMENT = {
    "Sid": "DNS",
    "Effect": "Allow",
    "Principal": {"Service": ["route53.amazonaws.com"]},
    "Action": ["logs:PutLogEvents"],
    "Resource": ["a", "b"],
}
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})


async def policies(logs: LogsWorld, **params: object) -> list[dict[str, Any]]:
    return list((await logs("DescribeResourcePolicies", **params))["resourcePolicies"])


async def test_a_policy_is_answered_as_it_is_and_described_in_the_shortest_form(logs: LogsWorld) -> None:
    answer = await logs("PutResourcePolicy", policyName="policy", policyDocument=DOCUMENT)
    assert answer["resourcePolicy"] == {
        "policyName": "policy",
        "policyDocument": DOCUMENT,
        "lastUpdatedTime": logs.now_ms,
        "policyScope": "ACCOUNT",
    }
    (policy,) = await policies(logs)
    assert json.loads(policy["policyDocument"]) == {
        "Version": "2012-10-17",
        "Statement": [
            STATEMENT | {"Principal": {"Service": "route53.amazonaws.com"}, "Action": "logs:PutLogEvents"},
        ],
    }


async def test_a_policy_without_a_version_has_the_first_one(logs: LogsWorld) -> None:
    await logs("PutResourcePolicy", policyName="policy", policyDocument=json.dumps({"Statement": STATEMENT}))
    (policy,) = await policies(logs)
    document = json.loads(policy["policyDocument"])
    assert document["Version"] == "2008-10-17"
    assert isinstance(document["Statement"], list)


async def test_a_changed_policy_has_another_time(logs: LogsWorld) -> None:
    await logs("PutResourcePolicy", policyName="policy", policyDocument=DOCUMENT)
    before = await policies(logs)
    await logs("PutResourcePolicy", policyName="policy", policyDocument=DOCUMENT)
    after = await policies(logs)
    assert after[0]["lastUpdatedTime"] > before[0]["lastUpdatedTime"]


async def test_ten_policies_and_one_more(logs: LogsWorld) -> None:
    for index in range(10):
        await logs("PutResourcePolicy", policyName=f"policy-{index}", policyDocument=DOCUMENT)
    await logs("PutResourcePolicy", policyName="policy-3", policyDocument=DOCUMENT)
    assert await logs.refuses("PutResourcePolicy", policyName="more", policyDocument=DOCUMENT) == (
        "LimitExceededException",
        "Resource limit exceeded.",
    )


async def test_policies_come_in_pages(logs: LogsWorld) -> None:
    for name in "cab":
        await logs("PutResourcePolicy", policyName=name, policyDocument=DOCUMENT)
    page = await logs("DescribeResourcePolicies", limit=2)
    assert [policy["policyName"] for policy in page["resourcePolicies"]] == ["a", "b"]
    page = await logs("DescribeResourcePolicies", limit=2, nextToken=page["nextToken"])
    assert [policy["policyName"] for policy in page["resourcePolicies"]] == ["c"]
    assert "nextToken" not in page


async def test_a_deleted_policy_is_gone(logs: LogsWorld) -> None:
    await logs("PutResourcePolicy", policyName="policy", policyDocument=DOCUMENT)
    await logs("DeleteResourcePolicy", policyName="policy")
    assert await policies(logs) == []
    assert await logs.refuses("DeleteResourcePolicy", policyName="policy") == (
        "ResourceNotFoundException",
        "Policy with name [policy] does not exist.",
    )


@pytest.mark.parametrize(
    "document",
    ["", "text", "[]", "{}", '{"Statement": ["a"]}', '{"Statement": {"a": ' + "[1, " * 900 + "1" + "]" * 900 + "}}"],
)
async def test_a_document_must_be_a_policy(logs: LogsWorld, document: str) -> None:
    code, _ = await logs.refuses("PutResourcePolicy", policyName="policy", policyDocument=document)
    assert code == "InvalidParameterException"


async def test_policies_on_single_groups_are_not_pretended(logs: LogsWorld) -> None:
    arn = "arn:aws:logs:us-east-1:111111111111:log-group:group"
    for operation, params in (("PutResourcePolicy", {"policyDocument": DOCUMENT}), ("DeleteResourcePolicy", {})):
        code, _ = await logs.refuses(operation, policyName="policy", resourceArn=arn, **params)
        assert code == "NotImplemented"
    assert await policies(logs, policyScope="RESOURCE") == []
    assert await policies(logs, resourceArn=arn) == []
