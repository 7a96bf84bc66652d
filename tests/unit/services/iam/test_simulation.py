"""SimulateCustomPolicy and GetContextKeysForCustomPolicy, without a node."""

import json
from typing import Any, cast

import pytest

from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.iam.errors import InvalidInput
from cloudlet.services.iam.simulation_operations import SimulationOperations

ACCOUNT = "111111111111"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
BUCKET = "arn:aws:s3:::bucket"
Json = dict[str, Any]


def policy(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str = "*", resource: str = "*", **extra: Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **extra}


def deny(action: str = "*", resource: str = "*", **extra: Any) -> Json:
    return allow(action, resource, **extra) | {"Effect": "Deny"}


async def simulate(*policies: str, actions: list[str] | None = None, **params: Any) -> Any:
    service = SimulationOperations(cast(Platform, None))
    context = RequestContext(Principal.root(ACCOUNT), "us-east-1", "request")
    request: Any = {"PolicyInputList": list(policies), "ActionNames": actions or ["s3:GetObject"], **params}
    return await service.simulate_custom_policy(context, request)


async def result(*policies: str, **params: Any) -> Any:
    [only] = (await simulate(*policies, **params))["EvaluationResults"]
    return only


async def test_an_allow_is_shown_with_its_statement() -> None:
    found = await result(policy(allow("sqs:*"), allow("s3:Get*")))
    assert (found["EvalActionName"], found["EvalResourceName"], found["EvalDecision"]) == (
        "s3:GetObject",
        "*",
        "allowed",
    )
    [statement] = found["MatchedStatements"]
    assert (statement["SourcePolicyId"], statement["SourcePolicyType"]) == ("PolicyInputList.1", "IAM Policy")
    assert statement["StartPosition"]["Line"] == 1
    assert "EvalDecisionDetails" not in found
    assert "ResourceSpecificResults" not in found


async def test_only_the_deny_is_shown_where_one_applies() -> None:
    found = await result(policy(allow()), policy(deny("s3:*")))
    assert found["EvalDecision"] == "explicitDeny"
    assert [statement["SourcePolicyId"] for statement in found["MatchedStatements"]] == ["PolicyInputList.2"]


async def test_nothing_is_shown_where_nothing_allows() -> None:
    found = await result(policy(allow("sqs:*")))
    assert (found["EvalDecision"], found["MatchedStatements"]) == ("implicitDeny", [])


async def test_each_resource_has_its_result_and_the_strictest_is_the_whole() -> None:
    secret = f"{BUCKET}/secret"
    found = await result(policy(allow(), deny("s3:*", secret)), ResourceArns=[f"{BUCKET}/a", secret])
    assert found["EvalDecision"] == "explicitDeny"
    assert found["EvalResourceName"] == "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
    each = {one["EvalResourceName"]: one["EvalResourceDecision"] for one in found["ResourceSpecificResults"]}
    assert each == {f"{BUCKET}/a": "allowed", secret: "explicitDeny"}
    assert len(found["MatchedStatements"]) == 1


async def test_one_resource_is_shown_by_its_name() -> None:
    found = await result(policy(allow()), ResourceArns=[BUCKET])
    assert found["EvalResourceName"] == BUCKET
    assert found["EvalDecisionDetails"] == {}


async def test_missing_context_values_are_named_as_written() -> None:
    document = policy(
        allow("s3:*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        allow("sqs:*", Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
    )
    found = await result(document)
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("implicitDeny", ["aws:SourceVpc"])
    entry = {"ContextKeyName": "AWS:SourceVpc", "ContextKeyValues": ["vpc-1"], "ContextKeyType": "string"}
    found = await result(document, ContextEntries=[entry])
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("allowed", [])


async def test_a_variable_is_filled_from_the_caller() -> None:
    document = policy(allow("s3:*", BUCKET + "/${aws:username}/*"))
    found = await result(document, CallerArn=ALICE, ResourceArns=[f"{BUCKET}/alice/a", f"{BUCKET}/bob/a"])
    assert [one["EvalResourceDecision"] for one in found["ResourceSpecificResults"]] == ["allowed", "implicitDeny"]
    assert (await result(document, ResourceArns=[f"{BUCKET}/a"]))["MissingContextValues"] == ["aws:username"]


async def test_a_boundary_limits() -> None:
    found = await result(policy(allow()), PermissionsBoundaryPolicyInputList=[policy(allow("sqs:*"))])
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    found = await result(policy(allow()), PermissionsBoundaryPolicyInputList=[policy(deny())])
    assert found["EvalDecision"] == "explicitDeny"
    assert found["MatchedStatements"][0]["SourcePolicyId"] == "PermissionsBoundaryPolicyInputList.1"


async def test_an_organisation_limits_at_each_level() -> None:
    levels = [
        {"ServiceControlPolicyInputList": [policy(allow())]},
        {"ServiceControlPolicyInputList": [policy(allow("sqs:*"))]},
    ]
    found = await result(policy(allow()), OrderedOrganizationPolicyInputList=levels)
    assert found["EvalDecision"] == "implicitDeny"
    assert found["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    found = await result(policy(allow()), OrderedOrganizationPolicyInputList=levels[:1])
    assert found["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}


async def test_another_accounts_resource_takes_both_sides() -> None:
    bucket_policy = policy(allow("s3:*", f"{BUCKET}/*", Principal={"AWS": ALICE}))
    other = {"ResourceOwner": "arn:aws:iam::222222222222:root", "ResourceArns": [f"{BUCKET}/a"], "CallerArn": ALICE}
    found = await result(policy(allow("sqs:*")), ResourcePolicy=bucket_policy, **other)
    assert found["EvalDecision"] == "implicitDeny"
    assert found["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    found = await result(policy(allow()), ResourcePolicy=bucket_policy, **other)
    assert found["EvalDecision"] == "allowed"
    names = [statement["SourcePolicyId"] for statement in found["MatchedStatements"]]
    assert names == ["PolicyInputList.1", "ResourcePolicy"]


async def test_results_come_in_pages() -> None:
    actions = [f"s3:Get{number}" for number in range(5)]
    seen = []
    marker: Json = {}
    while True:
        page = await simulate(policy(allow()), actions=actions, MaxItems=2, **marker)
        seen += [one["EvalActionName"] for one in page["EvaluationResults"]]
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert seen == actions


def entry(kind: str, *values: str) -> Json:
    return {"ContextEntries": [{"ContextKeyName": "aws:Key", "ContextKeyType": kind, "ContextKeyValues": list(values)}]}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ResourceArns": ["bucket"]}, "ResourceNames are not in a valid ARN format: bucket."),
        ({"ResourceArns": ["*", BUCKET]}, "ResourceNames are not in a valid ARN format: *."),
        ({"actions": ["GetObject"]}, "The action is invalid since it is missing names"),
        ({"ResourceOwner": "123456789012"}, "'123456789012' is not a valid as a Resource Owner."),
        ({"ResourcePolicy": policy(allow())}, "Invalid caller - Caller cannot be null or empty."),
        (
            {"ResourcePolicy": policy(allow()), "CallerArn": f"arn:aws:iam::{ACCOUNT}:role/r"},
            "Invalid caller - Caller must be an IAM user in this context.",
        ),
        (
            {"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"},
            "Invalid caller - Caller must be an IAM user, role or group in this context.",
        ),
        (
            {"PermissionsBoundaryPolicyInputList": [policy(allow())] * 2},
            "The list of Permissions Boundary policies cannot exceed 1 items.",
        ),
        (
            {"OrderedOrganizationPolicyInputList": [{}]},
            "Organization policy at index 1 must contain at least one service control policy",
        ),
        (entry("string", "a", "b"), "Context key string expected a single value, but received 2."),
        (entry("numeric", "a"), "Invalid context value for key aws:Key: expected numeric format."),
        (entry("dateList", "a"), "Invalid context value for key aws:Key: expected DateTime format."),
        (entry("ip", "a"), "Invalid context value for key aws:Key: expected IP address."),
        (entry("binary", "-"), "Invalid context value for key aws:Key: expected base-64 encoded binary format."),
        (entry("string"), "Context values for context key aws:Key cannot be null or empty."),
    ],
)
async def test_input_is_checked_with_awss_words(params: Json, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        await simulate(policy(allow()), **params)
    assert raised.value.message == message


async def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Syntax errors in policy"):
        await simulate("{")
