"""The errors of SNS, by the names of their shapes. https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html"""

from cloudlet.errors import ServiceError


class AuthorizationError(ServiceError):
    """Indicates that the user has been denied access to the requested resource."""

    code = "AuthorizationErrorException"
    status = 403


class BatchEntryIdsNotDistinct(ServiceError):
    """Two or more batch entries in the request have the same Id."""

    code = "BatchEntryIdsNotDistinctException"


class BatchRequestTooLong(ServiceError):
    """The length of all the batch messages put together is more than the limit."""

    code = "BatchRequestTooLongException"


class EmptyBatchRequest(ServiceError):
    """The batch request doesn't contain any entries."""

    code = "EmptyBatchRequestException"


class FilterPolicyLimitExceeded(ServiceError):
    """The number of filter policies exceeds the limit."""

    code = "FilterPolicyLimitExceededException"
    status = 403


class InvalidBatchEntryId(ServiceError):
    """The Id of a batch entry in a batch request doesn't abide by the specification."""

    code = "InvalidBatchEntryIdException"


class InvalidParameter(ServiceError):
    """A request parameter does not comply with the associated constraints."""

    code = "InvalidParameterException"


class InvalidParameterValue(ServiceError):
    """A message attribute is not valid."""

    code = "InvalidParameterValueException"


class InvalidState(ServiceError):
    """The specified state is not a valid state for an event source."""

    code = "InvalidStateException"


class NotFound(ServiceError):
    """The requested resource does not exist."""

    code = "NotFoundException"
    status = 404


class ResourceNotFound(ServiceError):
    """Can't perform the action on the specified resource. Make sure that the resource exists."""

    code = "ResourceNotFoundException"
    status = 404


class SubscriptionLimitExceeded(ServiceError):
    """The customer already owns the maximum allowed number of subscriptions."""

    code = "SubscriptionLimitExceededException"
    status = 403


class TagLimitExceeded(ServiceError):
    """Can't add more than 50 tags to a topic."""

    code = "TagLimitExceededException"


class TooManyEntriesInBatchRequest(ServiceError):
    """The batch request contains more entries than permissible."""

    code = "TooManyEntriesInBatchRequestException"


def invalid(text: str) -> InvalidParameter:
    """The error for a parameter: its name, and maybe `Reason:` and what is wrong."""
    return InvalidParameter(f"Invalid parameter: {text}")


def no_topic() -> NotFound:
    """The error for a topic that is not there."""
    return NotFound("Topic does not exist")


def no_subscription() -> NotFound:
    """The error for a subscription that is not there."""
    return NotFound("Subscription does not exist")
