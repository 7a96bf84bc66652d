"""The errors that CloudWatch Logs models."""

from cloudlet.errors import ServiceError


class InvalidParameter(ServiceError):
    """A parameter is specified incorrectly."""

    code = "InvalidParameterException"


class InvalidOperation(ServiceError):
    """The operation is not valid on the specified resource."""

    code = "InvalidOperationException"


class LimitExceeded(ServiceError):
    """You have reached the maximum number of resources that can be created."""

    code = "LimitExceededException"


class ResourceAlreadyExists(ServiceError):
    """The specified resource already exists."""

    code = "ResourceAlreadyExistsException"


class ResourceNotFound(ServiceError):
    """The specified resource does not exist."""

    code = "ResourceNotFoundException"


class TooManyTags(ServiceError):
    """A resource can have no more than 50 tags."""

    code = "TooManyTagsException"


class Validation(ServiceError):
    """One of the parameters for the request is not valid."""

    code = "ValidationException"


def group_not_found() -> ResourceNotFound:
    """The error for a log group that is not there."""
    return ResourceNotFound("The specified log group does not exist.")


def stream_not_found() -> ResourceNotFound:
    """The error for a log stream that is not there."""
    return ResourceNotFound("The specified log stream does not exist.")


def invalid_token() -> InvalidParameter:
    """The error for a token that this service did not give."""
    return InvalidParameter("The specified nextToken is invalid.")
