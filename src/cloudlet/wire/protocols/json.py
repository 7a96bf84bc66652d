"""AWS JSON 1.0 and 1.1: the operation in X-Amz-Target, everything else in a JSON body.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html; with `awsQueryCompatible`, errors also carry the code
that the service had when it spoke the query protocol
(https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait).
"""

from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.errors import SerializationError
from cloudlet.wire.errors import ErrorAnswer, body_members
from cloudlet.wire.eventstream import CONTENT_TYPE as EVENT_STREAM
from cloudlet.wire.eventstream import EventStreams, stream_member
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID
from cloudlet.wire.protocols.json_read import JsonDecoders
from cloudlet.wire.protocols.json_write import JsonEncoders
from cloudlet.wire.shapes import Model, OperationModel

COMMON = "com.amazon.coral.service"
"""The namespace of the errors that services share, where a service tells namespaces; most do not."""


def parse(body: bytes) -> Any:
    """The JSON value of a body; an empty one counts as `{}`. Raises SerializationError."""
    if not body:
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SerializationError(f"Could not parse request body into json: {error}") from error


def error_body(answer: ErrorAnswer, encoders: JsonEncoders) -> dict[str, Any]:
    """The members of an error as JSON: the message by the name that its shape gives it, and whatever else it has."""
    body: dict[str, Any] = {answer.message_member: answer.message}
    if answer.shape is None:
        body.update(answer.fields)
    else:
        members = body_members(answer)
        fields = {name: value for name, value in answer.fields.items() if name in members}
        body.update(encoders.body(answer.shape, members)(fields))
    return body


class JsonDialect:
    """AWS JSON of one service."""

    def __init__(self, model: Model) -> None:
        self._content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"
        self._query_compatible = model.is_query_compatible
        self._namespace: str | None = model.metadata.get("errorNamespace")
        self._decoders = JsonDecoders()
        self._encoders = JsonEncoders()
        self._streams = EventStreams(self._encoders.serialise, "application/json")

    def codec(self, operation: OperationModel) -> "JsonCodec":
        return JsonCodec(operation, self._content_type, self._decoders, self._encoders, self._streams)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        body = {"__type": self._type_of(answer), **error_body(answer, self._encoders)}
        headers = {REQUEST_ID: request_id, "Content-Type": self._content_type}
        if self._query_compatible:
            headers["x-amzn-query-error"] = f"{answer.code};{'Sender' if answer.sender_fault else 'Receiver'}"
        return HttpResponse(answer.status, headers, orjson.dumps(body))

    def _type_of(self, answer: ErrorAnswer) -> str:
        if self._namespace is None:
            return answer.name
        own = COMMON if answer.shape is None else answer.shape.traits.get("errorNamespace", self._namespace)
        return f"{own}#{answer.name}"


class JsonCodec:
    """One operation in AWS JSON."""

    __slots__ = ("_content_type", "_decode", "_encode", "_stream")

    def __init__(
        self,
        operation: OperationModel,
        content_type: str,
        decoders: JsonDecoders,
        encoders: JsonEncoders,
        streams: EventStreams,
    ) -> None:
        self._content_type = content_type
        source, target = operation.input, operation.output
        self._decode = decoders.body(source.members) if source else None
        self._stream = streams.rpc(target) if target and stream_member(target) else None
        self._encode = encoders.body(target, target.members) if target and not self._stream else None

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        value = parse(request.body)
        params: dict[str, Any] = self._decode(value) if self._decode is not None else {}
        return params

    def encode(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        headers = {REQUEST_ID: request_id, "Content-Type": self._content_type}
        if self._stream is not None:
            headers["Content-Type"] = EVENT_STREAM
            return HttpResponse(200, headers, self._stream(result))
        if self._encode is None:
            return HttpResponse(200, headers, b"")
        return HttpResponse(200, headers, orjson.dumps(self._encode(result)))
