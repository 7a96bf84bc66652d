"""Invocations over HTTP, by boto3."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient, NodeInThread, fresh_account

SOON = {"Delay": 0.02, "MaxAttempts": 3000}


@pytest.fixture
def functions(client: MakeClient) -> Any:
    return client("lambda")


@pytest.fixture
def create(functions: Any, account: str) -> Callable[..., Any]:
    """`create(body)` makes the function `fn` whose handler has this body."""

    def make(body: str, before: str = "", **params: Any) -> Any:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            lines = "\n".join(f"    {line}" for line in body.splitlines())
            archive.writestr("index.py", f"{before}\ndef handler(event, context):\n{lines}\n")
        given = {
            "FunctionName": "fn",
            "Role": f"arn:aws:iam::{account}:role/any",
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Code": {"ZipFile": buffer.getvalue()},
            "Timeout": 10,
            **params,
        }
        made = functions.create_function(**given)
        functions.get_waiter("function_active_v2").wait(FunctionName=given["FunctionName"], WaiterConfig=SOON)
        return made

    return make


@pytest.fixture
def log_lines(node: NodeInThread, client: MakeClient) -> Callable[[], list[str]]:
    """The lines in the log of `fn`, once all that was written is stored."""

    def read() -> list[str]:
        node.call(node.node._function_logs.flush())
        events = client("logs").filter_log_events(logGroupName="/aws/lambda/fn")["events"]
        return [event["message"] for event in events]

    return read


def test_the_context_is_what_aws_gives(functions: Any, create: Callable[..., Any], account: str) -> None:
    create(
        "return {key: str(getattr(context, key)) for key in ('function_name', 'function_version', 'aws_request_id',"
        " 'invoked_function_arn', 'memory_limit_in_mb', 'log_group_name')} | {'custom': context.client_context.custom}"
    )
    client_context = base64.b64encode(json.dumps({"custom": {"foo": "bar"}}).encode()).decode()
    answer = functions.invoke(FunctionName="fn", ClientContext=client_context, Qualifier="$LATEST")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"
    assert json.load(answer["Payload"]) == {
        "function_name": "fn",
        "function_version": "$LATEST",
        "aws_request_id": answer["ResponseMetadata"]["RequestId"],
        "invoked_function_arn": f"arn:aws:lambda:us-east-1:{account}:function:fn:$LATEST",
        "memory_limit_in_mb": "128",
        "log_group_name": "/aws/lambda/fn",
        "custom": {"foo": "bar"},
    }


def test_an_unhandled_error_is_told_as_on_aws(functions: Any, create: Callable[..., Any]) -> None:
    create("raise ValueError('wrong')")
    answer = functions.invoke(FunctionName="fn")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = json.load(answer["Payload"])
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "wrong")
    assert "index.py" in error["stackTrace"][0]


def test_lines_are_in_the_tail_and_in_cloudwatch(
    functions: Any, create: Callable[..., Any], log_lines: Callable[[], list[str]]
) -> None:
    create("print('one')\nprint('two')")
    answer = functions.invoke(FunctionName="fn", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request_id} Version: $LATEST\none\ntwo\nEND RequestId: {request_id}\nREPORT" in tail
    kept = [line.rstrip("\n") for line in log_lines() if not line.startswith(("INIT_START", "REPORT"))]
    assert kept == [
        f"START RequestId: {request_id} Version: $LATEST",
        "one",
        "two",
        f"END RequestId: {request_id}",
    ]


def test_an_event_runs_and_is_tried_three_times_with_one_request_id(
    functions: Any,
    create: Callable[..., Any],
    node: NodeInThread,
    log_lines: Callable[[], list[str]],
    advance: Callable[[float], None],
) -> None:
    create("print('try of', context.aws_request_id)\nraise ValueError")
    answer = functions.invoke(FunctionName="fn", InvocationType="Event", Payload=b"{}")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    for after_s in (61, 121, 241):
        node.call(node.node._engine.idle())
        advance(after_s)
    node.call(node.node._engine.idle())
    tries = [line.strip() for line in log_lines() if line.startswith("try of")]
    assert tries == [f"try of {answer['ResponseMetadata']['RequestId']}"] * 3


def test_reserved_concurrency_is_a_limit_and_its_error_is_awss(functions: Any, create: Callable[..., Any]) -> None:
    create("return 1")
    functions.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException) as caught:
        functions.invoke(FunctionName="fn")
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    functions.delete_function_concurrency(FunctionName="fn")
    assert functions.invoke(FunctionName="fn")["StatusCode"] == 200


def test_a_function_calls_the_platform_with_its_own_role(
    functions: Any, create: Callable[..., Any], account: str
) -> None:
    create(
        "answer = boto3.client('sts').get_caller_identity()\n"
        "boto3.client('lambda').invoke(FunctionName='fn', InvocationType='DryRun')\n"
        "return answer['Arn']",
        before="import boto3",
    )
    assert json.load(functions.invoke(FunctionName="fn")["Payload"]) == f"arn:aws:sts::{account}:assumed-role/any/fn"


def test_a_function_calls_itself_while_it_runs(functions: Any, create: Callable[..., Any]) -> None:
    create(
        "if event['depth'] == 0:\n    return 0\n"
        "inner = boto3.client('lambda').invoke(FunctionName='fn', Payload=json.dumps({'depth': event['depth'] - 1}))\n"
        "return 1 + json.load(inner['Payload'])",
        before="import boto3, json",
    )
    assert json.load(functions.invoke(FunctionName="fn", Payload=b'{"depth": 3}')["Payload"]) == 3


def test_a_role_that_does_not_trust_lambda_is_refused(client: MakeClient, create: Callable[..., Any]) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    client("iam").create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps(trust))
    with pytest.raises(ClientError, match="The role defined for the function cannot be assumed by Lambda"):
        create("return 1")


def test_a_payload_over_6_mb_is_refused(functions: Any, create: Callable[..., Any]) -> None:
    create("return len(event)")
    fits = json.dumps("x" * (6 * 1024 * 1024 - 2)).encode()
    assert json.load(functions.invoke(FunctionName="fn", Payload=fits)["Payload"]) == len(fits) - 2
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName="fn", Payload=fits + b" ")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"] == {
        "Code": "RequestEntityTooLargeException",
        "Message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    }


def test_a_function_of_another_account_is_invoked_where_its_policy_lets_the_caller(client: MakeClient) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html#permissions-resource-xaccountinvoke"""
    caller, other = client("sts").get_caller_identity()["Account"], fresh_account()
    theirs, ours, iam = client("lambda", account=other), client("lambda"), client("iam")
    arn = create_function(theirs, "fn", "def handler(event, context):\n    return context.invoked_function_arn\n")[
        "FunctionArn"
    ]
    create_function(ours, "fn", "def handler(event, context):\n    return 'ours'\n")
    iam.create_user(UserName="user")
    key = iam.create_access_key(UserName="user")["AccessKey"]
    user = client("lambda", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    names = (arn, f"{other}:fn", f"{other}:function:fn", f"arn:aws:lambda:us-east-1:{other}:fn")

    def answers(by: Any) -> set[str]:
        found = set()
        for name in names:
            try:
                found.add(json.loads(by.invoke(FunctionName=name)["Payload"].read()))
            except ClientError as error:
                found.add(error.response["Error"]["Code"])
        return found

    assert answers(ours) == answers(user) == {"AccessDeniedException"}
    theirs.add_permission(
        FunctionName="fn", StatementId="s", Action="lambda:InvokeFunction", Principal=f"arn:aws:iam::{caller}:root"
    )
    assert answers(ours) == {arn}
    assert answers(user) == {"AccessDeniedException"}
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="user", PolicyName="p", PolicyDocument=document)
    assert answers(user) == {arn}
    assert user.invoke(FunctionName=arn, InvocationType="Event")["StatusCode"] == 202
    for call in (ours.get_function, ours.delete_function):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            call(FunctionName=arn)
