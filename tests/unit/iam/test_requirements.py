"""What calls need: actions on resources, by the members of requests."""

import sqlite3
from typing import Any

import pytest

from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.requirements import Requirement, action_of, requirements
from cloudlet.iam.tables import MIGRATIONS
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


def test_roles_that_are_handed_over_have_to_be_passed(reader: Reader) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    _, passed = _needed(reader, "lambda", "CreateFunction", FunctionName="f", Role=role, Environment={"a": role})
    assert passed == Requirement("iam:PassRole", (role,), {"iam:passedtoservice": ("lambda.amazonaws.com",)})
