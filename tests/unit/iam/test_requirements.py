"""What calls need: actions on resources, by the members of requests."""

import re
import sqlite3
from typing import Any

import botocore.session
import pytest

from cloudlet.iam.naming.base import NamedRequest
from cloudlet.iam.naming.organizations import organizations_keys
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.requirements import PASS_ROLE, Requirement, action_of, requirements
from cloudlet.iam.tables import MIGRATIONS
from cloudlet.services.coverage import implemented_operations
from cloudlet.store.base import Reader
from cloudlet.store.sqlite_connection import SqliteReader, schema

ACCOUNT = "111111111111"
USER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/team/alice", "AIDAALICE")
LAMBDA = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function"
LOGS = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"


@pytest.fixture
def reader() -> Any:
    connection = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        for statement in migration.statements:
            connection.execute(schema(statement))
    yield SqliteReader(connection)
    connection.close()


def _needed(reader: Reader, service: str, operation: str, **params: Any) -> list[Requirement]:
    found = action_of(service, operation)
    assert found is not None
    return requirements(RequestContext(USER, "eu-west-1", "r", service, operation), found, params, reader)


@pytest.mark.parametrize(
    ("service", "operation", "params", "resource"),
    [
        ("lambda", "ListFunctions", {}, "*"),
        ("lambda", "GetFunction", {"FunctionName": "f"}, f"{LAMBDA}:f"),
        ("lambda", "GetFunction", {"FunctionName": "f", "Qualifier": "1"}, f"{LAMBDA}:f:1"),
        ("lambda", "Invoke", {"FunctionName": "f", "Qualifier": "live"}, f"{LAMBDA}:f:live"),
        ("lambda", "Invoke", {"FunctionName": "f:live"}, f"{LAMBDA}:f:live"),
        ("lambda", "Invoke", {"FunctionName": f"{ACCOUNT}:function:f"}, f"{LAMBDA}:f"),
        ("lambda", "Invoke", {"FunctionName": f"{LAMBDA}:f:2"}, f"{LAMBDA}:f:2"),
        *(
            ("lambda", "Invoke", {"FunctionName": spelling}, f"{LAMBDA}:f")
            for spelling in (
                f"{ACCOUNT}:f",
                "eu-west-1:f",
                "function:f",
                "eu-west-1:function:f",
                f"eu-west-1:{ACCOUNT}:function:f",
                "arn:aws:lambda:f",
                "arn:aws:lambda:function:f",
                f"arn:aws:lambda:eu-west-1:{ACCOUNT}:f",
                f"arn:aws-cn:lambda:eu-west-1:{ACCOUNT}:function:f",
            )
        ),
        ("lambda", "Invoke", {"FunctionName": f"{ACCOUNT}:f:live"}, f"{LAMBDA}:f:live"),
        ("lambda", "Invoke", {"FunctionName": "foo-bar-1:f"}, f"{LAMBDA}:foo-bar-1:f"),
        ("lambda", "ListTags", {"Resource": f"{LAMBDA}:f".replace("aws", "aws-us-gov")}, f"{LAMBDA}:f"),
        ("lambda", "ListTags", {"Resource": f"{LAMBDA}:f"}, f"{LAMBDA}:f"),
        ("logs", "CreateLogGroup", {"logGroupName": "g"}, f"{LOGS}:g:log-stream:"),
        ("logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s"}, f"{LOGS}:g:log-stream:s"),
        ("logs", "FilterLogEvents", {"logGroupIdentifier": f"{LOGS}:g:*"}, f"{LOGS}:g:log-stream:"),
        ("iam", "GetRole", {"RoleName": "r"}, f"arn:aws:iam::{ACCOUNT}:role/r"),
        ("iam", "CreateRole", {"RoleName": "r", "Path": "/a/"}, f"arn:aws:iam::{ACCOUNT}:role/a/r"),
        ("iam", "GetUser", {}, USER.arn),
        ("iam", "GetPolicy", {"PolicyArn": "arn:aws:iam::aws:policy/X"}, "arn:aws:iam::aws:policy/X"),
        ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::222222222222:role/r"}, "arn:aws:iam::222222222222:role/r"),
    ],
)
def test_the_resource_of_a_request(
    reader: Reader, service: str, operation: str, params: dict[str, Any], resource: str
) -> None:
    assert _needed(reader, service, operation, **params)[0].resource[0] == resource


def test_a_log_group_is_meant_with_and_without_what_stands_behind_it(reader: Reader) -> None:
    [needed] = _needed(reader, "logs", "DeleteLogGroup", logGroupName="g")
    assert needed.resource == (f"{LOGS}:g:log-stream:", f"{LOGS}:g", f"{LOGS}:g:*")


def test_a_functions_network_and_its_arn_are_condition_keys(reader: Reader) -> None:
    network = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    [needed] = _needed(reader, "lambda", "CreateFunction", FunctionName="f", VpcConfig=network)
    assert needed.keys["lambda:subnetids"] == ("subnet-1", "subnet-2")
    assert needed.keys["lambda:securitygroupids"] == ("sg-1",)
    assert [value[:4] for value in needed.keys["lambda:vpcids"]] == ["vpc-"]
    [needed] = _needed(reader, "lambda", "CreateFunction", FunctionName="f", VpcConfig={"SubnetIds": []})
    assert needed.keys == {}
    [needed] = _needed(reader, "lambda", "CreateEventSourceMapping", FunctionName="f:live", EventSourceArn=QUEUE)
    assert needed.keys == {"lambda:functionarn": (f"{LAMBDA}:f:live",)}


@pytest.mark.parametrize("operation", ["CreateFunction", "UpdateFunctionConfiguration"])
def test_roles_that_are_handed_over_have_to_be_passed(reader: Reader, operation: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    other = {"Variables": {"ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/only-named"}}
    _, passed = _needed(reader, "lambda", operation, FunctionName="f", Role=role, Environment=other)
    assert passed == Requirement("iam:PassRole", (role,), {"iam:passedtoservice": ("lambda.amazonaws.com",)})


def _role_members(shape: Any, path: str = "") -> list[str]:
    """The members of a request's shape that are named for a role's ARN."""
    if shape is None:
        return []
    if shape.type_name == "list":
        return _role_members(shape.member, path)
    found: list[str] = []
    for name, member in shape.members.items() if shape.type_name == "structure" else ():
        if member.type_name == "string" and re.search(r"role(_?arn)?$", name, re.IGNORECASE):
            found.append(f"{path}.{name}")
        found += _role_members(member, f"{path}.{name}")
    return found


def test_no_operation_takes_a_role_from_whoever_may_not_pass_it() -> None:
    """The reference does not say it of all: it is held here for every operation that is implemented."""
    session = botocore.session.get_session()
    takes_one = [
        (service, operation)
        for service, operations in implemented_operations().items()
        for operation in operations
        if service != "sts" and _role_members(session.get_service_model(service).operation_model(operation).input_shape)
    ]
    assert ("lambda", "UpdateFunctionConfiguration") in takes_one
    for service, operation in takes_one:
        found = action_of(service, operation)
        assert found is not None
        assert PASS_ROLE in found[0].needs, f"{service}:{operation}"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CreatePolicy", {"Type": "TAG_POLICY"}),
        ("EnablePolicyType", {"PolicyType": "TAG_POLICY"}),
        ("ListPolicies", {"Filter": "TAG_POLICY"}),
    ],
)
def test_a_request_names_the_type_of_an_organisations_policies(
    reader: Reader, operation: str, params: dict[str, Any]
) -> None:
    [requirement, *_] = _needed(reader, "organizations", operation, **params)
    assert requirement.keys == {"organizations:policytype": ("TAG_POLICY",)}


def test_a_policys_arn_has_its_type() -> None:
    found = action_of("organizations", "AttachPolicy")
    assert found is not None
    request = NamedRequest(*found, {"PolicyId": "p-1", "TargetId": "r-1"}, USER, "eu-west-1")
    arn = f"arn:aws:organizations::{ACCOUNT}:policy/o-1/service_control_policy/p-1"
    root = f"arn:aws:organizations::{ACCOUNT}:root/o-1/r-1"
    assert organizations_keys(request, [(arn,), (root,)]) == {"organizations:policytype": ("SERVICE_CONTROL_POLICY",)}
    assert organizations_keys(request, [(root,)]) == {}
