import re
from typing import Any

import pytest

from cloudlet.errors import InternalFailure, OperationNotImplemented, ServiceError
from cloudlet.wire.model import ServiceModels, Target
from cloudlet.wire.protocols import DIALECTS, encode_error
from tests.support.wire import decode, encode, request, service, structure

MODELS = ServiceModels()
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def test_an_unknown_service_or_operation_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        MODELS.service("nothing")
    with pytest.raises(KeyError):
        MODELS.service("sts").operation("Nothing")
    with pytest.raises(KeyError):
        MODELS.service("sts").compile("json", "AssumeRole")


def test_a_service_is_loaded_once_and_an_operation_compiled_once() -> None:
    assert MODELS.service("sts") is MODELS.service("sts")
    assert MODELS.service("sts").operation("AssumeRole") is MODELS.service("sts").operation("AssumeRole")


def test_a_service_says_what_it_is_called_on_the_wire() -> None:
    logs = MODELS.service("logs")
    assert logs.signing_name == "logs"
    assert logs.protocols == ("json",)
    assert "PutLogEvents" in logs.operation_names
    assert MODELS.service("cloudwatch").signing_name == "monitoring"


@pytest.mark.parametrize(
    ("name", "given", "target"),
    [
        ("sqs", request(x_amz_target="AmazonSQS.SendMessage"), Target("json", "SendMessage", {})),
        ("sqs", request("Action=SendMessage&X=1", content_type=FORM), Target("query", "SendMessage", {})),
        ("sqs", request(method="GET", path="/1/q?X=1&Action=SendMessage"), Target("query", "SendMessage", {})),
        ("sqs", request(content_type="application/x-amz-json-1.0"), None),
        ("sts", request("Version=1&Action=Get%43allerIdentity"), Target("query", "GetCallerIdentity", {})),
        ("sts", request("NoAction=1"), None),
        ("ec2", request("Action=RunInstances"), Target("ec2", "RunInstances", {})),
        (
            "cloudwatch",
            request(
                path="/service/GraniteServiceVersion20100801/operation/PutMetricData", smithy_protocol="rpc-v2-cbor"
            ),
            Target("smithy-rpc-v2-cbor", "PutMetricData", {}),
        ),
        (
            "cloudwatch",
            request(x_amz_target="GraniteServiceVersion20100801.ListMetrics"),
            Target("json", "ListMetrics", {}),
        ),
        ("cloudwatch", request("Action=ListMetrics", content_type=FORM), Target("query", "ListMetrics", {})),
        ("cloudwatch", request(), None),
        (
            "lambda",
            request(method="GET", path="/2015-03-31/functions/f"),
            Target("rest-json", "GetFunction", {"FunctionName": "f"}),
        ),
        ("lambda", request(path="/nowhere"), None),
    ],
)
def test_a_request_shows_its_protocol_and_operation(name: str, given: Any, target: Target | None) -> None:
    assert MODELS.service(name).target(given) == target


def test_response_metadata_goes_beyond_the_model() -> None:
    model = service(output_shape=structure(Text="String"))
    response = encode(
        model, {"Text": "t", "ResponseMetadata": {"HTTPStatusCode": 202, "HTTPHeaders": {"x-more": "yes"}}}
    )
    assert (response.status, response.headers["x-more"], response.body) == (202, "yes", b'{"Text":"t"}')


@pytest.mark.parametrize("protocol", ["json", "rest-json", "query", "rest-xml", "smithy-rpc-v2-cbor"])
def test_a_result_that_the_model_does_not_have_is_a_mistake(protocol: str) -> None:
    model = service(protocol, output_shape=structure(Text="String"))
    with pytest.raises(LookupError, match="ActOutput has no member Txet"):
        encode(model, {"Txet": "t"})
    with pytest.raises(TypeError):
        encode(model, {"Text": 1})


def test_an_answer_to_head_has_no_body() -> None:
    model = service("rest-json", http={"method": "HEAD", "requestUri": "/"})
    assert model.operation("Act").encode_error("rest-json", InternalFailure("text"), "id").body == b""


@pytest.mark.parametrize("protocol", DIALECTS)
def test_an_error_can_be_said_where_the_service_is_not_known(protocol: str) -> None:
    response = encode_error(protocol, OperationNotImplemented("not here"), "request-id")
    assert response.status == 501
    assert isinstance(response.body, bytes)
    assert b"NotImplemented" in response.body or response.headers["x-amzn-ErrorType"] == "NotImplemented"
    assert b"not here" in response.body


@pytest.mark.parametrize("protocol", DIALECTS)
def test_every_answer_carries_the_request_id(protocol: str) -> None:
    model = service(protocol, output_shape=structure())
    assert encode(model, {}).headers["x-amzn-RequestId"] == "request-id"
    assert model.encode_error(protocol, ServiceError(), "request-id").headers["x-amzn-RequestId"] == "request-id"


def test_a_structure_that_contains_itself_is_compiled_once() -> None:
    trees = {"type": "list", "member": {"shape": "Tree"}}
    shapes: dict[str, Any] = {"Tree": structure(Name="String", Children="Trees"), "Trees": trees}
    model = service(input_shape=structure(Tree="Tree"), output_shape=structure(Tree="Tree"), **shapes)
    tree = {"Name": "a", "Children": [{"Name": "b", "Children": []}]}
    response = encode(model, {"Tree": tree})
    assert isinstance(response.body, bytes)
    params = decode(model, request(response.body))
    assert params == {"Tree": tree}
    model.operation("Act").validate(params)


EVERYDAY = """
    lambda iam sts logs sqs sns events dynamodb s3 stepfunctions scheduler pipes apigateway apigatewayv2 cloudformation
    cloudwatch kinesis ec2 rds kms secretsmanager ssm ecr athena cognito-idp route53 workspaces-web
"""


@pytest.mark.parametrize("name", EVERYDAY.split())
def test_every_operation_compiles_and_every_rest_operation_is_found(name: str) -> None:
    model = MODELS.service(name)
    for operation in model.operation_names:
        for protocol in model.protocols:
            model.compile(protocol, operation)
        description = model.operation_model(operation)
        if model.protocols[0].startswith("rest") and not description.traits.get("deprecated"):
            path, _, query = re.sub(r"\{[^}]*\}", "x", description.request_uri).partition("?")
            assert model.route(description.method, path, {part.split("=")[0]: ["2"] for part in query.split("&")})
