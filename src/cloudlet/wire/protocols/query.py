"""The query protocol: a form in, XML out. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from botocore.model import OperationModel
from botocore.model import ServiceModel as BotocoreModel

from cloudlet.wire.errors import ErrorAnswer, body_members
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID, structure
from cloudlet.wire.protocols.form import FormDecoders, form_pairs, tree_of
from cloudlet.wire.protocols.xml_write import XmlWriters, escape

CONTENT_TYPE = "text/xml"


class QueryDialect:
    """The query protocol of one service."""

    def __init__(self, model: BotocoreModel) -> None:
        uri = model.metadata.get("xmlNamespace")
        self._namespace = f" xmlns={quoteattr(uri)}" if uri else ""
        self._decoders = FormDecoders()
        self._writers = XmlWriters()

    def codec(self, operation: OperationModel) -> "QueryCodec":
        return QueryCodec(operation, self._namespace, self._decoders, self._writers)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        kind = "Sender" if answer.sender_fault else "Receiver"
        out = [f"<ErrorResponse{self._namespace}><Error><Type>{kind}</Type>"]
        write_error_members(out, answer, self._writers)
        out.append(f"</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>")
        return xml_response(answer.status, out, request_id)


class QueryCodec:
    """One operation in the query protocol."""

    __slots__ = ("_decode", "_end", "_result_end", "_start", "_write")

    def __init__(self, operation: OperationModel, namespace: str, decoders: FormDecoders, writers: XmlWriters) -> None:
        target = structure(operation.output_shape)
        self._decode = decoders.structure(structure(operation.input_shape))
        self._write = writers.members(target.name, target.members) if target else None
        wrapper = target.serialization.get("resultWrapper") if target else None
        self._start = f"<{operation.name}Response{namespace}>" + (f"<{wrapper}>" if wrapper else "")
        self._result_end = (f"</{wrapper}>" if wrapper else "") + "<ResponseMetadata><RequestId>"
        self._end = f"</RequestId></ResponseMetadata></{operation.name}Response>"

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        return self._decode(tree_of(form_pairs(request)))

    def encode(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        out = [self._start]
        if self._write is not None:
            self._write(out, result)
        out += (self._result_end, escape(request_id), self._end)
        return xml_response(200, out, request_id)


def xml_response(status: int, out: list[str], request_id: str) -> HttpResponse:
    """An answer whose body is the pieces of XML in `out`."""
    return HttpResponse(status, {REQUEST_ID: request_id, "Content-Type": CONTENT_TYPE}, "".join(out).encode())


def write_error_members(out: list[str], answer: ErrorAnswer, writers: XmlWriters) -> None:
    """Code, message and the further members of an error."""
    out.append(f"<Code>{escape(answer.code)}</Code><Message>{escape(answer.message)}</Message>")
    if answer.shape is not None:
        members = {name: member for name, member in body_members(answer).items() if name not in ("Code", "Type")}
        fields = {name: value for name, value in answer.fields.items() if name in members}
        writers.members(answer.shape.name, members)(out, fields)
