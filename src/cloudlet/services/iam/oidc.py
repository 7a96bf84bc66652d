"""OpenID Connect providers: whose tokens AssumeRoleWithWebIdentity takes.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cloudlet.errors import ValidationError
from cloudlet.iam import entity_table, provider_table
from cloudlet.iam.provider_table import OIDC, Provider
from cloudlet.services.iam import limits
from cloudlet.services.iam.errors import EntityAlreadyExists, InvalidInput, NoSuchEntity
from cloudlet.services.iam.shapes import moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.store.base import Reader, Transaction

_URL = re.compile(
    r"(?:https://(?=[A-Za-z0-9])|http://(?=(?:localhost|127\.0\.0\.1)[:/]))([A-Za-z0-9.-]+(:[0-9]+)?(/[^?#\s]*)?)"
)
"""AWS takes https only; here an issuer on this very machine may do without."""


def key_of_url(url: str) -> str:
    """The URL of a provider without its scheme, as its ARN has it. Raises ValidationError."""
    matched = _URL.fullmatch(url)
    if matched is None:
        raise ValidationError("Invalid Open ID Connect Provider URL")
    return matched[1].rstrip("/")


def find(reader: Reader, account: str, arn: str) -> Provider | None:
    """The provider of this ARN in the account."""
    prefix = f"arn:aws:iam::{account}:{OIDC}/"
    return provider_table.find(reader, account, OIDC, arn.removeprefix(prefix)) if arn.startswith(prefix) else None


def get(reader: Reader, account: str, arn: str) -> Provider:
    """The provider of this ARN in the account. Raises NoSuchEntity."""
    provider = find(reader, account, arn)
    if provider is None:
        raise NoSuchEntity(f"OpenIDConnect Provider not found for arn {arn}")
    return provider


def create(tx: Transaction, provider: Provider, url: str, tags: list[tuple[str, str]]) -> None:
    """Keep a new provider. Raises IamError."""
    _check(provider)
    if provider_table.find(tx, provider.account, OIDC, provider.key):
        raise EntityAlreadyExists(f"Provider with url {url} already exists.")
    count = len(provider_table.all_of(tx, provider.account, OIDC)) + 1
    limits.check_quota("OpenIdConnectProvidersPerAccount", count, limits.OIDC_PROVIDERS_PER_ACCOUNT)
    provider_table.put(tx, provider)
    put_tags(tx, provider.account, OIDC, provider.key, tags)


def update(
    tx: Transaction,
    provider: Provider,
    *,
    client_ids: Sequence[str] | None = None,
    thumbprints: Sequence[str] | None = None,
) -> None:
    """Keep other client ids or thumbprints for a provider. Raises InvalidInput, LimitExceeded."""
    changes = {"client_ids": client_ids, "thumbprints": thumbprints}
    content = provider.content | {name: list(value) for name, value in changes.items() if value is not None}
    provider = replace(provider, content=content)
    _check(provider)
    provider_table.put(tx, provider)


def _check(provider: Provider) -> None:
    if len(provider.content["thumbprints"]) > limits.THUMBPRINTS_PER_OIDC_PROVIDER:
        raise InvalidInput("Thumbprint list must contain fewer than 5 entries.")
    count = len(provider.content["client_ids"])
    limits.check_quota("ClientIdsPerOpenIdConnectProvider", count, limits.CLIENT_IDS_PER_OIDC_PROVIDER)


def delete(tx: Transaction, account: str, arn: str) -> None:
    """Forget a provider. Raises NoSuchEntity."""
    provider = find(tx, account, arn)
    if provider is None:
        raise NoSuchEntity(f"OpenId connect Provider {arn} cannot be found.")
    entity_table.delete_all_tags(tx, account, OIDC, provider.key)
    provider_table.delete(tx, provider)


def describe(reader: Reader, provider: Provider) -> dict[str, Any]:
    """All of a provider."""
    return {
        "Url": provider.key,
        "ClientIDList": provider.content["client_ids"],
        "ThumbprintList": provider.content["thumbprints"],
        "CreateDate": moment(provider.created),
        "Tags": tag_list(entity_table.tags(reader, provider.account, OIDC, provider.key)),
    }
