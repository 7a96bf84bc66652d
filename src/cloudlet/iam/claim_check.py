"""What a signed request has to satisfy before its signature is computed, and what is said when it does not.

These are the rules and texts that most services share; S3's own are in `cloudlet.iam.s3_claim_check`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

import base64
import re
from functools import lru_cache
from hashlib import sha256
from typing import ClassVar

from cloudlet.iam.refusal import SIGNATURE_MISMATCH, AuthenticationError, Family, refusal, unsigned_refusal
from cloudlet.wire import sigv4
from cloudlet.wire.http import HttpRequest

SKEW_S = 5 * 60
"""How far a client's clock may be off, in seconds."""
LONG_SKEW_S = 15 * 60
"""The same, for S3 and STS."""

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_NEITHER_DATE = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
_HOST_NOT_SIGNED = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


class ClaimCheck:
    """The checks of one request. All methods raise AuthenticationError."""

    is_s3: ClassVar[bool] = False

    def __init__(self, request: HttpRequest, signing_name: str, of: Family) -> None:
        self.request = request
        self.family = of
        self.signing_name = signing_name

    def claim(self) -> sigv4.Claim:
        """What the request claims of its signature."""
        try:
            claim = sigv4.claim(self.request)
        except sigv4.SignatureFormatError as error:
            raise self.unreadable(error) from error
        if claim is None:
            url = f"{self.request.scheme}://{self.request.host}{self.request.raw_path}"
            raise unsigned_refusal(self.signing_name, self.family, url)
        return claim

    def unreadable(self, error: sigv4.SignatureFormatError) -> AuthenticationError:
        """The request says that it is signed, but not in a form that can be read."""
        presigned = "authorization" not in self.request.headers
        if error.algorithm and (presigned or error.algorithm.startswith("AWS4-")):
            return self._incomplete(f"Unsupported AWS 'algorithm': '{error.algorithm}'")
        if presigned:
            absent = " ".join(f"AWS query-string parameters must include '{name}'." for name in error.missing)
            return self._incomplete(f"{absent} Re-examine the query-string parameters.")
        if error.pair:
            return self._incomplete(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded "
                f"with Base64): '{_digest(self.request.headers['authorization'])}'."
            )
        if error.algorithm and self.family != "rest-json":
            return refusal(self.family, "missing")
        return self._lacking(error.missing or ("Credential", "Signature", "SignedHeaders"))

    def _lacking(self, missing: tuple[str, ...]) -> AuthenticationError:
        """The text that names all that the Authorization header lacks."""
        lacks = [f"Authorization header requires '{name}' parameter." for name in missing]
        headers = self.request.headers
        if "x-amz-date" not in headers and "date" not in headers:
            lacks.append(_NEITHER_DATE)
        digest = _digest(headers.get("authorization", ""))
        return self._incomplete(
            f"{' '.join(lacks)} (Hashed with SHA-256 and encoded with Base64) Authorization={digest}"
        )

    def _incomplete(self, text: str) -> AuthenticationError:
        return refusal(self.family, "incomplete", text)

    def time(self, claim: sigv4.Claim, now: float) -> None:
        """The signature is for `now`: a client's clock may be off a little, a presigned request is good for a while."""
        try:
            moment = sigv4.epoch(claim.timestamp)
        except ValueError:
            raise self.no_moment(claim) from None
        lifetime_s = None if claim.expires is None else self._presigned_s(claim.expires)
        self.check_time(claim, moment, lifetime_s, now)

    def no_moment(self, claim: sigv4.Claim) -> AuthenticationError:
        """The request does not say when it was signed."""
        if not claim.timestamp:
            return self._lacking(())
        return self._incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{claim.timestamp}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        )

    def check_time(self, claim: sigv4.Claim, moment: int, lifetime_s: int | None, now: float) -> None:
        """Signed at `moment`; `lifetime_s` is for a presigned request that says how long it is good for."""
        skew_s = LONG_SKEW_S if self.signing_name == "sts" else SKEW_S
        oldest_s = skew_s if lifetime_s is None else lifetime_s
        if now > moment + oldest_s:
            raise self._wrong_time(f"Signature expired: {claim.timestamp} is now earlier than", now, "-", oldest_s)
        if moment > now + skew_s:
            raise self._wrong_time(
                f"Signature not yet current: {claim.timestamp} is still later than", now, "+", skew_s
            )

    def _wrong_time(self, text: str, now: float, sign: str, allowed_s: int) -> AuthenticationError:
        limit = sigv4.basic_format(now - allowed_s if sign == "-" else now + allowed_s)
        allowed = f"{allowed_s // 60} min" if allowed_s % 60 == 0 else f"{allowed_s} sec"
        text = f"{text} {limit} ({sigv4.basic_format(now)} {sign} {allowed}.)"
        return refusal(self.family, "mismatch", text)

    def _presigned_s(self, expires: str) -> int:
        if not (expires.isascii() and expires.removeprefix("-").isdecimal()):
            raise self.query_error("X-Amz-Expires should be a number")
        if expires.startswith("-"):
            raise self.query_error("X-Amz-Expires must be non-negative")
        if len(expires) > 12 or int(expires) > sigv4.MAX_PRESIGNED_S:
            raise self.query_error(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less "
                f"than {sigv4.MAX_PRESIGNED_S} seconds"
            )
        return int(expires)

    def query_error(self, text: str) -> AuthenticationError:
        """A parameter of a presigned request has a value that it cannot have."""
        return self._incomplete(text)

    def scope(self, claim: sigv4.Claim) -> None:
        """The credential is for this day, this service and some region, and the host is signed."""
        credential = claim.credential
        if "host" not in claim.signed_headers:
            raise self._incomplete(_HOST_NOT_SIGNED)
        if not credential.terminator:
            raise self._incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
                f"'{credential.text}'"
            )
        faults = []
        if not is_region(credential.region):
            faults.append(f"Credential should be scoped to a valid region, not '{credential.region}'.")
        if self.signing_name and credential.service != self.signing_name:
            faults.append(f"Credential should be scoped to correct service: '{self.signing_name}'.")
        if credential.terminator != sigv4.TERMINATOR:
            faults.append(
                f"Credential should be scoped with a valid terminator: 'aws4_request', not '{credential.terminator}'."
            )
        if credential.date != claim.timestamp[:8]:
            faults.append(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{credential.date}' != '{claim.timestamp[:8]}', from '{claim.timestamp}'."
            )
        if faults:
            raise refusal(self.family, "mismatch", " ".join(faults))

    def unknown_key(self, _claim: sigv4.Claim) -> AuthenticationError:
        """Nobody has this access key."""
        return refusal(self.family, "unknown-key")

    def payload_word(self, claim: sigv4.Claim) -> str | None:
        """The word that stands for the body's SHA-256 in the signature, where the client put one there."""
        declared = self.declared_payload(claim)
        return declared if declared == sigv4.UNSIGNED_PAYLOAD or declared in sigv4.STREAMING else None

    def check_payload(self, claim: sigv4.Claim, body_hash: str) -> None:
        """The body is what the request says of it. Others than S3 find that out with the signature."""

    def declared_payload(self, claim: sigv4.Claim) -> str | None:
        """What the request says of its body: a SHA-256 or a word."""
        declared = self.request.headers.get("x-amz-content-sha256")
        if declared is None and claim.presigned and "X-Amz-Content-Sha256" in self.request.query_string:
            return sigv4.presigned_parameters(self.request.query_string).get("X-Amz-Content-Sha256")
        return declared

    def mismatch(self, claim: sigv4.Claim, payload_hash: str) -> AuthenticationError:
        """The signature is another than the one that the request ought to have."""
        if self.family in ("query", "ec2"):
            return refusal(self.family, "mismatch")
        canonical, text = self.strings(claim, payload_hash)
        return refusal(
            self.family,
            "mismatch",
            f"{SIGNATURE_MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n"
            f"The String-to-Sign should have been\n'{text}'\n",
        )

    def strings(self, claim: sigv4.Claim, payload_hash: str) -> tuple[str, str]:
        """The canonical request and the string to sign, for the client to compare with its own."""
        canonical = sigv4.canonical_request(self.request, claim.signed_headers, payload_hash, is_s3=self.is_s3)
        return canonical, sigv4.string_to_sign(claim.timestamp, claim.credential.scope, canonical)


@lru_cache(maxsize=256)
def is_region(name: str) -> bool:
    """True for what has the form of a region's name."""
    return _REGION.fullmatch(name) is not None


def _digest(text: str) -> str:
    """What AWS says of a header that it does not want to repeat."""
    return base64.b64encode(sha256(text.encode()).digest()).decode()
