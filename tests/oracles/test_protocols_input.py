"""The requests of AWS's protocol cases decode to the parameters that they were made of.

The cases are botocore's and Smithy's; a case has `params` and the `serialized` request that a client makes of them.
"""

import base64
import math
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from cloudlet.wire.http import HttpRequest
from cloudlet.wire.model import ServiceModel
from tests.support.oracles import ORACLES

TOKEN = "00000000-0000-4000-8000-000000000000"

_NO_BODY = "the case names the header that tells of compression, not the compressed body"
_NOT_SENT = "an empty list or map, or a null, is not sent, so it cannot be decoded"
_FILLED_IN = "the client fills in a token that its caller did not give; the server sees the token"
_ENDPOINT = "the path belongs to an endpoint that the client's user has set"

NOT_FOR_A_SERVER: dict[str, str] = {
    "Test cases for PutWithContentEncoding operation": _NO_BODY,
    "Test cases for HostWithPathOperation operation": _ENDPOINT,
    "Ec2EmptyQueryLists": _NOT_SENT,
    "QueryEmptyQueryMaps": _NOT_SENT,
    "RestJsonHttpPrefixHeadersAreNotPresent": _NOT_SENT,
    "HttpPrefixHeadersAreNotPresent": _NOT_SENT,
    "RestJsonOmitsEmptyListQueryValues": _NOT_SENT,
    "List in header 26:1": _NOT_SENT,
    "Nested structures 2:1": _NOT_SENT,
    "RestJsonHttpWithEmptyStructurePayload": "an empty payload and none are both sent as {}",
    "RestJsonHttpWithHeadersButNoPayload": "an empty payload and none are both sent as {}",
    "Structure payload 13:1": "an empty payload and none are both sent as {}",
    "Content-Type and JSON body 25:2": "an empty payload and none are both sent as {}",
    "Content-Type and JSON body 25:4": "an empty payload and none are both sent as {}",
    "Content-Type and JSON body 25:7": "an empty payload and none are both sent as {}",
    "Ec2ProtocolIdempotencyTokenAutoFill": _FILLED_IN,
    "QueryProtocolIdempotencyTokenAutoFill": _FILLED_IN,
    "RestJsonQueryIdempotencyTokenAutoFill": _FILLED_IN,
    "QueryIdempotencyTokenAutoFill": _FILLED_IN,
    "Idempotency token auto fill 6:1": _FILLED_IN,
    "Idempotency token auto fill 8:1": _FILLED_IN,
    "Idempotency token auto fill 12:1": _FILLED_IN,
    "Idempotency token auto fill 19:1": _FILLED_IN,
    "Idempotency token auto fill 23:1": _FILLED_IN,
    "RestJsonQueryPrecedence": "the client drops one of two values for a name before it sends",
    "RestXmlQueryPrecedence": "the client drops one of two values for a name before it sends",
    "RestJsonHttpChecksumRequired": "the checksum is that of the body in another layout",
    "MediaTypeHeaderInputBase64": "boto3's parameter is the JSON value, the case's is its text",
}
"""Cases that do not say what a server must decode, by id or description, with the reason."""

BOUND_TWICE = {
    "RestJsonAllQueryStringTypes",
    "RestJsonQueryStringEscaping",
    "RestJsonSupportsNaNFloatQueryValues",
    "RestJsonSupportsInfinityFloatQueryValues",
    "RestJsonSupportsNegativeInfinityFloatQueryValues",
    "RestJsonZeroAndFalseQueryValues",
}
"""Cases whose map of all query parameters repeats those that have members of their own. Those of rest-xml and others of
rest-json have such a map only for the rest, and so have we."""


def cases() -> Iterator[Any]:
    for folder in ("protocols/input", "protocols/legacy/input"):
        for path in sorted((ORACLES / folder).glob("*.json")):
            for suite_number, suite in enumerate(orjson.loads(path.read_bytes())):
                for number, case in enumerate(suite["cases"]):
                    label = case.get("id") or f"{suite['description']} {suite_number}:{number}"
                    legacy = "legacy-" if "legacy" in folder else ""
                    reason = NOT_FOR_A_SERVER.get(label) or NOT_FOR_A_SERVER.get(suite["description"])
                    marks = [pytest.mark.skip(reason=reason)] if reason else []
                    yield pytest.param(suite, case, id=f"{legacy}{path.stem}-{label}", marks=marks)


def service_model(suite: dict[str, Any], case: dict[str, Any]) -> tuple[ServiceModel, str]:
    name = case["given"]["name"]
    description = deepcopy({key: suite.get(key, {}) for key in ("metadata", "shapes")})
    description["metadata"].setdefault("endpointPrefix", "oracle")
    description["metadata"].setdefault("apiVersion", "2014-01-01")
    description["operations"] = {name: deepcopy(case["given"])}
    return ServiceModel("oracle", description, lambda: TOKEN), name


def http_request(protocol: str, case: dict[str, Any]) -> HttpRequest:
    serialized = case["serialized"]
    uri = urlsplit(serialized.get("uri", "/"))
    body = serialized.get("body", "")
    content = base64.b64decode(body) if protocol == "smithy-rpc-v2-cbor" else body.encode()
    headers = {key.lower(): value for key, value in serialized.get("headers", {}).items()}
    if protocol == "json":  # some cases, about hosts, leave it out
        headers.setdefault("x-amz-target", f"Prefix.{case['given']['name']}")
    method = serialized.get("method") or case["given"].get("http", {}).get("method", "POST")
    return HttpRequest(method, uri.path, uri.query, headers, content)


def plain(value: Any) -> Any:
    """Parameters as the cases write them: texts for bytes and special numbers, seconds for moments."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


@pytest.mark.parametrize(("suite", "case"), list(cases()))
def test_a_request_decodes_to_its_parameters(suite: dict[str, Any], case: dict[str, Any]) -> None:
    model, name = service_model(suite, case)
    protocol = suite["metadata"]["protocol"]
    request = http_request(protocol, case)
    target = model.target(request)
    assert target is not None
    assert (target.protocol, target.operation) == (protocol, name)
    decoded = model.operation(name).decode(protocol, request, target.labels)
    if case.get("id") in BOUND_TWICE:
        del case["params"]["queryParamsMapOfStringList"]
    assert plain(decoded) == {key: item for key, item in case.get("params", {}).items() if item is not None}
