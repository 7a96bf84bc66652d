"""Resource-based policies."""

import json
from typing import Any

import pytest

from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import limits
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


@pytest.fixture
async def function(world: World) -> World:
    await world.create(Publish=True)
    return world


async def add(world: World, sid: str = "s", **params: Any) -> Any:
    given = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", **params}
    answer = await world.call("AddPermission", **{"FunctionName": "fn", "StatementId": sid, **given})
    return json.loads(answer["Statement"])


async def refusal(world: World, operation: str = "AddPermission", **params: Any) -> ServiceError:
    given = {"FunctionName": "fn", "StatementId": "s"}
    if operation == "AddPermission":
        given |= {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **{**given, **params})
    return caught.value


async def test_a_statement_is_made_as_aws_makes_it(function: World) -> None:
    statement = await add(function, SourceArn="arn:aws:s3:::bucket", SourceAccount=ACCOUNT)
    assert statement == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("*", "*"),
        ("222222222222", {"AWS": "arn:aws:iam::222222222222:root"}),
        ("arn:aws:iam::222222222222:user/x", {"AWS": "arn:aws:iam::222222222222:user/x"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
    ],
)
async def test_principals(function: World, given: str, shown: Any) -> None:
    assert (await add(function, Principal=given))["Principal"] == shown


async def test_all_conditions_come_together(function: World) -> None:
    statement = await add(
        function,
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        SourceArn="arn:aws:s3:::b",
        SourceAccount=ACCOUNT,
        PrincipalOrgID="o-1234567890",
        FunctionUrlAuthType="NONE",
        InvokedViaFunctionUrl=True,
    )
    assert statement["Condition"] == {
        "StringEquals": {
            "lambda:FunctionUrlAuthType": "NONE",
            "aws:PrincipalOrgID": "o-1234567890",
            "AWS:SourceAccount": ACCOUNT,
        },
        "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
    }


async def test_a_policy_keeps_its_statements_in_order_and_has_the_functions_revision(function: World) -> None:
    before = await function.settled()
    await add(function, "z", RevisionId=before["RevisionId"])
    await add(function, "a")
    policy = await function.call("GetPolicy", FunctionName="fn")
    document = json.loads(policy["Policy"])
    assert (document["Version"], document["Id"]) == ("2012-10-17", "default")
    assert [statement["Sid"] for statement in document["Statement"]] == ["z", "a"]
    assert policy["RevisionId"] == (await function.settled())["RevisionId"] != before["RevisionId"]
    await function.call("RemovePermission", FunctionName="fn", StatementId="z", RevisionId=policy["RevisionId"])
    assert len(json.loads((await function.call("GetPolicy", FunctionName="fn"))["Policy"])["Statement"]) == 1
    await function.call("RemovePermission", FunctionName="fn", StatementId="a")
    error = await refusal(function, "GetPolicy", StatementId=None)
    assert (error.code, error.message) == ("ResourceNotFoundException", "The resource you requested does not exist.")


async def test_versions_and_aliases_have_policies_of_their_own(function: World) -> None:
    await add(function)
    assert (await refusal(function, "GetPolicy", Qualifier="1", StatementId=None)).code == "ResourceNotFoundException"
    assert (await add(function, FunctionName="fn:1", Qualifier="1"))["Resource"] == f"{ARN}:1"
    alias = await function.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    await add(function, Qualifier="live", RevisionId=alias["RevisionId"])
    policy = await function.call("GetPolicy", FunctionName="fn:live")
    renewed = await function.call("GetAlias", FunctionName="fn", Name="live")
    assert policy["RevisionId"] == renewed["RevisionId"] != alias["RevisionId"]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"FunctionName": "fn:$LATEST", "Qualifier": "$LATEST"},
            "InvalidParameterValueException",
            "We currently do not support adding policies for $LATEST.",
        ),
        (
            {"Principal": "invalid.nonaws.com"},
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"FunctionName": "other"},
            "ResourceNotFoundException",
            f"Function not found: {ARN[:-2]}other",
        ),
        (
            {"FunctionName": "fn:noalias"},
            "ResourceNotFoundException",
            f"Cannot find alias arn: {ARN}:noalias",
        ),
        ({"Qualifier": "42"}, "ResourceNotFoundException", f"Function not found: {ARN}:42"),
        ({"Qualifier": "no-$-alias"}, "ResourceNotFoundException", f"Function not found: {ARN}:no-$-alias"),
        (
            {"FunctionUrlAuthType": "NONE"},
            "InvalidParameterValueException",
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ),
        (
            {"RevisionId": "wrong"},
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
        ),
    ],
)
async def test_what_cannot_be_added(function: World, params: dict[str, Any], code: str, message: str) -> None:
    error = await refusal(function, **params)
    assert (error.code, error.message) == (code, message)


async def test_a_statement_id_is_used_once(function: World) -> None:
    await add(function)
    error = await refusal(function)
    assert error.code == "ResourceConflictException"
    assert error.message == (
        "The statement id (s) provided already exists. "
        "Please provide a new statement id, or remove the existing statement."
    )


async def test_what_cannot_be_removed(function: World) -> None:
    assert (await refusal(function, "RemovePermission", FunctionName="other")).message == (
        f"No policy found for: {ARN[:-2]}other"
    )
    assert (await refusal(function, "RemovePermission")).message == "No policy is associated with the given resource."
    await add(function, "other")
    assert (await refusal(function, "RemovePermission")).message == "Statement s is not found in resource policy."
    error = await refusal(function, "RemovePermission", Qualifier="noalias")
    assert error.message == f"Cannot find alias arn: {ARN}:noalias"
    error = await refusal(function, "RemovePermission", StatementId="other", RevisionId="wrong")
    assert error.code == "PreconditionFailedException"


async def test_a_policy_has_20_kb(function: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(function)
    size = len((await function.call("GetPolicy", FunctionName="fn"))["Policy"])
    monkeypatch.setattr(limits, "POLICY_BYTES", size)
    error = await refusal(function, StatementId="t")
    assert error.code == "PolicyLengthExceededException"
    assert "is bigger than the limit" in error.message
    assert len((await function.call("GetPolicy", FunctionName="fn"))["Policy"]) == size
