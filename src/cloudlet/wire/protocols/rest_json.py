"""rest-json: REST bindings with JSON bodies. https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cloudlet.wire.errors import ErrorAnswer
from cloudlet.wire.eventstream import EventStreams
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID
from cloudlet.wire.protocols.json import error_body, parse
from cloudlet.wire.protocols.json_read import JsonDecoders
from cloudlet.wire.protocols.json_write import JsonEncoders
from cloudlet.wire.protocols.rest import Body, ResponseBindings, RestCodec
from cloudlet.wire.shapes import Model, OperationModel, Shape, StructureShape

CONTENT_TYPE = "application/json"


class RestJsonDialect:
    """rest-json of one service."""

    def __init__(self, model: Model) -> None:  # noqa: ARG002
        self._decoders = JsonDecoders()
        self._encoders = JsonEncoders()
        self._body = Body(
            content_type=CONTENT_TYPE,
            decode=self._decode,
            decode_payload=self._decode_payload,
            encode=self._encoders.serialise,
            encode_payload=self._encode_payload,
            streams=EventStreams(self._encoders.serialise, CONTENT_TYPE),
        )

    def codec(self, operation: OperationModel) -> RestCodec:
        return RestCodec(operation, self._body)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        headers = {REQUEST_ID: request_id, "x-amzn-ErrorType": answer.name, "Content-Type": CONTENT_TYPE}
        response = HttpResponse(answer.status, headers, orjson.dumps(error_body(answer, self._encoders)))
        if answer.shape is not None:
            ResponseBindings(answer.shape).encode(answer.fields, response)
        response.status = answer.status
        return response

    def _decode(self, _: StructureShape, members: Mapping[str, Shape]) -> Callable[[bytes], dict[str, Any]]:
        decode = self._decoders.body(members)
        return lambda content: decode(parse(content)) if content else {}

    def _decode_payload(self, shape: Shape) -> Callable[[bytes], Any]:
        decode = self._decoders.compile(shape)
        return lambda content: decode(parse(content))

    def _encode_payload(self, shape: Shape) -> Callable[[Any], bytes]:
        encode = self._encoders.compile(shape)
        return lambda value: orjson.dumps(encode(value))
