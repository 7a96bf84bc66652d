"""Who speaks to the registry, and to whose registry."""

import base64
import binascii
from dataclasses import dataclass

from cloudlet.iam.credentials import Credentials
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.tokens import InvalidToken
from cloudlet.services.base import StreamedRequest
from cloudlet.services.ecr.registry.answers import RegistryError
from cloudlet.services.ecr.tokens import USER, RegistryTokens


@dataclass(frozen=True, slots=True)
class Caller:
    """A client, and the registry that it means."""

    context: RequestContext
    account: str
    """Whose registry."""


async def authenticate(
    request: StreamedRequest, tokens: RegistryTokens, credentials: Credentials, default_region: str
) -> Caller:
    """The caller of a request. Raises RegistryError (401) with what a client is to send."""
    principal, token_region = await _principal(request, tokens, credentials)
    account, region = _registry(request.head.host)
    context = RequestContext(
        principal,
        region or token_region or default_region,
        request.request_id,
        source_ip=request.head.source_ip,
        user_agent=request.head.headers.get("user-agent", ""),
        endpoint=f"{request.head.scheme}://{request.head.headers.get('host', '')}",
    )
    return Caller(context, account or principal.account)


async def _principal(
    request: StreamedRequest, tokens: RegistryTokens, credentials: Credentials
) -> tuple[Principal, str]:
    user, password = _basic(request.head.headers.get("authorization", ""))
    if user == USER:
        try:
            return tokens.open(password)
        except InvalidToken as error:
            raise _refusal(request, f"The token is {error}.") from error
    # In dev mode the keys that everybody knows are good here too: `docker login -u test -p test`.
    known = await credentials.find(user, None, sandboxed=request.sandboxed) if user.isalnum() else None
    if known is not None and known.secret is None:
        return known.principal, ""
    raise _refusal(request, "no basic auth credentials" if not user else "These credentials are not known.")


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _refusal(request: StreamedRequest, why: str) -> RegistryError:
    realm = f"{request.head.scheme}://{request.head.host}/"
    challenge = f'Basic realm="{realm}",service="ecr.amazonaws.com"'
    return RegistryError(401, "UNAUTHORIZED", why, {"www-authenticate": challenge})


def _registry(host: str) -> tuple[str, str]:
    """Account and region in `<account>.dkr.ecr.<region>.<domain>`; two empty texts for another host."""
    labels = host.partition(":")[0].split(".")
    if len(labels) < 5 or labels[1:3] != ["dkr", "ecr"] or not (labels[0].isdigit() and len(labels[0]) == 12):
        return "", ""
    return labels[0], labels[3]
