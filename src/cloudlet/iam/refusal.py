"""How each family of services says that it does not know the caller.

AWS's services check signatures with a few common front ends, and these differ in codes, statuses and texts: the same
wrong signature is SignatureDoesNotMatch (403) of the query services, InvalidSignatureException of the JSON services
(400, and 403 where they are REST), and SignatureDoesNotMatch with the strings as elements of S3. SQS, once a query
service, has the codes of the JSON services and the statuses of before.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from functools import lru_cache
from typing import Any, Literal

from cloudlet.errors import ServiceError

Family = Literal["query", "json", "query-compatible", "rest-json", "ec2", "s3"]
Reason = Literal["missing", "incomplete", "mismatch", "unknown-key", "invalid-token", "expired-token"]

SIGNATURE_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
S3_SIGNATURE_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
INVALID_TOKEN = "The security token included in the request is invalid."
EXPIRED_TOKEN = "The security token included in the request is expired"
EC2_INVALID = "AWS was not able to validate the provided access credentials"


class AuthenticationError(ServiceError):
    """The caller is not known, or the request is not what its caller signed."""

    status = 403


@lru_cache(maxsize=256)
def _error(code: str, status: int) -> type[AuthenticationError]:
    """The class of the errors with this code and status; there are only as many as this module names."""
    return type(code, (AuthenticationError,), {"code": code, "status": status})


_ANSWERS: dict[Family, dict[Reason, tuple[str, int, str]]] = {
    "query": {
        "missing": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
        "incomplete": ("IncompleteSignature", 400, ""),
        "mismatch": ("SignatureDoesNotMatch", 403, SIGNATURE_MISMATCH),
        "unknown-key": ("InvalidClientTokenId", 403, INVALID_TOKEN),
        "invalid-token": ("InvalidClientTokenId", 403, INVALID_TOKEN),
        "expired-token": ("ExpiredToken", 403, EXPIRED_TOKEN),
    },
    "json": {
        "missing": ("MissingAuthenticationTokenException", 400, "Request is missing Authentication Token"),
        "incomplete": ("IncompleteSignatureException", 400, ""),
        "mismatch": ("InvalidSignatureException", 400, SIGNATURE_MISMATCH),
        "unknown-key": ("UnrecognizedClientException", 400, INVALID_TOKEN),
        "invalid-token": ("UnrecognizedClientException", 400, INVALID_TOKEN),
        "expired-token": ("ExpiredTokenException", 400, EXPIRED_TOKEN),
    },
    "query-compatible": {
        "missing": ("MissingAuthenticationTokenException", 403, "Request is missing Authentication Token"),
        "incomplete": ("IncompleteSignatureException", 400, ""),
        "mismatch": ("InvalidSignatureException", 403, SIGNATURE_MISMATCH),
        "unknown-key": ("UnrecognizedClientException", 403, INVALID_TOKEN),
        "invalid-token": ("UnrecognizedClientException", 403, INVALID_TOKEN),
        "expired-token": ("ExpiredTokenException", 403, EXPIRED_TOKEN),
    },
    "rest-json": {
        "missing": ("MissingAuthenticationTokenException", 403, "Missing Authentication Token"),
        "incomplete": ("IncompleteSignatureException", 403, ""),
        "mismatch": ("InvalidSignatureException", 403, SIGNATURE_MISMATCH),
        "unknown-key": ("UnrecognizedClientException", 403, INVALID_TOKEN),
        "invalid-token": ("UnrecognizedClientException", 403, INVALID_TOKEN),
        "expired-token": ("ExpiredTokenException", 403, EXPIRED_TOKEN),
    },
    "ec2": {
        "missing": ("AuthFailure", 401, EC2_INVALID),
        "incomplete": ("AuthFailure", 401, ""),
        "mismatch": ("AuthFailure", 401, EC2_INVALID),
        "unknown-key": ("AuthFailure", 401, EC2_INVALID),
        "invalid-token": ("AuthFailure", 401, EC2_INVALID),
        "expired-token": ("RequestExpired", 400, "Request has expired."),
    },
    "s3": {
        "missing": ("AccessDenied", 403, "Access Denied"),
        "incomplete": ("AuthorizationHeaderMalformed", 400, ""),
        "mismatch": ("SignatureDoesNotMatch", 403, S3_SIGNATURE_MISMATCH),
        "unknown-key": (
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        "invalid-token": ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
        "expired-token": ("ExpiredToken", 400, "The provided token has expired."),
    },
}


_FAMILIES: dict[str, Family] = {"json": "json", "smithy-rpc-v2-cbor": "json", "rest-json": "rest-json", "ec2": "ec2"}
_OWN_FAMILIES: dict[tuple[str, str], Family] = {("sqs", "json"): "query-compatible"}
_DENY_NOBODY = {"sqs": "Access to the resource {url} is denied."}
"""Services that take a request without a signature for one of an anonymous caller, whatever it asks for: what they say
to one who has no permission. The others miss the signature."""


def family(protocol: str, service: str = "") -> Family:
    """The family of a service, S3 apart, by the protocol that it is called with, as botocore names both."""
    return _OWN_FAMILIES.get((service, protocol)) or _FAMILIES.get(protocol, "query")


def unsigned_refusal(service: str, of: Family, url: str) -> AuthenticationError:
    """The error for a request to `url` that nobody has signed, and that nobody may make."""
    text = _DENY_NOBODY.get(service)
    return refusal(of, "missing") if text is None else _error("AccessDeniedException", 403)(text.format(url=url))


def refusal(of: Family, reason: Reason, message: str = "", **fields: Any) -> AuthenticationError:
    """The error that a service of this family gives for `reason`, with its own text unless `message` is given."""
    code, status, usual_message = _ANSWERS[of][reason]
    return _error(code, status)(message or usual_message, **fields)


def s3_refusal(code: str, status: int, message: str, **fields: Any) -> AuthenticationError:
    """A refusal that only S3 gives. `code` is one of those in this package, never a client's text."""
    return _error(code, status)(message, **fields)
