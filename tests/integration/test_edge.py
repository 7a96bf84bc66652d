"""The edge over real HTTP. What is said of the protocols themselves stands in tests/oracles."""

import contextlib
import http.client
import json
import logging
import socket
import stat
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cloudlet.config import Config
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.iam.principals import RequestContext
from cloudlet.store.base import StoreFull
from tests.support.functions import create_function
from tests.support.nodes import MakeClient, NodeInThread, control

Answer = tuple[int, dict[str, str], bytes]


def exchange(
    endpoint: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request as it is, unsigned unless `headers` say otherwise."""
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def refusal(call: Callable[[], Any]) -> tuple[str, int, str]:
    """Code, status and message of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


@pytest.fixture
def root_keys(node: NodeInThread) -> tuple[str, str]:
    text = (node.config.data / "credentials").read_text().split()
    return text[text.index("aws_access_key_id") + 2], text[text.index("aws_secret_access_key") + 2]


@pytest.fixture
def handler(node: NodeInThread, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Puts another handler in the place of GetCallerIdentity's."""
    dispatcher = node.node.platform.calls
    assert isinstance(dispatcher, Dispatcher)

    def replace(with_handler: Callable[..., Any]) -> None:
        monkeypatch.setitem(dispatcher._handlers, ("sts", "GetCallerIdentity"), with_handler)

    return replace


def test_boto3_learns_who_it_is(client: MakeClient, account: str) -> None:
    identity = client("sts").get_caller_identity()
    assert identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:iam::{account}:root"


def test_the_root_key_is_checked(client: MakeClient, node: NodeInThread, root_keys: tuple[str, str]) -> None:
    assert client("sts", keys=root_keys).get_caller_identity()["Account"] == node.config.account
    code, status, _ = refusal(client("sts", keys=(root_keys[0], "wrong")).get_caller_identity)
    assert (code, status) == ("SignatureDoesNotMatch", 403)


def test_an_unknown_key_is_refused(client: MakeClient) -> None:
    keys = ("AKIAIOSFODNN7EXAMPLE", "wrong")
    assert refusal(client("sts", keys=keys).get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    assert refusal(client("lambda", keys=keys).list_functions)[:2] == ("UnrecognizedClientException", 403)


@pytest.mark.parametrize(
    ("service", "operation", "name"),
    [
        ("kinesis", "list_streams", "kinesis:ListStreams"),
        ("s3", "list_buckets", "s3:ListBuckets"),
        ("ec2", "describe_instances", "ec2:DescribeInstances"),
        ("rds", "describe_db_instances", "rds:DescribeDBInstances"),
        ("dynamodb", "list_tables", "dynamodb:ListTables"),
        ("eventbridgev2", "list_event_buses", "eventbridgev2:ListEventBuses"),
        ("apigateway", "get_rest_apis", "apigateway:GetRestApis"),
        ("route53", "list_hosted_zones", "route53:ListHostedZones"),
    ],
)
def test_what_is_not_there_says_so_in_the_services_protocol(
    client: MakeClient, service: str, operation: str, name: str
) -> None:
    code, status, message = refusal(getattr(client(service), operation))
    assert (code, status) == ("NotImplemented", 501)
    assert name in message


def test_every_answer_has_a_request_id(endpoint: str, client: MakeClient) -> None:
    assert client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"]
    for path in ("/_cloudlet/health", "/nonsense", "/_cloudlet/nonsense"):
        assert exchange(endpoint, "GET", path)[1]["x-amzn-requestid"]


def test_an_unexpected_error_is_a_500_with_an_id_and_a_line_in_the_log(
    client: MakeClient, handler: Callable[[Callable[..., Any]], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_context: RequestContext, _params: Any) -> Any:
        raise RuntimeError("a secret of the program")

    handler(broken)
    with caplog.at_level(logging.ERROR), pytest.raises(ClientError) as raised:
        client("sts").get_caller_identity()
    error = raised.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("InternalFailure", 500)
    assert "secret" not in str(error)
    record = next(record for record in caplog.records if record.name == "cloudlet.gateway.edge")
    assert record.__dict__["request_id"] == error["ResponseMetadata"]["RequestId"]
    assert record.__dict__["operation"] == "GetCallerIdentity"
    assert record.exc_info


def test_a_full_store_is_a_503_and_the_node_lives(
    client: MakeClient, handler: Callable[[Callable[..., Any]], None]
) -> None:
    async def full(_context: RequestContext, _params: Any) -> Any:
        raise StoreFull("disk full")

    handler(full)
    assert refusal(client("sts").get_caller_identity)[:2] == ("ServiceUnavailable", 503)
    assert client("iam").list_roles()["Roles"] == []


def test_a_body_that_is_too_large_is_refused_and_the_next_is_not(client: MakeClient, node: NodeInThread) -> None:
    functions = client("lambda")
    code, status, message = refusal(
        lambda: functions.create_function(
            FunctionName="large", Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": b"x" * 60_000_000}
        )
    )
    assert (code, status) == ("RequestEntityTooLargeException", 413)
    assert message == "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    assert functions.list_functions()["Functions"] == []


def test_bodies_have_the_platforms_limit_elsewhere(endpoint: str, node: NodeInThread) -> None:
    headers = {"X-Amz-Target": "Logs_20140328.PutLogEvents", "Expect": "100-continue"}
    headers["Content-Length"] = str(node.config.max_body_bytes + 1)
    status, answered, body = exchange(endpoint, "POST", "/", headers=headers)
    assert status == 413
    assert json.loads(body)["__type"] == "RequestEntityTooLargeException"
    assert answered["x-amzn-requestid"]


def test_a_body_that_is_no_json_is_a_serialization_error(client: MakeClient, endpoint: str, account: str) -> None:
    credential = f"Credential={account}/20260101/us-east-1/logs/aws4_request"
    headers = {
        "X-Amz-Target": "Logs_20140328.DescribeLogGroups",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    status, _, body = exchange(endpoint, "POST", "/", b'{"limit": ', headers)
    assert (status, json.loads(body)["__type"]) == (400, "SerializationException")


def test_an_unsigned_call_is_refused(endpoint: str) -> None:
    status, _, body = exchange(endpoint, "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15",
                               {"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
    assert (status, b"MissingAuthenticationToken" in body) == (403, True)


def test_head_has_no_body(endpoint: str) -> None:
    status, headers, body = exchange(endpoint, "HEAD", "/_cloudlet/health")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_a_page_of_another_site_cannot_call_the_api(endpoint: str) -> None:
    credential = "Credential=test/20260101/us-east-1/sts/aws4_request"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert exchange(endpoint, "POST", "/", form, headers)[0] == 200
    assert exchange(endpoint, "POST", "/", form, headers | {"Origin": "http://localhost:3000"})[0] == 200
    status, _, body = exchange(endpoint, "POST", "/", form, headers | {"Origin": "http://evil.example"})
    assert (status, b"another site" in body) == (403, True)
    assert exchange(endpoint, "POST", "/", form, headers | {"Host": "evil.example:4566"})[0] == 403


def test_a_page_of_this_machine_can_call_the_api(endpoint: str) -> None:
    """As in a browser: the question beforehand, then the call and its answer, or its error, which the page may read."""
    page = {"Origin": "http://localhost:3000"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-amz-date"}
    status, headers, body = exchange(endpoint, "OPTIONS", "/", None, page | asked)
    assert (status, body, headers["access-control-allow-origin"]) == (200, b"", "*")
    assert headers["access-control-allow-headers"] == "authorization,x-amz-date"
    assert "POST" in headers["access-control-allow-methods"]
    for action, expected in (("GetCallerIdentity", 200), ("Nothing", 400)):
        form = f"Action={action}&Version=2011-06-15".encode()
        credential = "Credential=test/20260101/us-east-1/sts/aws4_request"
        signed = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
        headers_sent = signed | {"Content-Type": "application/x-www-form-urlencoded"}
        status, headers, _ = exchange(endpoint, "POST", "/", form, headers_sent | page)
        assert (status, headers["access-control-allow-origin"]) == (expected, "*")
        assert "x-amzn-RequestId" in headers["access-control-expose-headers"]
        assert "access-control-allow-origin" not in exchange(endpoint, "POST", "/", form, headers_sent)[1]
    for method, more in (("OPTIONS", asked), ("POST", {})):
        status, headers, _ = exchange(endpoint, method, "/", None, {"Origin": "http://evil.example"} | more)
        assert (status >= 400, "access-control-allow-origin" in headers) == (True, False)
    assert exchange(endpoint, "OPTIONS", "/_cloudlet/status", None, page | asked)[0] == 405


def signed_url(action: str, account: str) -> str:
    """A path that has everything in it, also whose call it is: what a page may embed as an image."""
    credential = f"{account}%2F20260101%2Fus-east-1%2Fsqs%2Faws4_request"
    signature = "X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
    return f"/?{action}&Version=2012-11-05&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&{signature}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "0.0.0.0:4566"},
        {"Host": "evil.example:4566"},
        {"x-amz-sns-message-type": "Notification"},
        {"User-Agent": "cloudlet/0.1"},
    ],
)
def test_what_others_have_a_browser_or_the_node_send_is_no_call(
    endpoint: str, client: MakeClient, account: str, headers: dict[str, str]
) -> None:
    assert exchange(endpoint, "GET", signed_url("Action=CreateQueue&QueueName=own", account))[0] == 200
    path = signed_url("Action=CreateQueue&QueueName=others", account)
    assert exchange(endpoint, "GET", path, b"", headers)[0] == 403
    assert [url.rpartition("/")[2] for url in client("sqs").list_queues()["QueueUrls"]] == ["own"]


def test_a_functions_own_host_has_no_control_interface(endpoint: str, client: MakeClient) -> None:
    create_function(client("lambda"), "page", "def handler(event, context):\n    return event['rawPath']\n")
    everybody = {"FunctionName": "page", "Principal": "*"}
    client("lambda").add_permission(
        StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE", **everybody
    )
    client("lambda").add_permission(
        StatementId="function", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **everybody
    )
    url = client("lambda").create_function_url_config(FunctionName="page", AuthType="NONE")["FunctionUrl"]
    headers = {"Host": url.split("/")[2], "Content-Type": "application/json", "Origin": url.rstrip("/")}
    status, _, body = exchange(endpoint, "POST", "/_cloudlet/clock", b'{"advance_s": 0}', headers)
    assert (status, body) == (200, b'"/_cloudlet/clock"')
    headers["Host"] = endpoint.removeprefix("http://")
    assert exchange(endpoint, "POST", "/_cloudlet/clock", b'{"advance_s": 0}', headers)[0] == 403


def test_time_moves_for_all(endpoint: str, advance: Callable[[float], None]) -> None:
    before = control(endpoint, "clock")["now"]
    advance(86400)
    assert 86400 <= control(endpoint, "clock")["now"] - before < 86400 + 60


def test_the_status_says_what_runs(endpoint: str, store_kind: str) -> None:
    status = control(endpoint, "status")
    assert status["store"] == store_kind
    assert status["services"]["lambda"] > 20
    assert status["memory"]["node"] > 20e6


def test_the_data_folder_is_private(node: NodeInThread) -> None:
    assert stat.S_IMODE(node.config.data.stat().st_mode) == 0o700
    for name in ("credentials", "node.json"):
        assert stat.S_IMODE((node.config.data / name).stat().st_mode) == 0o600


@pytest.fixture
def sandboxed(node: NodeInThread) -> Iterator[str]:
    """The address of a socket such as a sandbox's function finds at AWS_ENDPOINT_URL."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    close = node.call(node.node._serve_platform(sock))
    yield address

    async def end() -> None:
        close()

    node.call(end())


def test_a_function_cannot_control_the_node(sandboxed: str) -> None:
    json_type = {"Content-Type": "application/json"}
    for method, command in (("GET", "health"), ("GET", "status"), ("POST", "clock"), ("POST", "reset")):
        status, _, _ = exchange(sandboxed, method, f"/_cloudlet/{command}", b'{"advance_s": 1}', json_type)
        assert status == 403


def test_dev_keys_mean_nothing_to_a_function(
    sandboxed: str, clients: Any, root_keys: tuple[str, str], account: str
) -> None:
    for keys in (("test", "test"), (account, "test")):
        assert refusal(clients.make(sandboxed, "sts", keys=keys).get_caller_identity)[0] == "InvalidClientTokenId"
    assert clients.make(sandboxed, "sts", keys=root_keys).get_caller_identity()["Account"]


def test_a_name_with_a_nul_is_the_callers_fault(client: MakeClient) -> None:
    for name in ("\0", "a\0b"):
        code, status, text = refusal(lambda name=name: client("sqs").get_queue_url(QueueName=name))  # type: ignore[misc]
        assert (code, status) == ("ValidationException", 400)
        assert "NUL" in text


def test_dev_keys_open_no_function_url_to_a_function(endpoint: str, sandboxed: str, clients: Any, account: str) -> None:
    functions = clients.make(endpoint, "lambda")
    create_function(functions, "guarded", "def handler(event, context):\n    return 'in'\n")
    url = functions.create_function_url_config(FunctionName="guarded", AuthType="AWS_IAM")["FunctionUrl"]
    host = url.split("/")[2]
    request = AWSRequest("GET", f"http://{host}/")
    SigV4Auth(Credentials(account, "test"), "lambda", "us-east-1").add_auth(request)
    headers = {**dict(request.headers.items()), "Host": host}
    assert exchange(endpoint, "GET", "/", b"", headers)[0] == 200
    assert exchange(sandboxed, "GET", "/", b"", headers)[0] == 403
    functions.delete_function(FunctionName="guarded")


def test_a_reset_empties_a_node_and_leaves_keys_and_time(
    store_url_factory: Callable[[], str], tmp_path: Any, clients: Any
) -> None:
    config = Config(port=0, data=tmp_path / "data", store=store_url_factory())
    node = NodeInThread(config)
    node.start()
    try:
        credentials = (config.data / "credentials").read_bytes()
        logs = clients.make(node.endpoint, "logs")
        logs.create_log_group(logGroupName="group")
        control(node.endpoint, "clock", {"advance_s": 1000})
        control(node.endpoint, "reset", {})
        assert logs.describe_log_groups()["logGroups"] == []
    finally:
        node.stop()
    node = NodeInThread(config)
    node.start()
    try:
        assert control(node.endpoint, "clock")["offset_s"] > 999
        assert (config.data / "credentials").read_bytes() == credentials
    finally:
        node.stop()


def test_enforced_mode_knows_real_keys_only(store_url_factory: Callable[[], str], tmp_path: Any, clients: Any) -> None:
    node = NodeInThread(Config(port=0, data=tmp_path / "data", store=store_url_factory(), auth="enforced"))
    node.start()
    try:
        for keys in (("test", "test"), ("123456789012", "test")):
            refused = refusal(clients.make(node.endpoint, "sts", keys=keys).get_caller_identity)
            assert refused[0] == "InvalidClientTokenId"
        for command, body in (("status", None), ("reset", {}), ("clock", {"advance_s": 1})):
            with pytest.raises(OSError, match="403"):
                control(node.endpoint, command, body)
    finally:
        node.stop()


def test_many_connections_at_once(endpoint: str) -> None:
    where = urlsplit(endpoint)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection((where.hostname, where.port))) for _ in range(300)]
        for connection in connections:
            connection.sendall(b"GET /_cloudlet/health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert all(connection.recv(65536).startswith(b"HTTP/1.1 200 ") for connection in connections)
