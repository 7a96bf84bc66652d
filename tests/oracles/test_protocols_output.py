"""The results of AWS's protocol cases encode so that botocore's own parser reads the same results again."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from botocore.awsrequest import HeadersDict
from botocore.eventstream import EventStream
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import ResponseParserFactory
from botocore.utils import parse_timestamp

from cloudlet.errors import ServiceError
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.model import ServiceModel
from tests.support.oracles import ORACLES

_FLAT = "botocore reads a flat list by its items' name, which two lists share here; it leaves the case out itself"
_ABSENT = "botocore takes an absent payload for an empty one; it leaves the case out itself"
_HEADER = "botocore does not read lists of quoted texts or dates in headers; it leaves the case out itself"
_UNKNOWN = "a server cannot answer with a member that its model does not have"

NOT_FOR_A_SERVER: dict[str, str] = {
    "Ec2XmlLists": _FLAT,
    "QueryXmlLists": _FLAT,
    "XmlLists": _FLAT,
    "RestJsonHttpPayloadTraitsWithNoBlobBody": _ABSENT,
    "HttpPayloadTraitsWithNoBlobBody": _ABSENT,
    "RestJsonHttpPayloadWithUnsetUnion": _ABSENT,
    "RestXmlHttpPayloadWithUnsetUnion": _ABSENT,
    "RestJsonInputAndOutputWithQuotedStringHeaders": _HEADER,
    "RestJsonInputAndOutputWithTimestampHeaders": _HEADER,
    "InputAndOutputWithTimestampHeaders": _HEADER,
    "Tagged Unions 17:2": _UNKNOWN,
    "Unions 16:2": _UNKNOWN,
    "Lists 3:1": "the case's model has a string where its result has a map",
}
"""Cases that do not say what a server must encode, by id or description, with the reason."""


def cases() -> Iterator[Any]:
    for folder in ("protocols/output", "protocols/legacy/output"):
        for path in sorted((ORACLES / folder).glob("*.json")):
            for suite_number, suite in enumerate(orjson.loads(path.read_bytes())):
                for number, case in enumerate(suite["cases"]):
                    label = case.get("id") or f"{suite['description']} {suite_number}:{number}"
                    legacy = "legacy-" if "legacy" in folder else ""
                    reason = NOT_FOR_A_SERVER.get(label) or NOT_FOR_A_SERVER.get(suite["description"])
                    marks = [pytest.mark.skip(reason=reason)] if reason else []
                    yield pytest.param(suite, case, id=f"{legacy}{path.stem}-{label}", marks=marks)


def service_description(suite: dict[str, Any], case: dict[str, Any]) -> tuple[dict[str, Any], str]:
    name = case["given"].get("name", "OperationName")
    description: dict[str, Any] = deepcopy({key: suite.get(key, {}) for key in ("metadata", "shapes")})
    description["metadata"].setdefault("endpointPrefix", "oracle")
    description["metadata"].setdefault("apiVersion", "2014-01-01")
    description["operations"] = {name: {"name": name, **deepcopy(case["given"])}}
    return description, name


def python_value(description: dict[str, Any], reference: dict[str, Any], value: Any) -> Any:
    """A case's value as a service gives it: bytes for texts of blobs, moments for seconds."""
    shape = {**description["shapes"][reference["shape"]], **reference}
    if value is None:
        return None
    if shape["type"] == "structure" and not shape.get("document"):
        if shape.get("eventstream"):
            return events(description, shape, value)
        return {key: python_value(description, shape["members"][key], item) for key, item in value.items()}
    if shape["type"] == "list":
        return [python_value(description, shape["member"], item) for item in value]
    if shape["type"] == "map":
        return {key: python_value(description, shape["value"], item) for key, item in value.items()}
    if shape["type"] == "blob":
        return value.encode()
    if shape["type"] == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    if shape["type"] in ("float", "double"):
        return float(value)
    return value


async def events(
    description: dict[str, Any], shape: dict[str, Any], value: list[dict[str, Any]]
) -> AsyncIterator[dict[str, Any]]:
    for event in value:
        yield {name: python_value(description, shape["members"][name], item) for name, item in event.items()}


class RawStream:
    """What botocore reads an event stream from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


async def collect(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in body])


def parse(description: dict[str, Any], name: str, response: HttpResponse, shape: Any = None) -> Any:
    model = BotocoreModel(description, "oracle")
    protocol = description["metadata"]["protocol"]
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    parser = factory.create_parser(protocol)
    body: Any = response.body
    if not isinstance(body, bytes):
        body = RawStream(asyncio.run(collect(body)))
    output: Any = model.operation_model(name).output_shape
    return parser.parse(
        {
            "status_code": response.status,
            "headers": HeadersDict(response.headers),
            "body": body,
            "context": {"operation_name": name},
        },
        shape or output,
    )


def plain(value: Any) -> Any:
    """What botocore's parser gives, as the cases write it."""
    if isinstance(value, EventStream):
        return [plain(event) for event in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


@pytest.mark.parametrize(("suite", "case"), list(cases()))
def test_a_result_is_read_back_by_botocore(suite: dict[str, Any], case: dict[str, Any]) -> None:
    description, name = service_description(suite, case)
    model = ServiceModel("oracle", deepcopy(description), lambda: "token")
    protocol = suite["metadata"]["protocol"]
    if "error" in case:
        check_error(model, protocol, description, name, case)
        return
    output = case["given"].get("output")
    result = python_value(description, output, case["result"]) if output else {}
    response = model.operation(name).encode(protocol, result, "foo-id")
    response.headers.pop("x-amzn-RequestId")  # some cases read all headers, and theirs have no request id
    assert plain(parse(description, name, response)) == case["result"]


def check_error(
    model: ServiceModel, protocol: str, description: dict[str, Any], name: str, case: dict[str, Any]
) -> None:
    code, message, expected = case.get("errorCode", ""), case.get("errorMessage", ""), case["error"]
    shapes = description["shapes"]
    shape_name = next((key for key, shape in shapes.items() if shape.get("error", {}).get("code") == code), code)
    members = python_value(description, {"shape": shape_name}, expected) if shape_name in shapes else expected
    fields = {key: item for key, item in members.items() if key.lower() != "message"}
    error = type("Raised", (ServiceError,), {"code": shape_name})(message, **fields)
    response = model.operation(name).encode_error(protocol, error, "foo-id")
    parsed = parse(description, name, response)
    assert parsed["Error"]["Code"] == code
    assert (parsed["Error"]["Message"] or "") == message
    if shape_name in shapes:
        shape = BotocoreModel(description, "oracle").shape_for(shape_name)
        assert plain(parse(description, name, response, shape)) == expected
