"""Answers to requests of which no service or operation is known, in the form that their client most likely reads."""

from xml.sax.saxutils import escape

import orjson

from cloudlet.errors import ServiceError
from cloudlet.wire.http import HttpRequest, HttpResponse


class UnknownOperation(ServiceError):
    """No such operation: what JSON and REST services answer."""

    code = "UnknownOperationException"
    status = 404


class UnknownJsonOperation(UnknownOperation):
    """The same of services whose operation stands in X-Amz-Target."""

    status = 400


class InvalidAction(ServiceError):
    """No such operation: what query services answer.

    https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
    """

    code = "InvalidAction"


class MissingAction(ServiceError):
    """The request names no action."""

    code = "MissingAction"


def encode_unresolved(request: HttpRequest, error: ServiceError, request_id: str) -> HttpResponse:
    """`error` as JSON, or as XML where the request looks like one of a query or XML service."""
    content_type = request.headers.get("content-type", "")
    wants_xml = (
        content_type.startswith("application/x-www-form-urlencoded")
        or "xml" in content_type
        or "Action=" in request.query_string
        or "xml" in request.headers.get("accept", "")
    )
    if not wants_xml:
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
        return HttpResponse(error.status, headers, orjson.dumps({"__type": error.code, "message": error.message}))
    kind = "Sender" if error.sender_fault else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return HttpResponse(error.status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode())
