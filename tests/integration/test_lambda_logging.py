"""LoggingConfig over HTTP: platform and runtime write JSON, at the levels and to the group asked for."""

import base64
import json
import shutil
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.compute.runtimes import Runtimes
from tests.support.functions import create_function, package
from tests.support.nodes import RUNTIMES, MakeClient

PYTHON = """
import logging

def handler(event, context):
    logging.getLogger().debug("fine")
    logging.getLogger().info("shown")
    logging.getLogger().error("bad")
    print("plain")
"""
NODE = """
exports.handler = async () => {
  console.debug("fine");
  console.info("shown");
  console.error("bad");
};
"""
NODE_RUNTIME = next(reversed(Runtimes(RUNTIMES).interpreters("nodejs")), "")


def lines(client: MakeClient, last: str, group: str = "/aws/lambda/fn") -> list[Any]:
    """The lines of a log group, once one of them holds `last`: they are stored a moment after the invocation."""
    logs = client("logs")
    while True:
        try:
            messages = [each["message"] for each in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            messages = []
        if any(last in message for message in messages):
            return [json.loads(message) if message[0] == "{" else message for message in messages]


TRUST = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"""
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def create_role(client: MakeClient, *actions: str, **condition: Any) -> str:
    """The ARN of a role that Lambda may assume, which allows `actions`."""
    iam = client("iam")
    arn = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    if actions:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=document)
    return str(arn)


def stored(client: MakeClient, name: str) -> None:
    """Wait until all that was logged so far is stored, or not: lines are stored in the order in which they come."""
    create_function(client("lambda"), name, PYTHON)  # with a role that is not there
    client("lambda").invoke(FunctionName=name)
    lines(client, "REPORT", f"/aws/lambda/{name}")


def levels(found: list[Any]) -> list[tuple[str, str]]:
    return [(line["level"], line["message"]) for line in found if isinstance(line, dict) and "level" in line]


def platform(found: list[Any]) -> list[str]:
    return [line["type"] for line in found if isinstance(line, dict) and "type" in line]


def test_a_function_logs_in_json_to_its_own_group(client: MakeClient) -> None:
    functions = client("lambda")
    made = create_function(functions, "fn", PYTHON, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/mine/logs"})
    expected = {
        "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "/mine/logs"
    }  # fmt: skip
    assert made["LoggingConfig"] == expected
    assert functions.get_function_configuration(FunctionName="fn")["LoggingConfig"] == expected
    answer = functions.invoke(FunctionName="fn")
    found = lines(client, "platform.report", "/mine/logs")
    assert platform(found) == ["platform.initStart", "platform.start", "platform.report"]
    assert levels(found) == [("INFO", "shown"), ("ERROR", "bad")]
    assert "plain\n" in found
    assert {line["requestId"] for line in found if isinstance(line, dict) and "level" in line} == {
        answer["ResponseMetadata"]["RequestId"]
    }
    with pytest.raises(ClientError, match="does not exist"):
        client("logs").describe_log_streams(logGroupName="/aws/lambda/fn")


def test_levels_can_be_changed_and_text_has_none(client: MakeClient) -> None:
    functions = client("lambda")
    update, wait = functions.update_function_configuration, functions.get_waiter("function_updated_v2").wait
    create_function(functions, "fn", PYTHON)
    with pytest.raises(ClientError, match='LogLevel is not supported when LogFormat is set to "Text"'):
        update(FunctionName="fn", LoggingConfig={"ApplicationLogLevel": "DEBUG"})
    asked = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"}
    assert update(FunctionName="fn", LoggingConfig=asked)["LoggingConfig"] == {**asked, "LogGroup": "/aws/lambda/fn"}
    wait(FunctionName="fn", WaiterConfig={"Delay": 0, "MaxAttempts": 100_000})
    functions.invoke(FunctionName="fn")
    found = lines(client, "bad")
    assert (platform(found), levels(found)) == ([], [("ERROR", "bad")])
    assert update(FunctionName="fn", LoggingConfig={"LogFormat": "Text"})["LoggingConfig"] == {
        "LogFormat": "Text",
        "LogGroup": "/aws/lambda/fn",
    }


def test_the_errors_of_a_function_are_json_too(client: MakeClient) -> None:
    functions = client("lambda")
    source = "def handler(event, context):\n    raise ValueError('no')\n"
    create_function(functions, "fn", source, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})
    functions.invoke(FunctionName="fn")
    found = lines(client, "platform.report")
    [error] = [line for line in found if "errorType" in line]
    assert (error["level"], error["errorType"], error["errorMessage"]) == ("ERROR", "ValueError", "no")
    assert found[-1]["record"]["status"] == "error"


@pytest.mark.skipif(not (NODE_RUNTIME and shutil.which("node")), reason="no Node.js (Debian: apt-get install nodejs)")
def test_a_nodejs_function_has_the_level_too(client: MakeClient) -> None:
    create_function(
        client("lambda"),
        "fn",
        "",
        Runtime=NODE_RUNTIME,
        Handler="index.handler",
        Code={"ZipFile": package("", **{"index.js": NODE})},
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
    )
    client("lambda").invoke(FunctionName="fn")
    assert levels(lines(client, "bad")) == [("ERROR", "bad")]


def test_a_role_without_the_rights_has_no_log_until_it_gets_them(client: MakeClient) -> None:
    functions, logs = client("lambda"), client("logs")
    create_function(functions, "fn", PYTHON, Role=create_role(client))
    answer = functions.invoke(FunctionName="fn", LogType="Tail")
    assert (answer["StatusCode"], "FunctionError" in answer) == (200, False)
    assert b"plain" in base64.b64decode(answer["LogResult"])
    stored(client, "other")
    assert [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]] == ["/aws/lambda/other"]
    client("iam").attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    second = functions.invoke(FunctionName="fn")["ResponseMetadata"]["RequestId"]
    found = lines(client, f"REPORT RequestId: {second}")
    assert next(line for line in found if "RequestId" in line).startswith(f"START RequestId: {second}")
    client("iam").detach_role_policy(RoleName="worker", PolicyArn=BASIC)
    third = functions.invoke(FunctionName="fn")["ResponseMetadata"]["RequestId"]
    stored(client, "another")
    assert not any(third in line for line in lines(client, second))


def test_a_group_that_is_there_need_not_be_made(client: MakeClient) -> None:
    functions, logs = client("lambda"), client("logs")
    role = create_role(client, "logs:CreateLogStream", "logs:PutLogEvents")
    create_function(functions, "fn", PYTHON, Role=role)
    functions.invoke(FunctionName="fn")
    stored(client, "other")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.describe_log_streams(logGroupName="/aws/lambda/fn")
    logs.create_log_group(logGroupName="/aws/lambda/fn")
    functions.invoke(FunctionName="fn")
    assert "plain\n" in lines(client, "REPORT")


def test_a_role_that_may_make_streams_only_has_empty_ones(client: MakeClient) -> None:
    role = create_role(client, "logs:CreateLogGroup", "logs:CreateLogStream")
    create_function(client("lambda"), "fn", PYTHON, Role=role)
    client("lambda").invoke(FunctionName="fn")
    stored(client, "other")
    assert client("logs").filter_log_events(logGroupName="/aws/lambda/fn")["events"] == []
    assert len(client("logs").describe_log_streams(logGroupName="/aws/lambda/fn")["logStreams"]) == 1


@pytest.mark.parametrize("name", ["fn", "other"])
def test_rights_may_be_one_functions_own(client: MakeClient, account: str, name: str) -> None:
    condition = {"lambda:SourceFunctionArn": f"arn:aws:lambda:us-east-1:{account}:function:{name}"}
    create_function(client("lambda"), "fn", PYTHON, Role=create_role(client, "logs:*", ArnEquals=condition))
    client("lambda").invoke(FunctionName="fn")
    stored(client, "last")
    groups = [each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]]
    assert groups == (["/aws/lambda/fn", "/aws/lambda/last"] if name == "fn" else ["/aws/lambda/last"])


def test_a_role_that_is_made_anew_counts_at_once(client: MakeClient) -> None:
    functions, iam = client("lambda"), client("iam")
    create_function(functions, "fn", PYTHON, Role=create_role(client))
    functions.invoke(FunctionName="fn")
    iam.delete_role(RoleName="worker")
    create_role(client, "logs:*")
    functions.invoke(FunctionName="fn")
    assert "plain\n" in lines(client, "REPORT")
