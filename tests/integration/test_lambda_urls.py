"""Function URLs: who may call, what the function sees, what the client gets."""

import http.client
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient

ECHO = """
import json, base64
def handler(event, context):
    asked = event.get("queryStringParameters") or {}
    if asked.get("fail"):
        raise ValueError("no")
    if "raw" in asked:
        return json.loads(asked["raw"])
    return {"statusCode": 201, "headers": {"X-Own": "1"}, "cookies": ["a=1", "b=2"], "body": json.dumps(event)}
"""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    all_headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    endpoint: str, url: str, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: Any
) -> Answer:
    """Ask at a function URL, whose name need not resolve here."""
    host = url.split("/")[2]
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Host": host, **named})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.getheaders(), content)


def allow(aws: Any, auth_type: str = "NONE", principal: str = "*", **params: Any) -> None:
    aws.add_permission(
        FunctionName="fn", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal=principal,
        FunctionUrlAuthType=auth_type, **params,
    )  # fmt: skip
    aws.add_permission(
        FunctionName="fn", StatementId="via", Action="lambda:InvokeFunction", Principal=principal,
        InvokedViaFunctionUrl=True, **params,
    )  # fmt: skip


def url_of(aws: Any, **params: Any) -> str:
    create_function(aws, "fn", ECHO)
    return str(aws.create_function_url_config(FunctionName="fn", **{"AuthType": "NONE", **params})["FunctionUrl"])


def test_the_function_sees_the_request_and_the_client_its_answer(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    path = "/some/p%20th?a=1&a=2&b="
    answer = ask(
        endpoint, url, path, "POST", b'{"x": 1}', Content_Type="application/json", Cookie="c=1; d=2", X_Two="z"
    )
    assert (answer.status, answer.headers["x-own"]) == (201, "1")
    assert [value for name, value in answer.all_headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]
    event = answer.json
    assert event["version"] == "2.0"
    # As sent: unlike an HTTP API of API Gateway, a function URL decodes no path.
    assert (event["rawPath"], event["rawQueryString"]) == ("/some/p%20th", "a=1&a=2&b=")
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-two"] == "z"
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"x": 1}', False)
    context = event["requestContext"]
    assert (context["http"]["method"], context["http"]["path"]) == ("POST", "/some/p%20th")
    assert context["accountId"] == "anonymous"
    assert context["domainPrefix"] == url.split("/")[2].split(".")[0]
    assert context["requestId"] == answer.headers["x-amzn-requestid"]


def test_a_body_that_is_no_text_is_base64(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    event = ask(endpoint, url, "/", "PUT", b"\x00\xff", Content_Type="application/octet-stream").json
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    event = ask(endpoint, url, "/", "PUT", b"a=b").json  # nobody says that it is a text
    assert (event["body"], event["isBase64Encoded"]) == ("YT1i", True)


def test_what_is_of_the_connection_is_not_in_the_event(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    headers = ask(endpoint, url, Connection="keep-alive", Keep_Alive="timeout=5", X_Forwarded_For="192.0.2.1").json[
        "headers"
    ]
    assert not {"connection", "keep-alive"} & set(headers)
    assert headers["x-forwarded-for"] == "127.0.0.1"


def test_cookies_may_come_in_several_headers(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"))
    connection.putrequest("GET", "/", skip_host=True)
    for name, value in (("Host", url.split("/")[2]), ("Cookie", "a=1; b=2"), ("Cookie", "c=3,4")):
        connection.putheader(name, value)
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    connection.close()
    assert event["cookies"] == ["a=1", "b=2", "c=3,4"]


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        ('{"a": 1}', 200, b'{"a": 1}'),
        ('"text"', 200, b'"text"'),
        ("null", 200, b"null"),
        ('{"statusCode": 204}', 204, b""),
        ('{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true}', 200, b"hi"),
        ('{"statusCode": "x"}', 502, b"Internal Server Error"),
        ('{"statusCode": 100}', 502, b"Internal Server Error"),  # no client takes that for an answer
        ('{"statusCode": 101}', 502, b"Internal Server Error"),
        ('{"statusCode": 200, "headers": {"a b": "c"}}', 502, b"Internal Server Error"),
    ],
)
def test_what_a_function_returns(client: MakeClient, endpoint: str, raw: str, status: int, body: bytes) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    answer = ask(endpoint, url, "/?raw=" + raw.replace(" ", "%20").replace('"', "%22"))
    assert (answer.status, answer.body) == (status, body)


def test_a_function_does_not_choose_its_request_id(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    raw = '{"statusCode":200,"headers":{"X-Amzn-RequestId":"mine"}}'.replace('"', "%22")
    ids = [
        value for name, value in ask(endpoint, url, f"/?raw={raw}").all_headers if name.lower() == "x-amzn-requestid"
    ]
    assert len(ids) == 1
    assert ids != ["mine"]


def test_an_error_of_the_function_is_a_502(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    assert (ask(endpoint, url, "/?fail=1").status, ask(endpoint, url, "/?fail=1").body) == (
        502,
        b"Internal Server Error",
    )


def test_nobody_may_call_without_a_permission(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    refused = ask(endpoint, url)
    assert refused.status == 403
    assert refused.json["Message"].startswith("Forbidden.")
    aws.add_permission(
        FunctionName="fn", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE",
    )  # fmt: skip
    assert ask(endpoint, url).status == 403  # since October 2025 AWS asks for lambda:InvokeFunction too
    aws.add_permission(
        FunctionName="fn", StatementId="via", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True
    )
    assert ask(endpoint, url).status == 201


def test_iam_wants_a_signature_and_a_policy(client: MakeClient, endpoint: str) -> None:
    aws, iam = client("lambda"), client("iam")
    url = url_of(aws, AuthType="AWS_IAM")
    allow(aws)  # for others than these
    assert ask(endpoint, url).status == 403
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]

    def signed() -> Answer:
        request = AWSRequest("GET", url)
        SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"]), "lambda", "us-east-1").add_auth(request)
        headers: dict[str, Any] = {name.replace("-", "_"): value for name, value in request.headers.items()}
        return ask(endpoint, url, **headers)

    assert signed().status == 403
    actions = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    statements = [
        {"Effect": "Allow", "Action": actions[0], "Resource": "*", "Condition": condition},
        {"Effect": "Allow", "Action": actions[1], "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    answer = signed()
    assert answer.status == 201
    assert answer.json["requestContext"]["authorizer"]["iam"]["userArn"].endswith(":user/u")
    broken: dict[str, Any] = {"Authorization": "AWS4-HMAC-SHA256 Credential=nobody"}
    assert ask(endpoint, url, **broken).status == 403


def test_cors_is_the_configurations(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    cors = {"AllowOrigins": ["https://*.example.com"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "MaxAge": 60}
    url = url_of(aws, Cors=cors)
    allow(aws)
    page = "https://app.example.com"
    asked = ask(endpoint, url, "/", "OPTIONS", Origin=page, Access_Control_Request_Method="GET")
    assert asked.status == 200
    assert [value for name, value in asked.all_headers if name.lower() == "content-length"] == ["0"]
    assert asked.headers["access-control-allow-origin"] == page
    assert asked.headers["access-control-allow-methods"] == "GET"
    assert asked.headers["access-control-max-age"] == "60"
    assert ask(endpoint, url, Origin=page).headers["access-control-allow-origin"] == page
    assert "access-control-allow-origin" not in ask(endpoint, url, Origin="https://example.org").headers
    assert aws.get_function_url_config(FunctionName="fn")["Cors"] == cors


def test_an_alias_has_a_url_of_its_own(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    create_function(aws, "fn", ECHO)
    aws.create_alias(FunctionName="fn", Name="live", FunctionVersion="$LATEST")
    made = aws.create_function_url_config(FunctionName="fn", Qualifier="live", AuthType="NONE")
    assert made["FunctionArn"].endswith(":fn:live")
    allow(aws, Qualifier="live")
    assert ask(endpoint, made["FunctionUrl"]).status == 201
    assert len(aws.list_function_url_configs(FunctionName="fn")["FunctionUrlConfigs"]) == 1
    aws.delete_alias(FunctionName="fn", Name="live")
    assert ask(endpoint, made["FunctionUrl"]).status == 404
    with pytest.raises(ClientError, match="Cannot find alias"):
        aws.create_function_url_config(FunctionName="fn", Qualifier="nobody", AuthType="NONE")


def test_a_url_ends_with_its_configuration(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    aws.delete_function_url_config(FunctionName="fn")
    answer = ask(endpoint, url)
    assert (answer.status, answer.json) == (404, {"Message": None})


def test_a_throttled_function_is_a_429(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    url = url_of(aws)
    allow(aws)
    aws.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    assert ask(endpoint, url).status == 429


def bootstrap(source: str) -> bytes:
    """A package of a runtime of its own."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, source)
    return code.getvalue()


STREAMS = """#!/usr/bin/env python3
import json, os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
base = "/2018-06-01/runtime/invocation/"
while True:
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"GET {base}next HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n".encode())
    reader = connection.makefile("rb")
    lines = [line.decode().strip().lower() for line in iter(reader.readline, b"\\r\\n")]
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    event = json.loads(reader.read(int(headers["content-length"])))
    request = headers["lambda-runtime-aws-request-id"]
    connection = socket.create_connection((host, int(port)))
    connection.sendall((f"POST {base}{request}/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
        "Content-Type: application/vnd.awslambda.http-integration-response\\r\\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n\\r\\n").encode())
    prelude = json.dumps({"statusCode": 418, "headers": {"X-Own": "2"}, "cookies": ["a=1"]}).encode()
    for part in (prelude, bytes(4), bytes(4) + b"first ", b"second"):
        connection.sendall(b"%x\\r\\n" % len(part) + part + b"\\r\\n")
    connection.sendall(b"0\\r\\n\\r\\n")
    connection.recv(4096)
"""


ENDS_IN_ERROR = (
    "    connection.sendall(b'0\\r\\nLambda-Runtime-Function-Error-Type: Some.Error\\r\\n\\r\\n'); continue\n"
)
FAILS = STREAMS.replace("    prelude = ", f"{ENDS_IN_ERROR}    prelude = ").replace(
    "application/vnd.awslambda.http-integration-response", "text/plain"
)


def test_a_stream_that_fails_before_its_first_byte_is_a_502(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    create_function(aws, "fn", "", Runtime="provided.al2023", Code={"ZipFile": bootstrap(FAILS)})
    made = aws.create_function_url_config(FunctionName="fn", AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    allow(aws)
    answer = ask(endpoint, made["FunctionUrl"])
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_a_streamed_response_has_its_own_head(client: MakeClient, endpoint: str) -> None:
    aws = client("lambda")
    create_function(aws, "fn", "", Runtime="provided.al2023", Code={"ZipFile": bootstrap(STREAMS)})
    made = aws.create_function_url_config(FunctionName="fn", AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    allow(aws)
    answer = ask(endpoint, made["FunctionUrl"])
    assert (answer.status, answer.headers["x-own"], answer.body) == (418, "2", b"first second")
    assert answer.headers["set-cookie"] == "a=1"
    assert answer.headers["transfer-encoding"] == "chunked"
