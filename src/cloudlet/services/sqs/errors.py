"""The errors of SQS, by the names of their shapes. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference"""

from cloudlet.errors import ServiceError


class BatchEntryIdsNotDistinct(ServiceError):
    """Two or more batch entries in the request have the same `Id`."""

    code = "BatchEntryIdsNotDistinct"


class BatchRequestTooLong(ServiceError):
    """The length of all the messages put together is more than the limit."""

    code = "BatchRequestTooLong"


class EmptyBatchRequest(ServiceError):
    """The batch request doesn't contain any entries."""

    code = "EmptyBatchRequest"


class InvalidAddress(ServiceError):
    """The specified ID is invalid."""

    code = "InvalidAddress"


class InvalidAttributeName(ServiceError):
    """The specified attribute doesn't exist."""

    code = "InvalidAttributeName"


class InvalidAttributeValue(ServiceError):
    """A queue attribute value is invalid."""

    code = "InvalidAttributeValue"


class InvalidBatchEntryId(ServiceError):
    """The `Id` of a batch entry in a batch request doesn't abide by the specification."""

    code = "InvalidBatchEntryId"


class InvalidMessageContents(ServiceError):
    """The message contains characters outside the allowed set."""

    code = "InvalidMessageContents"


class InvalidParameterValue(ServiceError):
    """A value is out of its range or has the wrong form."""

    code = "InvalidParameterValueException"


class MissingParameter(ServiceError):
    """A required parameter is missing or empty."""

    code = "MissingRequiredParameterException"


class OverLimit(ServiceError):
    """The specified action violates a limit."""

    code = "OverLimit"
    status = 403


class PurgeQueueInProgress(ServiceError):
    """The queue was purged within the last 60 seconds."""

    code = "PurgeQueueInProgress"
    status = 403


class QueueDeletedRecently(ServiceError):
    """You must wait 60 seconds after deleting a queue before you can create another queue with the same name."""

    code = "QueueDeletedRecently"


class QueueDoesNotExist(ServiceError):
    """The specified queue doesn't exist."""

    code = "QueueDoesNotExist"


class QueueNameExists(ServiceError):
    """A queue with this name and other attributes exists."""

    code = "QueueNameExists"


class ReceiptHandleIsInvalid(ServiceError):
    """The specified receipt handle isn't valid."""

    code = "ReceiptHandleIsInvalid"
    status = 404


class ResourceNotFound(ServiceError):
    """One or more specified resources don't exist."""

    code = "ResourceNotFoundException"
    status = 404


class TooManyEntriesInBatchRequest(ServiceError):
    """The batch request contains more entries than permissible."""

    code = "TooManyEntriesInBatchRequest"


class UnsupportedOperation(ServiceError):
    """Unsupported operation."""

    code = "UnsupportedOperation"


def invalid(value: object, parameter: str, reason: str) -> InvalidParameterValue:
    """The error for a value that a parameter cannot have."""
    return InvalidParameterValue(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> MissingParameter:
    """The error for a parameter that is not there."""
    return MissingParameter(f"The request must contain the parameter {parameter}.")


def no_queue() -> QueueDoesNotExist:
    """The error for a queue that is not there."""
    return QueueDoesNotExist("The specified queue does not exist.")
