"""STS's errors, as its model names them where it does."""

from cloudlet.errors import ServiceError


class StsError(ServiceError):
    """Any error of STS."""


class MalformedPolicyDocument(StsError):
    """The request was rejected because the policy document was malformed."""

    code = "MalformedPolicyDocumentException"


class PackedPolicyTooLarge(StsError):
    """The session policies and tags of the request take more room than a session has for them."""

    code = "PackedPolicyTooLargeException"


class InvalidParameterValue(StsError):
    """A parameter has a value that it cannot have together with the others."""

    code = "InvalidParameterValue"
