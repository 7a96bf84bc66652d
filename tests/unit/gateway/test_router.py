from urllib.parse import urlencode

import pytest

from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.gateway.router import Destination, Form, Router, host_labels, scope_service
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.model import ServiceModels
from cloudlet.wire.service_index import ServiceIndex

FORM = "application/x-www-form-urlencoded; charset=utf-8"
IMPLEMENTED = ("sts", "iam", "lambda", "logs")


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(ServiceModels(), ServiceIndex(), IMPLEMENTED)


def request(
    method: str = "POST", path: str = "/", query: str = "", scope: str = "", body: bytes = b"", **headers: str
) -> HttpRequest:
    """Header names are given with underscores; `scope` is the service that the request is signed for."""
    named = {"host": "localhost:4566"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if scope:
        named["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{scope}/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=0"
        )
    return HttpRequest(method, path, query, named, body)


def destination_of(router: Router, sent: HttpRequest) -> Destination:
    route = router.route(sent)
    return router.route_form(route, sent.body) if isinstance(route, Form) else route


def found(router: Router, sent: HttpRequest) -> tuple[str, str, str]:
    destination = destination_of(router, sent)
    return destination.service, destination.operation, destination.protocol


@pytest.mark.parametrize("scope", ["dynamodb", "", "nonsense", "sqs"])
def test_a_target_header_is_enough(router: Router, scope: str) -> None:
    sent = request(scope=scope, x_amz_target="DynamoDB_20120810.ListTables")
    assert found(router, sent) == ("dynamodb", "ListTables", "json")


def test_a_target_with_an_odd_prefix_goes_by_the_scope(router: Router) -> None:
    assert found(router, request(scope="logs", x_amz_target="Logs.DescribeLogGroups"))[:2] == (
        "logs",
        "DescribeLogGroups",
    )


def test_a_signed_form_goes_by_scope_and_action(router: Router) -> None:
    body = urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}).encode()
    assert found(router, request(scope="sts", body=body, content_type=FORM)) == ("sts", "GetCallerIdentity", "query")


def test_an_unsigned_form_goes_by_action_and_version(router: Router) -> None:
    body = urlencode({"Version": "2010-05-08", "Action": "ListRoles"}).encode()
    assert found(router, request(body=body, content_type=FORM)) == ("iam", "ListRoles", "query")


def test_an_action_may_stand_in_the_query(router: Router) -> None:
    sent = request("GET", query="Action=GetCallerIdentity&Version=2011-06-15")
    assert found(router, sent) == ("sts", "GetCallerIdentity", "query")


def test_a_presigned_query_names_its_service(router: Router) -> None:
    credential = "X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"
    sent = request("GET", query=f"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=A&{credential}")
    assert scope_service(sent) == "sts"
    assert found(router, sent)[:2] == ("sts", "GetCallerIdentity")


def test_services_that_share_a_signing_name_are_told_apart_by_the_action(router: Router) -> None:
    body = b"Action=DescribeLoadBalancers&Version=2015-12-01"
    assert found(router, request(scope="elasticloadbalancing", body=body, content_type=FORM))[0] in ("elb", "elbv2")
    body = b"Action=DescribeTargetGroups&Version=2015-12-01"
    assert found(router, request(scope="elasticloadbalancing", body=body, content_type=FORM))[0] == "elbv2"


@pytest.mark.parametrize("scope", ["lambda", "", "nonsense"])
def test_a_rest_path_finds_its_operation(router: Router, scope: str) -> None:
    sent = request("POST", "/2015-03-31/functions/arn%3Aaws%3Ax/invocations", scope=scope)
    destination = router.route(sent)
    assert isinstance(destination, Destination)
    assert (destination.service, destination.operation) == ("lambda", "Invoke")
    assert destination.labels == {"FunctionName": "arn:aws:x"}


def test_curls_content_type_does_not_make_a_rest_call_a_form(router: Router) -> None:
    path = "/2015-03-31/functions/hello/invocations"
    for scope in ("lambda", ""):
        sent = request("POST", path, scope=scope, body=b"{}", content_type=FORM)
        assert found(router, sent)[:2] == ("lambda", "Invoke")


def test_rpc_paths_name_service_and_operation(router: Router) -> None:
    sent = request(path="/service/GraniteServiceVersion20100801/operation/ListMetrics", smithy_protocol="rpc-v2-cbor")
    assert found(router, sent) == ("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor")


@pytest.mark.parametrize(
    "host",
    ["lambda.us-east-1.amazonaws.com", "lambda.eu-west-1.localhost.localstack.cloud:4566", "lambda.localhost:4566"],
)
def test_a_host_may_name_the_service(router: Router, host: str) -> None:
    sent = request("GET", "/2015-03-31/functions", host=host)
    assert found(router, sent)[:2] == ("lambda", "ListFunctions")


@pytest.mark.parametrize("host", ["localhost", "anything.localhost:4566", "127.0.0.1:4566", "[::1]:4566"])
def test_other_hosts_do_not_matter(router: Router, host: str) -> None:
    sent = request("GET", "/2015-03-31/functions", scope="lambda", host=host)
    assert found(router, sent)[:2] == ("lambda", "ListFunctions")


def test_addresses_have_no_labels() -> None:
    assert host_labels(request(host="127.0.0.1:4566")) == ()
    assert host_labels(request(host="sts.localhost:4566")) == ("sts", "localhost")


@pytest.mark.parametrize(
    ("sent", "code", "status"),
    [
        (request(scope="dynamodb", x_amz_target="DynamoDB_20120810.Nonsense"), "UnknownOperationException", 400),
        (request(x_amz_target="Nonsense.Nonsense"), "UnknownOperationException", 400),
        (request(scope="sts", body=b"Action=Nonsense&Version=2011-06-15", content_type=FORM), "InvalidAction", 400),
        (request(scope="sts", body=b"Version=2011-06-15", content_type=FORM), "MissingAction", 400),
        (request("GET", "/nonsense", scope="lambda"), "UnknownOperationException", 404),
        (request("GET", "/nonsense"), "UnknownOperationException", 404),
        (request("DELETE", "/"), "UnknownOperationException", 404),
    ],
)
def test_what_does_not_exist_is_refused(router: Router, sent: HttpRequest, code: str, status: int) -> None:
    with pytest.raises(ServiceError) as raised:
        found(router, sent)
    assert raised.value.code == code
    answer = router.encode_error(sent, None, raised.value, "the-id")
    assert answer.status == status
    assert code in f"{answer.headers} {answer.body!r}"


async def test_reserved_hosts_go_to_their_handler() -> None:
    router = Router(ServiceModels(), ServiceIndex(), IMPLEMENTED)
    sent = request("GET", "/any", host="abc.lambda-url.us-east-1.localhost:4566")
    with pytest.raises(OperationNotImplemented, match="lambda-url"):
        router.host_handler(sent)

    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200)

    router.add_host("lambda-url", handler)
    assert router.host_handler(sent) is handler
    assert router.host_handler(request(host="lambda.us-east-1.amazonaws.com")) is None
    with pytest.raises(ValueError, match="nonsense"):
        router.add_host("nonsense", handler)


def test_errors_are_in_the_protocol_of_the_request(router: Router) -> None:
    error = OperationNotImplemented("sqs:SendMessage is not implemented by Cloudlet.")
    sent = request(scope="sqs", x_amz_target="AmazonSQS.SendMessage")
    answer = router.encode_error(sent, destination_of(router, sent), error, "the-id")
    assert (answer.status, b'#NotImplemented"' in bytes(answer.body)) == (501, True)  # type: ignore[arg-type]
    sent = request(scope="iam", body=b"Action=ListRoles", content_type=FORM)
    answer = router.encode_error(sent, destination_of(router, sent), error, "the-id")
    assert (answer.status, b"<Code>NotImplemented</Code>" in bytes(answer.body)) == (501, True)  # type: ignore[arg-type]
