"""The errors of CloudWatch, by the names of their shapes.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
"""

from cloudlet.errors import RequestTooLarge, ServiceError


class InvalidParameterValue(ServiceError):
    """The value of an input parameter is bad or out-of-range."""

    code = "InvalidParameterValueException"


class InvalidParameterCombination(ServiceError):
    """Parameters were used together that cannot be used together."""

    code = "InvalidParameterCombinationException"


class MissingParameter(ServiceError):
    """An input parameter that is required is missing."""

    code = "MissingRequiredParameterException"


class InvalidNextToken(ServiceError):
    """The next token specified is invalid."""

    code = "InvalidNextToken"


class ValidationFailed(ServiceError):
    """The input fails to satisfy the constraints specified by CloudWatch."""

    code = "ValidationError"


class PutTooLarge(RequestTooLarge):
    """The request is larger than PutMetricData takes."""

    code = "RequestEntityTooLarge"
