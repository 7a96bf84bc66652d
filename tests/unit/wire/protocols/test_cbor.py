import math
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest

from cloudlet.errors import SerializationError, ServiceError
from cloudlet.wire.http import HttpResponse
from tests.support.wire import decode, encode, request, service, structure

MOMENT = datetime(2014, 4, 29, 18, 30, 38, 500000, UTC)
MEMBERS = structure(S="String", I="Integer", D="Double", B="Boolean", Blob="Blob", T="Timestamp", List="Strings")
MODEL = service("smithy-rpc-v2-cbor", input_shape=MEMBERS, output_shape=MEMBERS)


def answered(response: HttpResponse) -> Any:
    assert isinstance(response.body, bytes)
    return cbor2.loads(response.body)


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ({}, {}),
        ({"S": "a", "Unknown": 1, "I": None}, {"S": "a"}),
        ({"I": -1, "D": 1, "B": False}, {"I": -1, "D": 1.0, "B": False}),
        ({"D": math.inf}, {"D": math.inf}),
        ({"Blob": b"\0"}, {"Blob": b"\0"}),
        ({"T": cbor2.CBORTag(1, 1398796238.5)}, {"T": MOMENT}),
        ({"T": 1398796238.5}, {"T": MOMENT}),
        ({"S": cbor2.undefined, "List": ["a", cbor2.undefined]}, {"List": ["a", None]}),
    ],
)
def test_a_body_is_decoded(value: Any, params: dict[str, Any]) -> None:
    assert decode(MODEL, request(cbor2.dumps(value))) == params


def test_no_body_is_no_members() -> None:
    assert decode(MODEL, request()) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"\x1c",
        b"\xa1",
        b"\xff",
        cbor2.dumps([]),
        cbor2.dumps({"S": b"bytes"}),
        cbor2.dumps({"I": "1"}),
        cbor2.dumps({"Blob": "text"}),
        cbor2.dumps({"T": "2014"}),
        cbor2.dumps({"T": 1e300}),
        cbor2.dumps({"T": cbor2.CBORTag(1, 1e300)}),
        cbor2.dumps({"S": cbor2.CBORTag(4, [1, 2])}),
        cbor2.dumps({(1, 2): 1}),
    ],
)
def test_what_does_not_fit_is_refused(body: bytes) -> None:
    with pytest.raises(SerializationError):
        decode(MODEL, request(body))


def test_a_result_is_encoded() -> None:
    response = encode(MODEL, {"S": "a", "I": 1, "D": math.nan, "Blob": bytearray(b"b"), "T": MOMENT, "List": []})
    assert response.headers["smithy-protocol"] == "rpc-v2-cbor"
    assert response.headers["Content-Type"] == "application/cbor"
    body = answered(response)
    assert math.isnan(body.pop("D"))
    assert body == {"S": "a", "I": 1, "Blob": b"b", "T": MOMENT, "List": []}


def test_an_operation_without_output_has_neither_body_nor_type() -> None:
    response = encode(service("smithy-rpc-v2-cbor"), {})
    assert response.body == b""
    assert "Content-Type" not in response.headers


def test_an_error_names_its_shape() -> None:
    shapes: dict[str, Any] = {"Gone": {**structure(message="String", At="Timestamp"), "exception": True}}
    model = service("smithy-rpc-v2-cbor", metadata={"awsQueryCompatible": {}}, **shapes)
    error = type("Gone", (ServiceError,), {"code": "Gone"})("text", At=MOMENT)
    response = model.encode_error("smithy-rpc-v2-cbor", error, "id")
    assert answered(response) == {"__type": "Gone", "message": "text", "At": MOMENT}
    assert response.headers["x-amzn-query-error"] == "Gone;Sender"
