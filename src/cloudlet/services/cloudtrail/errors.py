"""CloudTrail's errors, as its model names them."""

from cloudlet.errors import ServiceError


class CloudTrailError(ServiceError):
    """Any error of CloudTrail."""


class InvalidLookupAttributes(CloudTrailError):
    """Occurs when a lookup attribute is specified that is not valid."""

    code = "InvalidLookupAttributesException"


class InvalidTimeRange(CloudTrailError):
    """Occurs if the timestamp values are not valid."""

    code = "InvalidTimeRangeException"


class InvalidNextToken(CloudTrailError):
    """A token that is not valid, or that was used before with other parameters."""

    code = "InvalidNextTokenException"
