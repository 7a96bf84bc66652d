"""Smithy RPC v2 CBOR: the operation in the path, everything else in a CBOR body.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import cbor2

from cloudlet.errors import SerializationError
from cloudlet.wire import timestamps
from cloudlet.wire.errors import ErrorAnswer
from cloudlet.wire.eventstream import CONTENT_TYPE as EVENT_STREAM
from cloudlet.wire.eventstream import EventStreams, stream_member
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID
from cloudlet.wire.protocols.json import error_body
from cloudlet.wire.protocols.json_read import Convert, JsonDecoders, refuse
from cloudlet.wire.protocols.json_write import JsonEncoders
from cloudlet.wire.shapes import Model, OperationModel, Shape, StructureShape

CONTENT_TYPE = "application/cbor"
_UNDEFINED = b"\xf7"


def parse(body: bytes) -> Any:
    """The CBOR value of a body; an empty one counts as an empty map. Raises SerializationError."""
    if not body:
        return {}
    try:
        value = cbor2.loads(body, strict_hashable_types=True)
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise SerializationError(f"Could not parse request body into cbor: {error}") from error
    return _without_undefined(value) if _UNDEFINED in body else value


def _without_undefined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_undefined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_undefined(item) for item in value]
    return None if value is cbor2.undefined else value


class CborDecoders(JsonDecoders):
    """As JSON's, where CBOR has no types of its own."""

    def _scalar(self, shape: Shape) -> Convert:
        if shape.type_name == "blob":
            return _decode_blob
        return _decode_timestamp if shape.type_name == "timestamp" else super()._scalar(shape)


class CborEncoders(JsonEncoders):
    """As JSON's, where CBOR has no types of its own."""

    def serialise(self, shape: StructureShape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        encode = self.body(shape, members)
        return lambda value: cbor2.dumps(encode(value))

    def _scalar(self, shape: Shape) -> Convert:
        if shape.type_name == "blob":
            return bytes
        if shape.type_name in ("float", "double"):
            return float
        return _encode_timestamp if shape.type_name == "timestamp" else super()._scalar(shape)


class CborDialect:
    """RPC v2 CBOR of one service."""

    def __init__(self, model: Model) -> None:
        self._query_compatible = model.is_query_compatible
        self._decoders = CborDecoders()
        self._encoders = CborEncoders()
        self._streams = EventStreams(self._encoders.serialise, CONTENT_TYPE)

    def codec(self, operation: OperationModel) -> "CborCodec":
        return CborCodec(operation, self._decoders, self._encoders, self._streams)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        body = {"__type": answer.name, **error_body(answer, self._encoders)}
        headers = _headers(request_id)
        if self._query_compatible:
            headers["x-amzn-query-error"] = f"{answer.code};{'Sender' if answer.sender_fault else 'Receiver'}"
        return HttpResponse(answer.status, headers, cbor2.dumps(body))


class CborCodec:
    """One operation in RPC v2 CBOR."""

    __slots__ = ("_decode", "_encode", "_stream")

    def __init__(
        self, operation: OperationModel, decoders: CborDecoders, encoders: CborEncoders, streams: EventStreams
    ) -> None:
        source, target = operation.input, operation.output
        self._decode = decoders.body(source.members) if source else None
        self._stream = streams.rpc(target) if target and stream_member(target) else None
        self._encode = encoders.serialise(target, target.members) if target and not self._stream else None

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        value = parse(request.body)
        params: dict[str, Any] = self._decode(value) if self._decode is not None else {}
        return params

    def encode(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        headers = _headers(request_id)
        if self._stream is not None:
            headers["Content-Type"] = EVENT_STREAM
            return HttpResponse(200, headers, self._stream(result))
        if self._encode is None:
            del headers["Content-Type"]
            return HttpResponse(200, headers)
        return HttpResponse(200, headers, self._encode(result))


def _headers(request_id: str) -> dict[str, str]:
    return {REQUEST_ID: request_id, "smithy-protocol": "rpc-v2-cbor", "Content-Type": CONTENT_TYPE}


def _decode_blob(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise refuse(value, "blob")
    return value


def _decode_timestamp(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return timestamps.from_epoch(value)
        except (ValueError, OverflowError) as error:
            raise SerializationError(str(error)) from error
    raise refuse(value, "timestamp")


def _encode_timestamp(value: datetime | float) -> cbor2.CBORTag:
    return cbor2.CBORTag(1, timestamps.to_epoch(value))
