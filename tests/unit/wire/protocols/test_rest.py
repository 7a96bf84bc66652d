import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudlet.errors import SerializationError, ServiceError
from cloudlet.wire.model import ServiceModels
from cloudlet.wire.protocols.headers import split_list
from tests.support.wire import decode, encode, request, service, structure

MOMENT = datetime(2014, 4, 29, 18, 30, 38, tzinfo=UTC)


def at(location: str, shape: str, name: str = "", **traits: Any) -> dict[str, Any]:
    named = {"locationName": name} if name else {}
    return {"shape": shape, "location": location, **named, **traits}


BOUND = structure(
    Id=at("uri", "String", "id"),
    Number=at("uri", "Integer", "number"),
    Text=at("header", "String", "X-Text"),
    Flag=at("header", "Boolean", "X-Flag"),
    When=at("header", "Timestamp", "X-When"),
    Items=at("header", "Strings", "X-Items"),
    Moments=at("header", "Moments", "X-Moments"),
    Value=at("header", "String", "X-Value", jsonvalue=True),
    Meta=at("headers", "Map", "x-meta-"),
    Page=at("querystring", "Integer", "page"),
    Names=at("querystring", "Strings", "name"),
    Since=at("querystring", "Timestamp", "since"),
    Rest=at("querystring", "Map"),
    Body="String",
)
MOMENTS = {"type": "list", "member": {"shape": "Timestamp"}}
MODEL = service(
    "rest-json",
    input_shape=BOUND,
    http={"method": "POST", "requestUri": "/things/{id}/{number}?fixed=1"},
    Moments=MOMENTS,
)


def test_members_come_from_everywhere() -> None:
    given = request(
        '{"Body":"b","Id":"not here"}',
        path="/things/a%2Fb/7?fixed=1&page=2&name=x&name=y&since=2014-04-29T18:30:38Z&more=m&more=n",
        x_text="t",
        x_flag="true",
        x_when="Tue, 29 Apr 2014 18:30:38 GMT",
        x_items='a, "b,\\"c", d',
        x_moments="Tue, 29 Apr 2014 18:30:38 GMT, Tue, 29 Apr 2014 18:30:38 GMT",
        x_value="eyJhIjoxfQ==",
        x_meta_one="1",
    )
    assert decode(MODEL, given) == {
        "Id": "a/b",
        "Number": 7,
        "Text": "t",
        "Flag": True,
        "When": MOMENT,
        "Items": ["a", 'b,"c', "d"],
        "Moments": [MOMENT, MOMENT],
        "Value": {"a": 1},
        "Meta": {"one": "1"},
        "Page": 2,
        "Names": ["x", "y"],
        "Since": MOMENT,
        "Rest": {"more": "m"},
        "Body": "b",
    }


@pytest.mark.parametrize(
    "given",
    [
        request(path="/things/a/x?fixed=1"),
        request(path="/things/a/1?fixed=1&page=x"),
        request(path="/things/a/1?fixed=1&name=%ff"),
        request(path="/things/a/1?fixed=1", x_flag="maybe"),
        request(path="/things/a/1?fixed=1", x_value="e30"),
        request(path="/things/a/1?fixed=1", x_value="aGk="),
        request("{", path="/things/a/1?fixed=1"),
    ],
)
def test_what_does_not_fit_is_refused(given: Any) -> None:
    with pytest.raises(SerializationError):
        decode(MODEL, given)


@pytest.mark.parametrize(
    ("text", "items"),
    [("", []), ("a", ["a"]), ("a,,b", ["a", "", "b"]), ('"a","b"', ["a", "b"]), (' "a b" , c ', ["a b", "c"])],
)
def test_lists_in_headers_are_split(text: str, items: list[str]) -> None:
    assert split_list(text) == items


def test_results_go_everywhere() -> None:
    output = structure(
        Status=at("statusCode", "Integer"),
        Text=at("header", "String", "X-Text"),
        Number=at("header", "Double", "X-Number"),
        When=at("header", "Timestamp", "X-When"),
        Items=at("header", "Strings", "X-Items"),
        None_=at("header", "Strings", "X-None"),
        Value=at("header", "String", "X-Value", jsonvalue=True),
        Meta=at("headers", "Map", "x-meta-"),
        Body="String",
    )
    model = service("rest-json", output_shape=output, http={"method": "GET", "requestUri": "/", "responseCode": 201})
    result = {
        "Status": 202,
        "Text": "a\r\nX-Evil: b",
        "Number": math.inf,
        "When": MOMENT,
        "Items": ["a", 'b,"c'],
        "None_": [],
        "Value": {"a": 1},
        "Meta": {"one": "1\n"},
        "Body": "b",
    }
    response = encode(model, result)
    assert response.status == 202
    assert response.body == b'{"Body":"b"}'
    assert response.headers == {
        "x-amzn-RequestId": "request-id",
        "X-Text": "aX-Evil: b",
        "X-Number": "Infinity",
        "X-When": "Tue, 29 Apr 2014 18:30:38 GMT",
        "X-Items": 'a, "b,\\"c"',
        "X-Value": "eyJhIjoxfQ==",
        "x-meta-one": "1",
        "Content-Type": "application/json",
    }


def payload(protocol: str, shape: str, **shapes: Any) -> Any:
    members = {**structure(P=shape), "payload": "P"}
    return service(protocol, input_shape=members, output_shape=members, **shapes)


@pytest.mark.parametrize("protocol", ["rest-json", "rest-xml"])
def test_a_payload_of_bytes_is_the_body(protocol: str) -> None:
    model = payload(protocol, "Blob")
    assert decode(model, request(b"\0\xff")) == {"P": b"\0\xff"}
    assert decode(model, request()) == {}
    response = encode(model, {"P": b"\0\xff"})
    assert (response.body, response.headers["Content-Type"]) == (b"\0\xff", "application/octet-stream")
    assert encode(model, {}).body == b""


def test_a_payload_can_be_a_stream() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"

    source = chunks()
    assert encode(payload("rest-json", "Blob"), {"P": source}).body is source


def test_a_payload_of_text_is_the_body() -> None:
    model = payload("rest-json", "String")
    assert decode(model, request("é")) == {"P": "é"}
    with pytest.raises(SerializationError):
        decode(model, request(b"\xff"))
    response = encode(model, {"P": "é"})
    assert (response.body, response.headers["Content-Type"]) == ("é".encode(), "text/plain")


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("rest-json", b'{"X":1}'),
        ("rest-xml", b'<?xml version="1.0" encoding="UTF-8"?>\n<Inner><X>1</X></Inner>'),
    ],
)
def test_a_payload_of_structure_is_the_body(protocol: str, body: bytes) -> None:
    model = payload(protocol, "Inner", Inner=structure(X="Integer"))
    assert encode(model, {"P": {"X": 1}}).body == body
    assert decode(model, request(body)) == {"P": {"X": 1}}
    assert encode(model, {}).body == b""


def test_an_answer_without_content_has_no_body() -> None:
    model = service(
        "rest-json", output_shape=structure(X="String"), http={"method": "GET", "requestUri": "/", "responseCode": 204}
    )
    response = encode(model, {})
    assert (response.status, response.body) == (204, b"")
    assert "Content-Type" not in response.headers


def test_a_rest_json_error_is_named_in_a_header() -> None:
    error = type("Busy", (ServiceError,), {"code": "TooManyRequestsException"})
    response = (
        ServiceModels()
        .service("lambda")
        .encode_error(
            "rest-json", error("Rate Exceeded.", Reason="CallerRateLimitExceeded", retryAfterSeconds="1"), "id"
        )
    )
    assert response.status == 429
    assert response.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert response.headers["Retry-After"] == "1"
    assert response.body == b'{"message":"Rate Exceeded.","Reason":"CallerRateLimitExceeded","Type":"User"}'
