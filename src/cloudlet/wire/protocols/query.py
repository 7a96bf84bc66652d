"""The query protocol: a form in, XML out. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html"""

from collections.abc import Mapping
from typing import Any

from cloudlet.wire.errors import ErrorAnswer, body_members
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols.base import REQUEST_ID
from cloudlet.wire.protocols.form import FormDecoders, form_pairs, tree_of
from cloudlet.wire.protocols.xml_write import XmlWriters, escape, quoted
from cloudlet.wire.shapes import Model, OperationModel

CONTENT_TYPE = "text/xml"


class QueryDialect:
    """The query protocol of one service."""

    def __init__(self, model: Model) -> None:
        uri = model.metadata.get("xmlNamespace")
        self._namespace = f" xmlns={quoted(uri)}" if uri else ""
        self._detail = "<Detail/>" if model.metadata.get("errorDetail") else ""
        self._url_member: str | None = model.metadata.get("urlMember")
        self._decoders = FormDecoders()
        self._writers = XmlWriters()

    def codec(self, operation: OperationModel) -> "QueryCodec":
        return QueryCodec(operation, self._namespace, self._url_member, self._decoders, self._writers)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        kind = "Sender" if answer.sender_fault else "Receiver"
        out = [f"<ErrorResponse{self._namespace}><Error><Type>{kind}</Type>"]
        write_error_members(out, answer, self._writers)
        out.append(f"{self._detail}</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>")
        return xml_response(answer.status, out, request_id)


class QueryCodec:
    """One operation in the query protocol."""

    __slots__ = ("_decode", "_end", "_result_end", "_start", "_url_member", "_write")

    def __init__(
        self,
        operation: OperationModel,
        namespace: str,
        url_member: str | None,
        decoders: FormDecoders,
        writers: XmlWriters,
    ) -> None:
        source = operation.input
        self._url_member = url_member if source is not None and url_member in source.members else None
        target = operation.output
        self._decode = decoders.structure(source)
        self._write = writers.members(target.name, target.members) if target else None
        wrapper = target.traits.get("resultWrapper") if target else None
        self._start = f"<{operation.name}Response{namespace}>" + (f"<{wrapper}>" if wrapper else "")
        self._result_end = (f"</{wrapper}>" if wrapper else "") + "<ResponseMetadata><RequestId>"
        self._end = f"</RequestId></ResponseMetadata></{operation.name}Response>"

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        params = self._decode(tree_of(form_pairs(request)))
        if self._url_member is not None and self._url_member not in params and len(request.raw_path) > 1:
            # A queue is also named by the URL that the request is sent to.
            params[self._url_member] = f"{request.scheme}://{request.host}{request.raw_path}"
        return params

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
    out.extend(f"<{name}>{escape(text)}</{name}>" for name, text in answer.extra.items())
