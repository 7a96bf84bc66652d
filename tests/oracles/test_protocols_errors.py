"""Errors that AWS's services have answered reach a botocore client as they were recorded."""

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from cloudlet.errors import ServiceError
from cloudlet.wire.model import ServiceModels
from tests.support.oracles import recorded

RECORDED = {"iam": "query", "lambda": "rest-json", "logs": "json", "sns": "query", "sqs": "json", "sts": "query"}
MODELS = ServiceModels()
SESSION = botocore.session.Session()


def errors(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if isinstance(value.get("Error"), dict) and "ResponseMetadata" in value:
            yield path, value
        for key, item in value.items():
            yield from errors(item, f"{path}/{key}")


def cases() -> Iterator[Any]:
    for service, protocol in RECORDED.items():
        seen = set()
        for where, answer in errors(recorded(service)):
            kind = (answer["Error"]["Code"], *sorted(answer), *sorted(answer["Error"]))
            if kind not in seen and belongs(service, where):
                seen.add(kind)
                in_query = "sqs_query" in where and "QueryErrorCode" not in answer["Error"]
                yield pytest.param(service, "query" if in_query else protocol, answer, id=f"{service}-{where[-60:]}")


def belongs(service: str, where: str) -> bool:
    """A recording also holds answers of the services that its scenario needs."""
    return not any(
        f"{other}_" in where.rpartition("/")[2] for other in ("dynamodb", "kinesis", "s3") if other != service
    )


def parse(service: str, protocol: str, response: Any) -> dict[str, Any]:
    """As botocore's endpoint does: the error first, then the members that its shape has."""
    model = SESSION.get_service_model(service)
    given = {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": response.body,
        "context": {},
    }
    parser = create_parser(protocol)
    output: Any = None
    parsed: dict[str, Any] = parser.parse(given, output)
    code: Any = parsed["Error"].get("QueryErrorCode", parsed["Error"]["Code"])
    shape = model.shape_for_error_code(code)
    if shape is not None:
        parsed.update(parser.parse(given, shape))
    return parsed


@pytest.mark.parametrize(("service", "protocol", "answer"), list(cases()))
def test_an_error_reads_as_it_was_recorded(service: str, protocol: str, answer: dict[str, Any]) -> None:
    expected = answer["Error"]
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    fields = {
        key: item for key, item in answer.items() if key not in ("Error", "ResponseMetadata", "message", "Message")
    }
    if "Type" not in answer:
        fields["Type"] = None
    code = expected.get("QueryErrorCode", expected["Code"])
    error = type("Raised", (ServiceError,), {"code": code, "status": status})(expected["Message"], **fields)
    parsed = parse(service, protocol, MODELS.service(service).encode_error(protocol, error, "request-id"))
    assert {key: parsed["Error"].get(key) for key in expected if key != "_normalized"} == {
        key: item for key, item in expected.items() if key != "_normalized"
    }
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == status
    assert {key: parsed.get(key) for key in answer if key not in ("Error", "ResponseMetadata")} == {
        key: item for key, item in answer.items() if key not in ("Error", "ResponseMetadata")
    }
