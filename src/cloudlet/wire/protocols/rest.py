"""What rest-json and rest-xml share: members bound to the path, the query string, headers, the status and the body.

https://smithy.io/2.0/spec/http-bindings.html
"""

from collections.abc import AsyncIterator, Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.errors import SerializationError
from cloudlet.wire.compiler import check_known
from cloudlet.wire.errors import IN_RESPONSES
from cloudlet.wire.eventstream import CONTENT_TYPE as EVENT_STREAM
from cloudlet.wire.eventstream import EventStreams
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID
from cloudlet.wire.protocols.headers import header_decoder, header_encoder, one_line
from cloudlet.wire.protocols.text import parse_pairs, parse_query, text_decoder
from cloudlet.wire.shapes import ListShape, MapShape, OperationModel, Shape, StructureShape, wire_name

_IN_REQUESTS = ("uri", "querystring", "header", "headers")
NO_BODY = (204, 205, 304)
"""Statuses whose answers have no body (RFC 9110)."""


@dataclass(frozen=True, slots=True)
class Body:
    """How one protocol reads and writes the bodies of one operation."""

    content_type: str
    decode: Callable[[StructureShape, Mapping[str, Shape]], Callable[[bytes], dict[str, Any]]]
    decode_payload: Callable[[Shape], Callable[[bytes], Any]]
    encode: Callable[[StructureShape, Mapping[str, Shape]], Callable[[Mapping[str, Any]], bytes]]
    encode_payload: Callable[[Shape], Callable[[Any], bytes]]
    streams: EventStreams
    request_id: str = REQUEST_ID


class RestCodec:
    """One operation of a REST protocol."""

    __slots__ = ("_body", "_content_type", "_decode_body", "_encode_payload", "_output", "_request", "_status")

    def __init__(self, operation: OperationModel, body: Body) -> None:
        source, target = operation.input, operation.output
        self._body = body
        self._request = RequestBindings(source, operation.request_uri)
        self._decode_body = _body_decoder(source, body)
        self._status = operation.status
        self._output = ResponseBindings(target) if target else None
        self._content_type, self._encode_payload = _body_encoder(target, body)

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
        params = self._decode_body(request.body) if self._decode_body is not None else {}
        self._request.decode(request, labels, params)
        return params

    def encode(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        response = HttpResponse(self._status, {self._body.request_id: request_id})
        if self._output is not None:
            self._output.encode(result, response)
        if self._encode_payload is not None and response.status not in NO_BODY:
            response.body = self._encode_payload(result)
            if self._content_type and (response.body or self._content_type == self._body.content_type):
                response.headers.setdefault("Content-Type", self._content_type)
        return response


class RequestBindings:
    """The members of an input that are not in the body."""

    __slots__ = ("_fixed", "_headers", "_labels", "_prefixes", "_queries", "_query_maps")

    def __init__(self, shape: StructureShape | None, request_uri: str) -> None:
        self._fixed = [name for name, _ in parse_pairs(request_uri.partition("?")[2])]
        self._labels: list[tuple[str, str, Callable[[str], Any]]] = []
        self._headers: list[tuple[str, str, Callable[[str], Any]]] = []
        self._prefixes: list[tuple[str, str]] = []
        self._queries: list[tuple[str, str, bool, Callable[[str], Any]]] = []
        self._query_maps: list[tuple[str, bool]] = []
        for name, member in shape.members.items() if shape else ():
            self._bind(name, member, wire_name(member, name))

    def _bind(self, name: str, member: Shape, key: str) -> None:
        location = member.traits.get("location")
        if location == "uri":
            self._labels.append((name, key, text_decoder(member, "iso8601")))
        elif location == "header":
            self._headers.append((name, key.lower(), header_decoder(member)))
        elif location == "headers":
            self._prefixes.append((name, str(member.traits.get("locationName", "")).lower()))
        elif location == "querystring" and isinstance(member, MapShape):
            self._query_maps.append((name, isinstance(member.value, ListShape)))
        elif location == "querystring":
            many = isinstance(member, ListShape)
            item = member.member if isinstance(member, ListShape) else member
            self._queries.append((name, key, many, text_decoder(item, "iso8601")))

    def decode(self, request: HttpRequest, labels: Mapping[str, str], params: dict[str, Any]) -> None:
        """Add what stands outside the body to `params`. Raises SerializationError."""
        for name, key, convert in self._labels:
            if key in labels:
                params[name] = convert(labels[key])
        headers = request.headers
        for name, key, convert in self._headers:
            text = headers.get(key)
            if text is not None:
                params[name] = convert(text)
        for name, prefix in self._prefixes:
            found = {key[len(prefix) :]: text for key, text in headers.items() if key.startswith(prefix)}
            if found:
                params[name] = found
        if self._queries or self._query_maps:
            self._decode_query(parse_query(request.query_string), params)

    def _decode_query(self, query: dict[str, list[str]], params: dict[str, Any]) -> None:
        for name, key, many, convert in self._queries:
            texts = query.pop(key, None)
            if texts is not None:
                params[name] = [convert(text) for text in texts] if many else convert(texts[0])
        for name, many in self._query_maps:
            for fixed in self._fixed:
                query.pop(fixed, None)
            if query:
                params[name] = query if many else {key: texts[0] for key, texts in query.items()}


class ResponseBindings:
    """The members of an output that are not in the body."""

    __slots__ = ("_headers", "_known", "_owner", "_prefixes", "_status")

    def __init__(self, shape: StructureShape) -> None:
        self._owner, self._known = shape.name, shape.members.keys()
        self._headers: list[tuple[str, str, Callable[[Any], str]]] = []
        self._prefixes: list[tuple[str, str]] = []
        self._status: str | None = None
        for name, member in shape.members.items():
            location = member.traits.get("location")
            if location == "header":
                self._headers.append((name, wire_name(member, name), header_encoder(member)))
            elif location == "headers":
                self._prefixes.append((name, str(member.traits.get("locationName", ""))))
            elif location == "statusCode":
                self._status = name

    def encode(self, result: Mapping[str, Any], response: HttpResponse) -> None:
        """Set the status and the headers that `result` asks for."""
        check_known(self._owner, result, self._known)
        for name, key, convert in self._headers:
            value = result.get(name)
            if value is not None and value != []:
                response.headers[key] = convert(value)
        for name, prefix in self._prefixes:
            for key, value in (result.get(name) or {}).items():
                response.headers[one_line(prefix + key)] = one_line(value)
        if self._status is not None and result.get(self._status) is not None:
            response.status = int(result[self._status])


def body_of(shape: StructureShape, elsewhere: Container[str]) -> dict[str, Shape]:
    """The members that stand in the body where no member is the payload: those bound to no place in `elsewhere`."""
    return {name: member for name, member in shape.members.items() if member.traits.get("location") not in elsewhere}


def _body_decoder(shape: StructureShape | None, body: Body) -> Callable[[bytes], dict[str, Any]] | None:
    if shape is None:
        return None
    payload = shape.traits.get("payload")
    if payload is None:
        members = body_of(shape, _IN_REQUESTS)
        return body.decode(shape, members) if members else None
    member = shape.members[payload]
    if member.type_name == "blob" or member.traits.get("eventstream"):
        return lambda content: {payload: content} if content else {}
    if member.type_name == "string":
        return lambda content: {payload: _utf8(content)} if content else {}
    decode = body.decode_payload(member)
    return lambda content: {payload: decode(content)} if content else {}


def _utf8(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise SerializationError("The request's body is not UTF-8.") from error


def _body_encoder(
    shape: StructureShape | None, body: Body
) -> tuple[str, Callable[[Mapping[str, Any]], bytes | AsyncIterator[bytes]] | None]:
    """The content type and the writer of an operation's answers; no writer where answers have no body."""
    if shape is None:
        return "", None
    payload = shape.traits.get("payload")
    if payload is None:
        members = body_of(shape, IN_RESPONSES)
        if not members and shape.members:
            return "", None
        return body.content_type, body.encode(shape, members)
    member = shape.members[payload]
    if member.traits.get("eventstream"):
        events = body.streams.events(member)
        return EVENT_STREAM, lambda result: events(result[payload])
    if member.type_name == "blob":
        return "application/octet-stream", lambda result: _content(result.get(payload))
    if member.type_name == "string":
        return "text/plain", lambda result: (result.get(payload) or "").encode()
    encode = body.encode_payload(member)
    return body.content_type, lambda result: b"" if result.get(payload) is None else encode(result[payload])


def _content(value: Any) -> bytes | AsyncIterator[bytes]:
    if value is None:
        return b""
    return bytes(value) if isinstance(value, bytearray | memoryview) else value
