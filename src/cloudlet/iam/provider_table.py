"""Identity providers in the store: who outside of AWS may say who somebody is, by OpenID Connect or by SAML."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from cloudlet.arn import Arn
from cloudlet.store.base import Reader, Transaction

ProviderKind = Literal["oidc-provider", "saml-provider"]
"""As ARNs and the table of tags call them."""
OIDC: ProviderKind = "oidc-provider"
SAML: ProviderKind = "saml-provider"


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider."""

    account: str
    kind: ProviderKind
    key: str
    """The URL without its scheme for OpenID Connect, the name for SAML."""
    content: dict[str, Any]
    """`client_ids` and `thumbprints` (OpenID Connect), or `metadata`, `valid_until`, `uuid` ... (SAML)."""
    created: float
    """Seconds since the epoch, platform time."""

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:oidc-provider/<url>`, `arn:aws:iam::<account>:saml-provider/<name>`."""
        return str(Arn("iam", "", self.account, f"{self.kind}/{self.key}"))


_COLUMNS = "account, kind, provider_key, content, created"


def find(reader: Reader, account: str, kind: ProviderKind, key: str) -> Provider | None:
    """The provider of this key."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM iam_identity_providers WHERE account = ? AND kind = ? AND provider_key = ?",
        (account, kind, key),
    )
    return None if row is None else _provider(*row)


def all_of(reader: Reader, account: str, kind: ProviderKind) -> list[Provider]:
    """All providers of a kind; quotas keep them few."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_identity_providers WHERE account = ? AND kind = ? "
        "ORDER BY provider_key LIMIT 1000",
        (account, kind),
    )
    return [_provider(*row) for row in rows]


def put(tx: Transaction, provider: Provider) -> None:
    """Keep a provider, or what of it has changed."""
    tx.execute(
        f"INSERT INTO iam_identity_providers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (account, kind, provider_key) DO UPDATE SET content = excluded.content",
        (provider.account, provider.kind, provider.key, orjson.dumps(provider.content).decode(), provider.created),
    )


def delete(tx: Transaction, provider: Provider) -> None:
    """Forget a provider."""
    tx.execute(
        "DELETE FROM iam_identity_providers WHERE account = ? AND kind = ? AND provider_key = ?",
        (provider.account, provider.kind, provider.key),
    )


def _provider(account: str, kind: ProviderKind, key: str, content: str, created: float) -> Provider:
    return Provider(account, kind, key, orjson.loads(content), created)
