"""SAML providers: their metadata is kept; no part of this platform takes their assertions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_saml.html
"""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from cloudlet.iam import entity_table, provider_table
from cloudlet.iam.provider_table import SAML, Provider
from cloudlet.services.iam import limits
from cloudlet.services.iam.errors import EntityAlreadyExists, InvalidInput, NoSuchEntity
from cloudlet.services.iam.shapes import moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.store.base import Reader, Transaction

_CENTURY_S = 100 * 365.25 * 86400
DEFAULT_ENCRYPTION_MODE = "Allowed"


def check_metadata(document: str, now: float) -> float:
    """Until when a metadata document is valid: what it says, or for a century. Raises InvalidInput."""
    try:
        # Expat, as every Python since 3.11 has it, refuses documents that grow when they are read.
        root = ElementTree.fromstring(document)  # noqa: S314
        named = root.get("validUntil")
        if named is None:
            return now + _CENTURY_S
        valid_until = datetime.fromisoformat(named)
    except (ElementTree.ParseError, ValueError) as error:
        raise InvalidInput("Could not parse metadata") from error
    return (valid_until if valid_until.tzinfo else valid_until.replace(tzinfo=UTC)).timestamp()


def get(reader: Reader, account: str, arn: str) -> Provider:
    """The provider of this ARN in the account. Raises NoSuchEntity."""
    prefix = f"arn:aws:iam::{account}:{SAML}/"
    provider = None
    if arn.startswith(prefix):
        provider = provider_table.find(reader, account, SAML, arn.removeprefix(prefix))
    if provider is None:
        raise NoSuchEntity(f"Manifest not found for arn {arn}")
    return provider


def create(tx: Transaction, provider: Provider, tags: list[tuple[str, str]]) -> None:
    """Keep a new provider. Raises EntityAlreadyExists, LimitExceeded."""
    if provider_table.find(tx, provider.account, SAML, provider.key):
        raise EntityAlreadyExists(f"SAMLProvider {provider.key} already exists.")
    count = len(provider_table.all_of(tx, provider.account, SAML)) + 1
    limits.check_quota("SAMLProvidersPerAccount", count, limits.SAML_PROVIDERS_PER_ACCOUNT)
    provider_table.put(tx, provider)
    put_tags(tx, provider.account, SAML, provider.key, tags)


def delete(tx: Transaction, account: str, arn: str) -> None:
    """Forget a provider. Raises NoSuchEntity."""
    provider = get(tx, account, arn)
    entity_table.delete_all_tags(tx, account, SAML, provider.key)
    provider_table.delete(tx, provider)


def describe(reader: Reader, provider: Provider) -> dict[str, Any]:
    """All of a provider."""
    return {
        "SAMLProviderUUID": provider.content["uuid"],
        "SAMLMetadataDocument": provider.content["metadata"],
        "CreateDate": moment(provider.created),
        "ValidUntil": moment(provider.content["valid_until"]),
        "Tags": tag_list(entity_table.tags(reader, provider.account, SAML, provider.key)),
        "AssertionEncryptionMode": provider.content["encryption_mode"],
        "PrivateKeyList": [],
    }


def describe_listed(provider: Provider) -> dict[str, Any]:
    """A provider as lists have it."""
    return {
        "Arn": provider.arn,
        "ValidUntil": moment(provider.content["valid_until"]),
        "CreateDate": moment(provider.created),
    }
