"""S3's own rules for signed requests, and its texts.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from typing import ClassVar

from cloudlet.iam.claim_check import LONG_SKEW_S, ClaimCheck, is_region
from cloudlet.iam.refusal import AuthenticationError, refusal, s3_refusal
from cloudlet.wire import sigv4

SIGNING_NAMES = frozenset({"s3", "s3express", "s3-outposts", "s3-object-lambda"})

_MALFORMED = "The authorization header is malformed; "
_COMPONENTS = "the authorization header requires three components: Credential, SignedHeaders, and Signature."
_CREDENTIAL = 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
_PARAMETERS = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
    "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)
_MECHANISM = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)
_CONTENT_SHA256 = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 "
    "value."
)


class S3ClaimCheck(ClaimCheck):
    """The checks of one request to S3."""

    is_s3: ClassVar[bool] = True

    def claim(self) -> sigv4.Claim:
        claim = super().claim()
        if not claim.presigned and "X-Amz-Algorithm=" in self.request.query_string:
            raise s3_refusal("InvalidArgument", 400, _ONE_MECHANISM, ArgumentName="Authorization")
        if claim.presigned and claim.expires is None:
            raise self.query_error(_PARAMETERS)
        return claim

    def unreadable(self, error: sigv4.SignatureFormatError) -> AuthenticationError:
        if "authorization" in self.request.headers:
            if error.algorithm:
                return s3_refusal("InvalidRequest", 400, _MECHANISM)
            return refusal("s3", "incomplete", _MALFORMED + _COMPONENTS)
        if error.algorithm == sigv4.ALGORITHM_V4A:
            return self.query_error("X-Amz-Algorithm AWS4-ECDSA-P256-SHA256 is not supported. Use AWS4-HMAC-SHA256.")
        if error.algorithm:
            return self.query_error('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
        return self.query_error(_PARAMETERS)

    def query_error(self, text: str) -> AuthenticationError:
        return s3_refusal("AuthorizationQueryParametersError", 400, text)

    def no_moment(self, claim: sigv4.Claim) -> AuthenticationError:
        if claim.presigned:
            return self.query_error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        return s3_refusal("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")

    def check_time(self, claim: sigv4.Claim, moment: int, lifetime_s: int | None, now: float) -> None:
        server_time = _iso(now)
        if lifetime_s is None:
            if abs(now - moment) > LONG_SKEW_S:
                raise s3_refusal(
                    "RequestTimeTooSkewed",
                    403,
                    "The difference between the request time and the current time is too large.",
                    RequestTime=claim.timestamp,
                    ServerTime=server_time,
                    MaxAllowedSkewMilliseconds=str(LONG_SKEW_S * 1000),
                )
        elif now > moment + lifetime_s:
            fields = {"X-Amz-Expires": str(lifetime_s), "Expires": _iso(moment + lifetime_s)}
            raise s3_refusal("AccessDenied", 403, "Request has expired", **fields, ServerTime=server_time)
        elif moment > now + LONG_SKEW_S:
            raise s3_refusal("AccessDenied", 403, "Request is not yet valid", ServerTime=server_time)

    def scope(self, claim: sigv4.Claim) -> None:
        if fault := self._scope_fault(claim):
            if claim.presigned:
                raise self.query_error(f"Error parsing the X-Amz-Credential parameter; {fault}")
            raise refusal("s3", "incomplete", _MALFORMED + fault)
        not_signed = [
            name
            for name in self.request.headers
            if (name == "host" or name.startswith("x-amz-")) and name not in claim.signed_headers
        ]
        if not_signed:
            text = "There were headers present in the request which were not signed"
            raise s3_refusal("AccessDenied", 403, text, HeadersNotSigned=", ".join(not_signed))

    def _scope_fault(self, claim: sigv4.Claim) -> str:
        credential, day = claim.credential, claim.timestamp[:8]
        if not credential.terminator:
            return _CREDENTIAL
        if credential.date != day:
            return f'Invalid credential date "{credential.date}". This date is not the same as X-Amz-Date: "{day}".'
        if self.signing_name and credential.service != self.signing_name:
            return f'incorrect service "{credential.service}". This endpoint belongs to "{self.signing_name}".'
        if credential.terminator != sigv4.TERMINATOR:
            return f'incorrect terminator "{credential.terminator}". This endpoint uses "aws4_request".'
        return "" if is_region(credential.region) else f"the region '{credential.region}' is wrong"

    def unknown_key(self, _claim: sigv4.Claim) -> AuthenticationError:
        return refusal("s3", "unknown-key", AWSAccessKeyId=_claim.credential.access_key_id)

    def payload_word(self, claim: sigv4.Claim) -> str | None:
        if claim.presigned and self.declared_payload(claim) is None:
            return sigv4.UNSIGNED_PAYLOAD
        return super().payload_word(claim)

    def check_payload(self, claim: sigv4.Claim, body_hash: str) -> None:
        declared = self.declared_payload(claim)
        if declared == body_hash:
            return
        if declared is None:
            text = "Missing required header for this request: x-amz-content-sha256"
            raise s3_refusal("InvalidRequest", 400, text)
        if not sigv4.is_payload_hash(declared):
            fields = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": declared}
            raise s3_refusal("InvalidArgument", 400, _CONTENT_SHA256, **fields)
        raise s3_refusal(
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ClientComputedContentSHA256=declared,
            S3ComputedContentSHA256=body_hash,
        )

    def mismatch(self, claim: sigv4.Claim, payload_hash: str) -> AuthenticationError:
        canonical, text = self.strings(claim, payload_hash)
        return refusal(
            "s3",
            "mismatch",
            AWSAccessKeyId=claim.credential.access_key_id,
            StringToSign=text,
            SignatureProvided=claim.signature,
            StringToSignBytes=text.encode("latin-1", "replace").hex(" "),
            CanonicalRequest=canonical,
            CanonicalRequestBytes=canonical.encode("latin-1", "replace").hex(" "),
        )


def _iso(moment: float) -> str:
    text = sigv4.basic_format(moment)
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:11]}:{text[11:13]}:{text[13:15]}Z"
