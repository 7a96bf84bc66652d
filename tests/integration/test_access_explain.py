"""Permissions explained: IAM's simulator as boto3 sees it, and the commands that use it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.iam_world import policy, trust
from tests.support.nodes import MakeClient, NodeInThread

Json = dict[str, Any]
READ = {"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::bucket/*"}
NO_SECRETS = {"Sid": "NoSecrets", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/secret"}
PAGE = "arn:aws:s3:::bucket/page"


@pytest.fixture
def iam(client: MakeClient) -> Any:
    return client("iam")


@pytest.fixture
def worker(iam: Any) -> str:
    """A role that may read a bucket; its ARN."""
    arn = iam.create_role(RoleName="worker", Path="/app/", AssumeRolePolicyDocument=trust({"AWS": "*"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName="worker", PolicyName="read", PolicyDocument=policy(READ, NO_SECRETS))
    return str(arn)


def result(iam: Any, source: str, action: str, resource: str = "*", **more: Any) -> Json:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=source, ActionNames=[action], ResourceArns=[resource], **more
    )
    [only] = answer["EvaluationResults"]
    found: Json = only
    return found


def sources(found: Json) -> list[str]:
    return [statement["SourcePolicyId"] for statement in found["MatchedStatements"]]


def test_a_roles_inline_policy_is_named_with_its_holder(iam: Any, worker: str) -> None:
    found = result(iam, worker, "s3:GetObject", PAGE)
    assert (found["EvalDecision"], sources(found)) == ("allowed", ["role_worker_read"])
    assert found["MatchedStatements"][0]["StartPosition"] == {"Line": 1, "Column": 41}
    assert result(iam, worker, "s3:GetObject", "arn:aws:s3:::bucket/secret")["EvalDecision"] == "explicitDeny"
    assert result(iam, worker, "s3:PutObject", PAGE)["EvalDecision"] == "implicitDeny"


def test_the_simulator_and_the_node_decide_alike(iam: Any, client: MakeClient) -> None:
    iam.create_user(UserName="alice")
    statement = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "arn:aws:iam::*:user/${aws:username}"}
    iam.put_user_policy(UserName="alice", PolicyName="self", PolicyDocument=policy(statement))
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = client("iam", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    arns = {name: iam.get_user(UserName=name)["User"]["Arn"] for name in ("alice", "bob")}
    alice.get_user(UserName="alice")
    with pytest.raises(ClientError, match="not authorized"):
        alice.get_user(UserName="bob")
    assert result(iam, arns["alice"], "iam:GetUser", arns["alice"])["EvalDecision"] == "allowed"
    assert result(iam, arns["alice"], "iam:GetUser", arns["bob"])["EvalDecision"] == "implicitDeny"


def test_a_user_has_the_policies_of_its_groups(iam: Any) -> None:
    arn = iam.create_user(UserName="alice")["User"]["Arn"]
    group = iam.create_group(GroupName="readers")["Group"]["Arn"]
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    iam.put_group_policy(GroupName="readers", PolicyName="read", PolicyDocument=policy(READ))
    assert sources(result(iam, arn, "s3:GetObject", PAGE)) == ["group_readers_read"]
    assert sources(result(iam, group, "s3:GetObject", PAGE)) == ["group_readers_read"]


def test_a_managed_policy_is_called_by_its_name(iam: Any, worker: str) -> None:
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="worker", PolicyArn=basic)
    assert sources(result(iam, worker, "logs:PutLogEvents")) == ["AWSLambdaBasicExecutionRole"]
    for exclusion in ({"PolicyArn": basic}, {"PolicyType": "aws-managed"}):
        found = result(iam, worker, "logs:PutLogEvents", PolicyExclusionList=[exclusion])
        assert found["EvalDecision"] == "implicitDeny"
    inline = {"PolicyName": "read", "AttachmentType": "role", "AttachmentName": "worker"}
    exclusions = [{"InlinePolicyIdentifier": inline}]
    assert result(iam, worker, "s3:GetObject", PAGE, PolicyExclusionList=exclusions)["EvalDecision"] == "implicitDeny"


def test_a_boundary_is_told_apart(iam: Any, worker: str) -> None:
    document = policy({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    arn = iam.create_policy(PolicyName="bound", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=arn)
    found = result(iam, worker, "s3:GetObject", PAGE)
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert found["ResourceSpecificResults"][0]["PermissionsBoundaryDecisionDetail"] == {
        "AllowedByPermissionsBoundary": False
    }


def test_an_organisation_is_told_apart(node: NodeInThread, client: MakeClient) -> None:
    organizations = client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    email = f"{os.urandom(6).hex()}@example.com"
    begun = organizations.create_account(AccountName="dev", Email=email)["CreateAccountStatus"]["Id"]
    status = organizations.describe_create_account_status(CreateAccountRequestId=begun)["CreateAccountStatus"]
    dev = status["AccountId"]
    iam = client("iam", account=dev)
    arn = iam.create_user(UserName="alice")["User"]["Arn"]
    iam.put_user_policy(UserName="alice", PolicyName="read", PolicyDocument=policy(READ))
    assert result(iam, arn, "s3:GetObject", PAGE)["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}
    no_reading = policy({"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"})
    made = organizations.create_policy(
        Name="no-reading", Description="", Type="SERVICE_CONTROL_POLICY", Content=no_reading
    )
    policy_id = made["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy_id, TargetId=dev)
    found = result(iam, arn, "s3:GetObject", PAGE)
    assert (found["EvalDecision"], found["MatchedStatements"]) == ("explicitDeny", [])
    assert found["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    found = result(iam, arn, "s3:GetObject", PAGE, PolicyExclusionList=[{"PolicyType": "scp"}])
    assert found["EvalDecision"] == "allowed"
    done = cloudlet(node, dev, "explain", "--as", "alice", "s3:GetObject", PAGE)
    assert done.stdout.startswith("explicitDeny: the organisation's policies do not allow it")


def test_added_policies_and_context_take_part(iam: Any, worker: str) -> None:
    condition = {"StringEquals": {"s3:prefix": "home"}}
    added = policy({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", "Condition": condition})
    found = result(iam, worker, "s3:PutObject", PAGE, PolicyInputList=[added])
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("implicitDeny", ["s3:prefix"])
    entry = {"ContextKeyName": "s3:prefix", "ContextKeyType": "string", "ContextKeyValues": ["home"]}
    found = result(iam, worker, "s3:PutObject", PAGE, PolicyInputList=[added], ContextEntries=[entry])
    assert (found["EvalDecision"], sources(found)) == ("allowed", ["PolicyInputList.1"])
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=worker, PolicyInputList=[added])
    assert keys["ContextKeyNames"] == ["s3:prefix"]
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[added])["ContextKeyNames"] == ["s3:prefix"]


def test_results_come_in_pages(iam: Any, worker: str) -> None:
    actions = ["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=worker, ActionNames=actions, PaginationConfig={"PageSize": 2}
    )
    found = [[one["EvalActionName"] for one in page["EvaluationResults"]] for page in pages]
    assert found == [actions[:2], actions[2:]]


def test_a_resource_policy_is_simulated_for_users(iam: Any) -> None:
    arn = iam.create_user(UserName="alice")["User"]["Arn"]
    bucket = policy({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:*", "Resource": f"{PAGE}*"})
    found = result(iam, arn, "s3:GetObject", PAGE, ResourcePolicy=bucket)
    assert (found["EvalDecision"], sources(found)) == ("allowed", ["ResourcePolicy"])
    found = result(
        iam, arn, "s3:GetObject", PAGE, ResourcePolicy=bucket, ResourceOwner="arn:aws:iam::222222222222:root"
    )
    assert found["EvalDecision"] == "implicitDeny"
    assert found["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}


def test_who_is_not_there_cannot_be_simulated(iam: Any, account: str) -> None:
    session = f"arn:aws:sts::{account}:assumed-role/r/s"
    for arn, code, message in [
        (f"arn:aws:iam::{account}:role/nobody", "NoSuchEntity", "The role with name nobody cannot be found."),
        (
            session,
            "InvalidInput",
            f"Invalid Entity Arn: {session} does not clearly define entity type and name.",
        ),
    ]:
        with pytest.raises(ClientError) as raised:
            result(iam, arn, "s3:GetObject")
        assert (raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]) == (code, message)


# The commands


def cloudlet(node: NodeInThread, account: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `cloudlet access` on an account of the node."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}
    options = ("--endpoint", node.endpoint, "--account", account)
    return subprocess.run(
        [sys.executable, "-m", "cloudlet", "access", *arguments, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=inherited,
    )


def test_explain_shows_the_statement_that_decided(node: NodeInThread, account: str, worker: str) -> None:
    done = cloudlet(node, account, "explain", "--as", "worker", "s3:GetObject", PAGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("allowed\n")
    assert "inline policy read of role worker, Read (line 1)" in done.stdout
    assert json.dumps(READ, indent=2) in done.stdout
    done = cloudlet(node, account, "explain", "--as", worker, "s3:GetObject", "arn:aws:s3:::bucket/secret")
    assert done.returncode == 1
    assert done.stdout.startswith("explicitDeny: a statement denies it\n")
    assert json.dumps(NO_SECRETS, indent=2) in done.stdout
    done = cloudlet(node, account, "explain", "--as", worker, "sqs:SendMessage")
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "implicitDeny: no statement allows it")


def test_explain_takes_a_session_and_context(node: NodeInThread, account: str, iam: Any, worker: str) -> None:
    condition = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
    document = policy({"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": condition})
    arn = iam.create_policy(PolicyName="queues", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    session = f"arn:aws:sts::{account}:assumed-role/worker/s"
    done = cloudlet(node, account, "explain", "--as", session, "sqs:SendMessage")
    assert done.returncode == 1
    assert "aws:SourceVpc" in done.stderr
    done = cloudlet(node, account, "explain", "--as", session, "sqs:SendMessage", "--context", "aws:SourceVpc=vpc-1")
    assert done.returncode == 0
    assert arn in done.stdout


def test_explain_says_what_is_wrong(node: NodeInThread, account: str) -> None:
    done = cloudlet(node, account, "explain", "--as", "nobody", "sqs:SendMessage")
    assert (done.returncode, "There is no role or user nobody." in done.stderr) == (1, True)
    assert cloudlet(node, account, "explain", "sqs:SendMessage").returncode == 2


def test_advise_proposes_what_the_role_has_called(
    node: NodeInThread, account: str, client: MakeClient, iam: Any
) -> None:
    arn = iam.create_role(RoleName="busy", AssumeRolePolicyDocument=trust({"AWS": account}))["Role"]["Arn"]
    everything = policy({"Effect": "Allow", "Action": ["iam:*", "logs:*"], "Resource": "*"})
    iam.put_role_policy(RoleName="busy", PolicyName="all", PolicyDocument=everything)
    session = client("sts").assume_role(RoleArn=arn, RoleSessionName="today")["Credentials"]
    keys = {"keys": (session["AccessKeyId"], session["SecretAccessKey"]), "token": session["SessionToken"]}
    client("logs", **keys).create_log_group(logGroupName="g")
    client("iam", **keys).get_role(RoleName="busy")
    with pytest.raises(ClientError):
        client("lambda", **keys).list_functions()
    done = cloudlet(node, account, "advise", "busy")
    assert done.returncode == 0, done.stderr
    proposed = json.loads(done.stdout)
    group = f"arn:aws:logs:us-east-1:{account}:log-group:g"
    statements = {one["Action"]: one["Resource"] for one in proposed["Statement"]}
    assert statements["iam:GetRole"] == arn
    assert statements["logs:CreateLogGroup"].startswith(group)
    assert len(statements) == 2
    with_denied = json.loads(cloudlet(node, account, "advise", arn, "--denied").stdout)
    assert "lambda:ListFunctions" in {one["Action"] for one in with_denied["Statement"]}
    # What is proposed is enough.
    iam.put_role_policy(RoleName="busy", PolicyName="all", PolicyDocument=json.dumps(proposed))
    client("iam", **keys).get_role(RoleName="busy")


def test_advise_says_when_there_is_nothing(node: NodeInThread, account: str, worker: str) -> None:
    done = cloudlet(node, account, "advise", "worker")
    assert done.returncode == 1
    assert "has called nothing" in done.stderr
