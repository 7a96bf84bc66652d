"""rest-xml: REST bindings with XML bodies. https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html

S3 differs: its errors are not wrapped, one of its answers is text without an element around it, and its request ids
have a header of their own. An overlay of its model says so (see `overlays`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from cloudlet.wire.errors import ErrorAnswer
from cloudlet.wire.eventstream import EventStreams
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID
from cloudlet.wire.protocols.query import write_error_members
from cloudlet.wire.protocols.rest import Body, ResponseBindings, RestCodec
from cloudlet.wire.protocols.text import text_encoder
from cloudlet.wire.protocols.xml_read import XmlReaders, parse
from cloudlet.wire.protocols.xml_write import Write, XmlWriters, escape, namespace, quoted
from cloudlet.wire.shapes import Model, OperationModel, Shape, StructureShape

CONTENT_TYPE = "application/xml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class RestXmlDialect:
    """rest-xml of one service."""

    def __init__(self, model: Model) -> None:
        uri = model.metadata.get("xmlNamespace")
        self._namespace = f" xmlns={quoted(uri)}" if uri else ""
        self._wrapped_errors = not model.metadata.get("noErrorWrapping")
        self._request_id = str(model.metadata.get("requestIdHeader", REQUEST_ID))
        self._readers = XmlReaders()
        self._writers = XmlWriters()
        self._body = Body(
            content_type=CONTENT_TYPE,
            decode=self._decode,
            decode_payload=self._decode_payload,
            encode=self._encode,
            encode_payload=self._encode_payload,
            streams=EventStreams(self._encode_event, "text/xml"),
            request_id=self._request_id,
        )

    def codec(self, operation: OperationModel) -> RestCodec:
        return RestCodec(operation, self._body)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        out = [_DECLARATION]
        if self._wrapped_errors:
            kind = "Sender" if answer.sender_fault else "Receiver"
            out.append(f"<ErrorResponse{self._namespace}><Error><Type>{kind}</Type>")
            write_error_members(out, answer, self._writers)
            out.append(f"</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>")
        else:
            out.append("<Error>")
            write_error_members(out, answer, self._writers)
            out.append(f"<RequestId>{escape(request_id)}</RequestId></Error>")
        headers = {self._request_id: request_id, "Content-Type": CONTENT_TYPE}
        response = HttpResponse(answer.status, headers, "".join(out).encode())
        if answer.shape is not None:
            ResponseBindings(answer.shape).encode(answer.fields, response)
        response.status = answer.status
        return response

    def _decode(self, _: StructureShape, members: Mapping[str, Shape]) -> Callable[[bytes], dict[str, Any]]:
        read = self._readers.body(members)
        return lambda content: read(parse(content)) if content else {}

    def _decode_payload(self, shape: Shape) -> Callable[[bytes], Any]:
        read = self._readers.compile(shape)
        return lambda content: read(parse(content))

    def _encode(self, shape: StructureShape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        """An answer that is the members of an output that are bound to nothing else."""
        name = str(shape.traits.get("locationName", shape.name))
        if shape.traits.get("s3UnwrappedXmlOutput"):
            return self._encode_unwrapped(name, *members.items())
        write = self._writers.members(shape.name, members, shape.members.keys())
        return self._document(f"<{name}{namespace(shape) or self._namespace}>", write, f"</{name}>")

    def _encode_unwrapped(self, name: str, member: tuple[str, Shape]) -> Callable[[Any], bytes]:
        key, text = member[0], text_encoder(member[1], "iso8601")

        def write(out: list[str], value: Any) -> None:
            out.append(escape(text(value[key])) if value.get(key) is not None else "")

        return self._document(f"<{name}{self._namespace}>", write, f"</{name}>")

    def _encode_payload(self, shape: Shape) -> Callable[[Any], bytes]:
        """An answer that is one member of the output."""
        name = str(shape.traits.get("locationName", shape.name))
        return self._document("", self._writers.root(shape, name, self._namespace), "")

    def _encode_event(self, shape: StructureShape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        return self._document(f"<{shape.name}>", self._writers.members(shape.name, members), f"</{shape.name}>")

    @staticmethod
    def _document(opening: str, write: Write, closing: str) -> Callable[[Any], bytes]:
        def encode(value: Any) -> bytes:
            out = [_DECLARATION, opening]
            write(out, value)
            out.append(closing)
            return "".join(out).encode()

        return encode
