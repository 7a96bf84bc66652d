"""Event streams (application/vnd.amazon.eventstream), outgoing.

A message is: total length, headers' length and their CRC-32 (the prelude), headers, payload, CRC-32 of all before it;
numbers are big endian (https://smithy.io/2.0/aws/amazon-eventstream.html). A service gives an async iterator of
`{event name: members}`; the error that ends such an iterator is sent as the stream's last message.
"""

import struct
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudlet.errors import ServiceError
from cloudlet.wire import timestamps
from cloudlet.wire.shapes import Shape, StructureShape, members_of

CONTENT_TYPE = "application/vnd.amazon.eventstream"
Serialise = Callable[[StructureShape, Mapping[str, Shape]], Callable[[Mapping[str, Any]], bytes]]
"""Gives, for a structure and those of its members that go into a payload, the function that writes the payload."""

_TRUE, _FALSE, _BYTE, _SHORT, _INTEGER, _LONG, _BYTES, _STRING, _TIMESTAMP = range(9)
_INTEGERS = {"byte": (_BYTE, "b"), "short": (_SHORT, "h"), "integer": (_INTEGER, "i"), "long": (_LONG, "q")}


@dataclass(frozen=True, slots=True)
class _Event:
    """How one event of a stream is written."""

    headers: dict[str, Shape]
    payload_type: str
    payload: Callable[[Mapping[str, Any]], bytes]


def stream_member(shape: StructureShape | None) -> str | None:
    """The member of an operation's input or output that is an event stream, where there is one."""
    return next((name for name, member in members_of(shape).items() if _is_stream(member)), None)


def encode_message(headers: bytes, payload: bytes) -> bytes:
    """One message, framed."""
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    message = b"".join((prelude, struct.pack(">I", zlib.crc32(prelude)), headers, payload))
    return message + struct.pack(">I", zlib.crc32(message))


def encode_string_header(name: str, value: str) -> bytes:
    """A header whose value is a text."""
    text = value.encode()
    return _header_name(name) + struct.pack(">BH", _STRING, len(text)) + text


class EventStreams:
    """Compiles the event streams of one service in one protocol."""

    def __init__(self, serialise: Serialise, content_type: str) -> None:
        self._serialise = serialise
        self._content_type = content_type

    def rpc(self, output: StructureShape) -> Callable[[Mapping[str, Any]], AsyncIterator[bytes]]:
        """For protocols whose answer is the stream: the other members come first, as an initial response."""
        name = stream_member(output) or ""
        first = self._serialise(output, {key: member for key, member in output.members.items() if key != name})
        events = self.events(output.members[name])
        prefix = self._event_headers("initial-response", self._content_type)

        async def encode(result: Mapping[str, Any]) -> AsyncIterator[bytes]:
            yield encode_message(prefix, first({key: value for key, value in result.items() if key != name}))
            async for message in events(result[name]):
                yield message

        return encode

    def events(self, shape: Shape) -> Callable[[AsyncIterator[Mapping[str, Any]]], AsyncIterator[bytes]]:
        """For a stream of the events in `shape`: the function that writes them one by one."""
        members = members_of(shape)
        table = {name: self._event(member) for name, member in members.items()}
        exceptions = {
            key: name
            for name, member in members.items()
            if isinstance(member, StructureShape) and member.traits.get("exception")
            for key in (name, member.name, member.error_code)
        }

        async def encode(source: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
            try:
                async for event in source:
                    for name, value in event.items():
                        yield self._encode_event(name, table[name], value)
            except ServiceError as error:
                name = exceptions.get(error.code, "")
                yield self._encode_exception(name, table.get(name), members.get(name), error)

        return encode

    def _event(self, shape: Shape) -> _Event:
        members = members_of(shape)
        headers = {name: member for name, member in members.items() if member.traits.get("eventheader")}
        payload_name = next((name for name, member in members.items() if member.traits.get("eventpayload")), "")
        payload_shape = members.get(payload_name)
        if payload_shape is not None and payload_shape.type_name in ("blob", "string"):
            content_type = "application/octet-stream" if payload_shape.type_name == "blob" else "text/plain"
            return _Event(headers, content_type, lambda value: _plain(value.get(payload_name, b"")))
        if isinstance(payload_shape, StructureShape):
            inner = self._serialise(payload_shape, payload_shape.members)
            return _Event(headers, self._content_type, lambda value: inner(value.get(payload_name, {})))
        if not isinstance(shape, StructureShape):
            raise TypeError(f"an event is a structure, {shape.name} is not")
        body = {name: member for name, member in members.items() if name not in headers}
        if not body:
            return _Event(headers, "", lambda _: b"")
        whole = self._serialise(shape, body)
        return _Event(
            headers,
            self._content_type,
            lambda value: whole({key: item for key, item in value.items() if key not in headers}),
        )

    def _encode_event(self, name: str, event: _Event, value: Mapping[str, Any]) -> bytes:
        parts = [self._event_headers(name, event.payload_type)]
        for key, shape in event.headers.items():
            if value.get(key) is not None:
                parts.append(_encode_header(key, shape.type_name, value[key]))
        return encode_message(b"".join(parts), event.payload(value))

    def _encode_exception(self, name: str, event: _Event | None, shape: Shape | None, error: ServiceError) -> bytes:
        if event is None:
            headers = encode_string_header(":message-type", "error")
            headers += encode_string_header(":error-code", error.code)
            return encode_message(headers + encode_string_header(":error-message", error.message), b"")
        headers = encode_string_header(":message-type", "exception")
        headers += encode_string_header(":exception-type", name)
        headers += encode_string_header(":content-type", self._content_type)
        members = members_of(shape)
        message_member = "Message" if "Message" in members else "message"
        fields = {key: value for key, value in error.fields.items() if key in members}
        if message_member in members:
            fields[message_member] = error.message
        return encode_message(headers, event.payload(fields))

    @staticmethod
    def _event_headers(name: str, content_type: str) -> bytes:
        headers = encode_string_header(":message-type", "event") + encode_string_header(":event-type", name)
        return headers + encode_string_header(":content-type", content_type) if content_type else headers


def _is_stream(shape: Shape) -> bool:
    return bool(shape.traits.get("eventstream"))


def _plain(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _header_name(name: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode()


def _encode_header(name: str, type_name: str, value: Any) -> bytes:
    head = _header_name(name)
    if type_name == "boolean":
        return head + struct.pack(">B", _TRUE if value else _FALSE)
    if type_name in _INTEGERS:
        code, width = _INTEGERS[type_name]
        return head + struct.pack(f">B{width}", code, value)
    if type_name == "timestamp":
        moment: datetime | float = value
        return head + struct.pack(">Bq", _TIMESTAMP, round(timestamps.to_epoch(moment) * 1000))
    if type_name == "blob":
        return head + struct.pack(">BH", _BYTES, len(value)) + bytes(value)
    return encode_string_header(name, str(value))
