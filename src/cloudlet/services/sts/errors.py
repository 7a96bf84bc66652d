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


class InvalidIdentityToken(StsError):
    """The web identity token that was passed could not be validated."""

    code = "InvalidIdentityTokenException"


class ExpiredToken(StsError):
    """The web identity token that was passed is expired."""

    code = "ExpiredTokenException"


class IdpCommunicationError(StsError):
    """The identity provider could not be reached to verify the incoming identity token."""

    code = "IDPCommunicationErrorException"


class IdpRejectedClaim(StsError):
    """The identity provider's claim is invalid."""

    code = "IDPRejectedClaimException"
    status = 403


class InvalidAuthorizationMessage(StsError):
    """The message passed to DecodeAuthorizationMessage was invalid."""

    code = "InvalidAuthorizationMessageException"
