import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from cloudlet.errors import InternalFailure, ServiceError
from cloudlet.wire.http import HttpResponse
from tests.support.wire import encode, service, structure

EVENT = {"event": True}
SHAPES: dict[str, Any] = {
    "Stream": {
        **structure(Words="Words", Chunk="Chunk", Stats="Stats", End="End", Headed="Headed", Broken="Broken"),
        "eventstream": True,
    },
    "Words": {**structure(Text={"shape": "String", "eventpayload": True}), **EVENT},
    "Chunk": {**structure(Data={"shape": "Blob", "eventpayload": True}), **EVENT},
    "Stats": {**structure(Details={"shape": "Details", "eventpayload": True}), **EVENT},
    "Details": structure(Bytes="Long"),
    "End": {**structure(), **EVENT},
    "Headed": {
        **structure(
            Id={"shape": "Integer", "eventheader": True},
            Big={"shape": "Long", "eventheader": True},
            Last={"shape": "Boolean", "eventheader": True},
            Name={"shape": "String", "eventheader": True},
            Key={"shape": "Blob", "eventheader": True},
            At={"shape": "Timestamp", "eventheader": True},
            Rest="String",
        ),
        **EVENT,
    },
    "Broken": {**structure(message="String", Why="String"), "exception": True},
}


class Broken(ServiceError):
    """The stream broke."""

    code = "Broken"


def messages(response: HttpResponse) -> list[Any]:
    async def read() -> bytes:
        assert not isinstance(response.body, bytes)
        return b"".join([chunk async for chunk in response.body])

    buffer = EventStreamBuffer()
    buffer.add_data(asyncio.run(read()))
    return list(buffer)


def answer(protocol: str, *events: Mapping[str, Any], error: ServiceError | None = None, **members: Any) -> Any:
    async def source() -> AsyncIterator[Mapping[str, Any]]:
        for event in events:
            yield event
        if error is not None:
            raise error

    output: dict[str, Any] = {**structure(Events="Stream", Session="String")}
    if protocol.startswith("rest"):
        output["payload"] = "Events"
    model = service(protocol, output_shape=output, http={"method": "GET", "requestUri": "/"}, **SHAPES)
    return encode(model, {"Events": source(), **members})


def test_an_rpc_answer_begins_with_its_other_members() -> None:
    response = answer("json", {"End": {}}, Session="s")
    assert response.headers["Content-Type"] == "application/vnd.amazon.eventstream"
    first, second = messages(response)
    assert first.headers[":event-type"] == "initial-response"
    assert first.payload == b'{"Session":"s"}'
    assert (second.headers[":event-type"], second.payload) == ("End", b"")


@pytest.mark.parametrize(
    ("event", "content_type", "payload"),
    [
        ({"Words": {"Text": "é"}}, "text/plain", "é".encode()),
        ({"Chunk": {"Data": b"\0\1"}}, "application/octet-stream", b"\0\1"),
        ({"Stats": {"Details": {"Bytes": 3}}}, "application/json", b'{"Bytes":3}'),
    ],
)
def test_payloads_have_their_types(event: dict[str, Any], content_type: str, payload: bytes) -> None:
    (message,) = messages(answer("rest-json", event))
    assert message.headers[":message-type"] == "event"
    assert message.headers[":content-type"] == content_type
    assert message.payload == payload


def test_headers_have_the_types_of_their_members() -> None:
    values = {"Id": 7, "Big": 2**40, "Last": True, "Name": "n", "Key": b"k", "At": datetime(2024, 1, 1, tzinfo=UTC)}
    (message,) = messages(answer("rest-json", {"Headed": {**values, "Rest": "r"}}))
    expected = {**values, "At": 1704067200000}
    assert {name: message.headers[name] for name in expected} == expected
    assert message.payload == b'{"Rest":"r"}'


def test_a_modelled_error_ends_the_stream_as_its_exception() -> None:
    (message,) = messages(answer("rest-json", error=Broken("gone", Why="cut")))
    assert message.headers[":message-type"] == "exception"
    assert message.headers[":exception-type"] == "Broken"
    assert message.payload == b'{"Why":"cut","message":"gone"}'


def test_any_other_error_ends_the_stream_by_its_code() -> None:
    (message,) = messages(answer("rest-json", error=InternalFailure("sorry")))
    assert message.headers[":message-type"] == "error"
    assert (message.headers[":error-code"], message.headers[":error-message"]) == ("InternalFailure", "sorry")


@pytest.mark.parametrize(
    ("protocol", "payload"),
    [
        ("rest-xml", b'<?xml version="1.0" encoding="UTF-8"?>\n<Details><Bytes>3</Bytes></Details>'),
        ("smithy-rpc-v2-cbor", b"\xa1eBytes\x03"),
    ],
)
def test_payloads_are_in_the_language_of_the_protocol(protocol: str, payload: bytes) -> None:
    assert messages(answer(protocol, {"Stats": {"Details": {"Bytes": 3}}}))[-1].payload == payload
