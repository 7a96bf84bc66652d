"""The ec2 protocol: query with flat lists and names of its own. https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html"""

from collections.abc import Mapping
from typing import Any

from cloudlet.wire.errors import ErrorAnswer
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols.form import Ec2FormDecoders, form_pairs, tree_of
from cloudlet.wire.protocols.query import write_error_members, xml_response
from cloudlet.wire.protocols.xml_write import XmlWriters, escape, quoted
from cloudlet.wire.shapes import Model, OperationModel


class Ec2Dialect:
    """The ec2 protocol of one service."""

    def __init__(self, model: Model) -> None:
        uri = model.metadata.get("xmlNamespace")
        self._namespace = f" xmlns={quoted(uri)}" if uri else ""
        self._decoders = Ec2FormDecoders()
        self._writers = XmlWriters()

    def codec(self, operation: OperationModel) -> "Ec2Codec":
        return Ec2Codec(operation, self._namespace, self._decoders, self._writers)

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        out = ["<Response><Errors><Error>"]
        write_error_members(out, answer, self._writers)
        out.append(f"</Error></Errors><RequestID>{escape(request_id)}</RequestID></Response>")
        return xml_response(answer.status, out, request_id)


class Ec2Codec:
    """One operation in the ec2 protocol."""

    __slots__ = ("_decode", "_end", "_start", "_write")

    def __init__(
        self, operation: OperationModel, namespace: str, decoders: Ec2FormDecoders, writers: XmlWriters
    ) -> None:
        target = operation.output
        self._decode = decoders.structure(operation.input)
        self._write = writers.members(target.name, target.members) if target else None
        self._start = f"<{operation.name}Response{namespace}><requestId>"
        self._end = f"</{operation.name}Response>"

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        return self._decode(tree_of(form_pairs(request)))

    def encode(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        out = [self._start, escape(request_id), "</requestId>"]
        if self._write is not None:
            self._write(out, result)
        else:
            out.append("<return>true</return>")
        out.append(self._end)
        return xml_response(200, out, request_id)
