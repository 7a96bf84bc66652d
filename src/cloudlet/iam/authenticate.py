"""From a request to who sent it: the signature's claim, the key, the time, the scope, the body, the signature.

The order is AWS's own, and each step answers as the service's family of front ends does (`cloudlet.iam.refusal`). What
a request claims is read by `cloudlet.wire.sigv4`; what a key stands for is known to `cloudlet.iam.credentials`.
"""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cloudlet.clock import Clock
from cloudlet.config import Config
from cloudlet.iam.claim_check import ClaimCheck, is_region
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.principals import KnownKey, Principal
from cloudlet.iam.refusal import family, refusal
from cloudlet.iam.s3_claim_check import SIGNING_NAMES, S3ClaimCheck
from cloudlet.iam.tokens import InvalidToken
from cloudlet.iam.unsigned import OPTIONAL, UNSIGNED, is_for_anybody
from cloudlet.wire import sigv4
from cloudlet.wire.aws_chunked import ChunkSigner, decode_body, is_chunked
from cloudlet.wire.http import HttpRequest

_HASHED_IN_LOOP_BYTES = 1024 * 1024
"""A larger body is hashed in a thread."""


class Target(NamedTuple):
    """Where a request goes, as the router found it."""

    service: str
    """botocore's name of the service."""
    signing_name: str
    """What the credential's scope has to name; empty to let it name any service."""
    protocol: str
    """botocore's name of the protocol that the request came with."""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who sent a request, and what its signature was made for."""

    principal: Principal
    region: str
    service: str
    """The signing name in the credential's scope; the target's when the request is not signed."""


class Authenticator:
    """Turns requests into principals. Keeps nothing but what it is given."""

    def __init__(self, config: Config, credentials: Credentials, clock: Clock) -> None:
        self._config = config
        self._credentials = credentials
        self._clock = clock

    async def authenticate(self, request: HttpRequest, target: Target, *, sandboxed: bool = False) -> Authenticated:
        """Who sent `request`. Its body is what the signature covers; one in signed chunks is replaced by its content.

        `sandboxed` is for requests from inside a sandbox. Raises AuthenticationError, or ServiceError for a body in
        chunks that is not well formed.
        """
        if target.operation in UNSIGNED.get(target.service, ()):
            return self._nobody(target, self._config.account)
        if "authorization" not in request.headers and not _is_presigned(request):
            if target.operation in OPTIONAL.get(target.service, ()):
                return self._nobody(target, self._config.account)
            if self._config.auth == "enforced" and is_for_anybody(target.service, target.operation):
                return self._nobody(target, "", _region_of(request.host, target.signing_name))
        check = _check_of(request, target)
        claim = check.claim()
        known = await self._known(check, claim, sandboxed)
        credential = claim.credential
        if known.secret is None:
            _decode_chunks(request, None)
            region = credential.region if is_region(credential.region) else self._config.region
            return Authenticated(known.principal, region, credential.service or target.signing_name)
        await self._verify(check, claim, known.secret)
        self._credentials.uses.note(known.principal, credential.service, credential.region)
        return Authenticated(known.principal, credential.region, credential.service)

    def _nobody(self, target: Target, account: str, region: str = "") -> Authenticated:
        return Authenticated(Principal.anonymous(account), region or self._config.region, target.signing_name)

    async def _known(self, check: ClaimCheck, claim: sigv4.Claim, sandboxed: bool) -> KnownKey:
        """The key that the request is signed with; time and scope are right, unless it is a key of dev mode."""
        access_key_id = claim.credential.access_key_id
        try:
            known = await self._credentials.find(access_key_id, claim.session_token, sandboxed=sandboxed)
        except InvalidToken:
            raise refusal(check.family, "invalid-token") from None
        if known is not None and known.secret is None:
            return known
        check.time(claim, self._clock.wall())
        check.scope(claim)
        if known is None:
            raise check.unknown_key(claim)
        if known.expires is not None and self._clock.now() >= known.expires:
            raise refusal(check.family, "expired-token")
        if check.signing_name == "iam" and known.principal.is_session and known.principal.kind != "assumed-role":
            # Sessions of GetSessionToken could call IAM with a second factor, which none has here; others never can.
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_request.html
            raise refusal(check.family, "invalid-token")
        return known

    async def _verify(self, check: ClaimCheck, claim: sigv4.Claim, secret: str) -> None:
        payload_hash = check.payload_word(claim)
        if payload_hash is None:
            payload_hash = await _sha256(check.request.body)
            check.check_payload(claim, payload_hash)
        if not sigv4.verify(check.request, claim, secret, payload_hash, is_s3=check.is_s3):
            raise check.mismatch(claim, payload_hash)
        if payload_hash in sigv4.STREAMING:
            _decode_chunks(check.request, ChunkSigner.of(claim, secret))


_SIGNS = ("X-Amz-Algorithm=", "X-Amz-Cred", "X-Amz-Signature=")


def _is_presigned(request: HttpRequest) -> bool:
    """True for a request whose query says that it is signed, however badly: it is held to that."""
    return any(name in request.query_string for name in _SIGNS)


def _region_of(host: str, signing_name: str) -> str:
    """The region in a host of the form `sqs.eu-west-1.localhost`; empty for any other, also for `my-node-1.example`."""
    service, _, rest = host.partition(".")
    region = rest.partition(".")[0]
    return region if service == signing_name and is_region(region) else ""


async def _sha256(body: bytes) -> str:
    if len(body) > _HASHED_IN_LOOP_BYTES:
        return await asyncio.to_thread(lambda: sha256(body).hexdigest())
    return sha256(body).hexdigest()


def _check_of(request: HttpRequest, target: Target) -> ClaimCheck:
    if target.signing_name in SIGNING_NAMES:
        return S3ClaimCheck(request, target.signing_name, "s3")
    return ClaimCheck(request, target.signing_name, family(target.protocol, target.service))


def _decode_chunks(request: HttpRequest, signer: ChunkSigner | None) -> None:
    """Replace a body that came in chunks by its content, verified when there is a signer."""
    if is_chunked(request.headers):
        request.body, _ = decode_body(request.body, request.headers, signer)
