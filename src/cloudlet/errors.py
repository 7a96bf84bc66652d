"""Errors that a client sees. Every service's modelled errors derive from `ServiceError`."""

from collections.abc import Mapping
from typing import Any, ClassVar


class CloudletError(Exception):
    """The base of all errors that this program raises on purpose."""


class ServiceError(CloudletError):
    """An error answer of a service: a modelled shape where the model has one, a plain code where not.

    `code` names the error's shape (or the bare code that AWS uses), `fields` holds further members of
    that shape. The HTTP status comes from the model; `status` is used where the model gives none.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields: Mapping[str, Any] = fields

    @property
    def sender_fault(self) -> bool:
        """True where the caller is to blame (4xx), false where the platform is (5xx)."""
        return self.status < 500


class InternalFailure(ServiceError):
    """The request processing has failed because of an unknown error, exception or failure."""

    code = "InternalFailure"
    status = 500


class ServiceUnavailable(ServiceError):
    """The request has failed due to a temporary failure of the server."""

    code = "ServiceUnavailable"
    status = 503


class OperationNotImplemented(ServiceError):
    """The operation exists on AWS but not here (yet)."""

    code = "NotImplemented"
    status = 501


class AccessDenied(ServiceError):
    """The caller has no permission for this action."""

    code = "AccessDeniedException"
    status = 403


class ValidationError(ServiceError):
    """The input fails to satisfy the constraints of the service's model."""

    code = "ValidationException"
    status = 400


class SerializationError(ServiceError):
    """The request's body or parameters could not be parsed."""

    code = "SerializationException"
    status = 400


class RequestTooLarge(ServiceError):
    """The request's body is larger than the service accepts."""

    code = "RequestEntityTooLargeException"
    status = 413
