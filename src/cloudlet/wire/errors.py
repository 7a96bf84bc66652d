"""From an error that was raised to what an answer says of it: code, status, who is to blame, members.

A modelled error is found by the name of its shape or by the code that the model gives it. What the model does not
have is answered with the error's own code, in the spelling that the protocol's services use for errors common to all
(https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and its like in other services).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudlet.errors import ServiceError
from cloudlet.wire.shapes import Model, Shape, StructureShape, members_of

_COMMON_CODES: dict[str, dict[str, str]] = {
    "query": {"AccessDeniedException": "AccessDenied", "ValidationException": "ValidationError"},
    "ec2": {"AccessDeniedException": "UnauthorizedOperation", "InternalFailure": "InternalError"},
    "rest-xml": {"AccessDeniedException": "AccessDenied", "InternalFailure": "InternalError"},
}

_FORMER_CODES = {
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "SerializationException": "MalformedInput",
    "UnknownOperationException": "InvalidAction",
    "UnrecognizedClientException": "InvalidClientTokenId",
}
"""What a service that once spoke the query protocol called the errors common to all: it tells both names."""

_OWN_DENIAL = "AuthorizationErrorException"
"""What a service whose model has it says instead of AccessDenied: SNS."""
IN_RESPONSES = ("header", "headers", "statusCode")
"""The places of an answer other than its body to which a member can be bound."""


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error as the protocols write it."""

    name: str
    """The name of its shape, or the bare code of an error that is not modelled."""
    code: str
    """The code that query and XML answers show, which a model may set apart from the shape's name; of a service that
    spoke the query protocol, the code of then."""
    status: int
    sender_fault: bool
    message: str
    message_member: str
    """What the shape calls its message: `message` or `Message`."""
    fields: Mapping[str, Any]
    """The members but the message, by their names in the model; only what the shape has, where there is one."""
    extra: Mapping[str, str]
    """Texts that no model has but that S3's answers show: `Key`, `BucketName` ..."""
    shape: StructureShape | None


class ErrorShapes:
    """The errors of one service."""

    def __init__(self, model: Model) -> None:
        self._by_name: dict[str, StructureShape] = {}
        for shape in model.errors():
            self._by_name[shape.name] = shape
        for shape in list(self._by_name.values()):
            self._by_name.setdefault(shape.error_code, shape)
        if (own := self._by_name.get(_OWN_DENIAL)) is not None:
            self._by_name.setdefault("AccessDeniedException", own)
        self._former = _FORMER_CODES if model.is_query_compatible else {}

    def resolve(self, error: ServiceError, protocol: str) -> ErrorAnswer:
        """What an answer in `protocol` says of `error`."""
        shape = self._by_name.get(error.code)
        if shape is not None:
            return _modelled(error, shape)
        answer = resolve_unmodelled(error, protocol)
        former = self._former.get(answer.name)
        return answer if former is None else replace(answer, code=former)


def resolve_unmodelled(error: ServiceError, protocol: str) -> ErrorAnswer:
    """What an answer in `protocol` says of an error that no model has, or where the service is not known."""
    code = _COMMON_CODES.get(protocol, {}).get(error.code, error.code)
    fields = {name: value for name, value in error.fields.items() if value is not None}
    extra = {name: str(value) for name, value in fields.items()}
    message = "Message" if code == "AccessDeniedException" else "message"  # of the common errors this one alone
    return ErrorAnswer(code, code, error.status, error.status < 500, error.message, message, fields, extra, None)


def _modelled(error: ServiceError, shape: StructureShape) -> ErrorAnswer:
    traits = shape.traits.get("error", {})
    server_fault = bool(shape.traits.get("fault"))
    status = traits.get("httpStatusCode") or (max(error.status, 500) if server_fault else error.status)
    sender_fault = traits.get("senderFault", not server_fault and status < 500)
    members = shape.members
    message_member = "Message" if "Message" in members else "message"
    fields = {name: value for name, value in error.fields.items() if name in members and value is not None}
    if "Type" in members and "Type" not in error.fields:
        # Lambda and its like say in the body, too, who is to blame.
        fields["Type"] = "User" if sender_fault else "Service"
    extra = {name: str(value) for name, value in error.fields.items() if name not in members and value is not None}
    return ErrorAnswer(
        shape.name, shape.error_code, status, sender_fault, error.message, message_member, fields, extra, shape
    )


def body_members(answer: ErrorAnswer) -> dict[str, Shape]:
    """The members of an error that its body holds, the message left out."""
    members = members_of(answer.shape)
    return {
        name: member
        for name, member in members.items()
        if name != answer.message_member and member.traits.get("location") not in IN_RESPONSES
    }
