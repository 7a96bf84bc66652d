"""Who somebody is by the word of an OpenID Connect provider that the role's account trusts.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.clock import Clock
from cloudlet.iam import provider_table
from cloudlet.iam.provider_table import OIDC, Provider
from cloudlet.services.sts.errors import (
    ExpiredToken,
    IdpCommunicationError,
    IdpRejectedClaim,
    InvalidIdentityToken,
)
from cloudlet.services.sts.issuer_keys import (
    CertificateMismatch,
    IssuerKeys,
    IssuerUnreachable,
    IssuerUnusable,
    is_allowed_issuer,
)
from cloudlet.services.sts.jwt import Jwt, MalformedJwt, read_jwt
from cloudlet.store.base import Store

SKEW_S = 300
"""How far a provider's clock may be ahead."""
TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"
_NOT_A_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_NO_KEYS = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """What a verified token says."""

    provider_arn: str
    issuer: str
    """The claim `iss`."""
    subject: str
    audience: str
    keys: Mapping[str, Sequence[str]]
    """The condition keys that the provider vouches for, in lower case: `<provider>:aud` and its like."""
    session: Mapping[str, Any]
    """The tags and the source identity that it gives the session, as members of AssumeRole."""


class WebIdentities:
    """Verifies tokens. One per node."""

    def __init__(self, store: Store, clock: Clock, *, with_http: bool) -> None:
        """`with_http`: issuers on plain HTTP of this machine count too."""
        self._store = store
        self._clock = clock
        self._with_http = with_http
        self._keys = IssuerKeys(clock, with_http=with_http)

    async def verified(self, token: str, account: str) -> WebIdentity:
        """Who `token` says that its bearer is, to the roles of `account`.

        Raises InvalidIdentityToken, ExpiredToken, IdpCommunicationError, IdpRejectedClaim.
        """
        try:
            jwt = read_jwt(token)
        except MalformedJwt as error:
            raise InvalidIdentityToken(_NOT_A_JWT) from error
        issuer = jwt.claims.get("iss")
        if not isinstance(issuer, str) or not issuer:
            raise InvalidIdentityToken("Missing a required claim: iss")
        provider = await self._provider(account, issuer)
        await self._check_signature(jwt, issuer, provider)
        self._check_times(jwt.claims)
        return _identity(jwt.claims, issuer, provider)

    async def _provider(self, account: str, issuer: str) -> Provider:
        key = issuer.partition("://")[2].rstrip("/")

        def read(reader: Any) -> Provider | None:
            found = provider_table.find(reader, account, OIDC, key)
            return found or provider_table.find(reader, account, OIDC, f"{key}/")

        provider = await self._store.read(read) if is_allowed_issuer(issuer, with_http=self._with_http) else None
        if provider is None:
            raise InvalidIdentityToken(f"No OpenIDConnect provider found in your account for {issuer}")
        return provider

    async def _check_signature(self, jwt: Jwt, issuer: str, provider: Provider) -> None:
        try:
            keys = await self._keys.of(issuer, provider.content.get("thumbprints") or (), jwt.is_named_in)
        except IssuerUnreachable as error:
            raise IdpCommunicationError(
                "The identity provider could not be reached; the request can be tried again."
            ) from error
        except CertificateMismatch as error:
            raise InvalidIdentityToken(
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
            ) from error
        except IssuerUnusable as error:
            raise InvalidIdentityToken(_NO_KEYS) from error
        if not jwt.is_named_in(keys):
            raise InvalidIdentityToken(_NO_KEYS)
        if not jwt.is_signed_by(keys):
            raise InvalidIdentityToken("The ID Token provided does not have a valid signature")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = int(self._clock.now())
        expires = _moment(claims, "exp")
        if expires is None:
            raise InvalidIdentityToken("Missing a required claim: exp")
        if now >= expires:
            raise ExpiredToken(
                f"Token expired: current date/time {now} must be before the expiration date/time {int(expires)}"
            )
        issued = _moment(claims, "iat")
        if issued is None:
            raise InvalidIdentityToken("Missing a required claim: iat")
        not_before = _moment(claims, "nbf")
        for moment in (issued, not_before):
            if moment is not None and moment > now + SKEW_S:
                raise IdpRejectedClaim(f"Token is not valid yet: current date/time {now} is before {int(moment)}")


def _identity(claims: Mapping[str, Any], issuer: str, provider: Provider) -> WebIdentity:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidIdentityToken("Missing a required claim: sub")
    party = claims.get("azp")
    audiences = [party] if isinstance(party, str) and party else _texts(claims.get("aud"))
    if not audiences:
        raise InvalidIdentityToken("Missing a required claim: aud")
    accepted = [audience for audience in audiences if audience in provider.content.get("client_ids", ())]
    if not accepted:
        raise InvalidIdentityToken("Incorrect token audience")
    name = provider.key.lower()
    keys: dict[str, Sequence[str]] = {
        "aws:federatedprovider": (provider.arn,),
        f"{name}:aud": tuple(accepted),
        f"{name}:sub": (subject,),
    }
    if methods := _texts(claims.get("amr")):
        keys[f"{name}:amr"] = tuple(methods)
    return WebIdentity(provider.arn, issuer, subject, accepted[0], keys, _session(claims))


def _session(claims: Mapping[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp"""
    session: dict[str, Any] = {}
    tags = claims.get(TAGS_CLAIM)
    if isinstance(tags, dict):
        named = tags.get("principal_tags")
        named = named if isinstance(named, dict) else {}
        pairs = [(str(name), _texts(values)) for name, values in named.items()]
        if any(len(values) != 1 for _, values in pairs):
            raise InvalidIdentityToken("A session tag in the ID Token must have exactly one value")
        session["Tags"] = [{"Key": name, "Value": values[0]} for name, values in pairs]
        session["TransitiveTagKeys"] = _texts(tags.get("transitive_tag_keys"))
    source_identity = claims.get(SOURCE_IDENTITY_CLAIM)
    if isinstance(source_identity, str) and source_identity:
        session["SourceIdentity"] = source_identity
    return session


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str) and one]


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number and value is not None else None
