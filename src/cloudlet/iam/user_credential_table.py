"""What else users have to show who they are: signing certificates, SSH keys, passwords for single services."""

from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.store.base import Reader, Transaction


@dataclass(frozen=True, slots=True)
class UserCredential:
    """A credential of one `kind`: `signing-certificate`, `ssh-key` or `service`."""

    account: str
    kind: str
    credential_id: str
    user_key: str
    """Empty for the account's root."""
    status: str
    """Active or Inactive."""
    content: dict[str, Any]
    """What belongs to its kind, of JSON's types."""
    created: float
    """Seconds since the epoch, platform time."""


_COLUMNS = "account, kind, credential_id, user_key, status, content, created"


def find(reader: Reader, account: str, kind: str, credential_id: str) -> UserCredential | None:
    """The credential of this kind and id."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM iam_user_credentials WHERE account = ? AND kind = ? AND credential_id = ?",
        (account, kind, credential_id),
    )
    return None if row is None else _credential(*row)


def of_user(reader: Reader, account: str, user_key: str, kind: str = "") -> list[UserCredential]:
    """The credentials of a user, of one kind where one is given, oldest first. Quotas keep them few."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_user_credentials WHERE account = ? AND user_key = ? "
        "ORDER BY created, credential_id LIMIT 1000",
        (account, user_key),
    )
    found = [_credential(*row) for row in rows]
    return [credential for credential in found if not kind or credential.kind == kind]


def add(tx: Transaction, credential: UserCredential) -> None:
    """Keep a credential. Raises UniqueViolation."""
    content = orjson.dumps(credential.content).decode()
    tx.execute(
        f"INSERT INTO iam_user_credentials ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            credential.account,
            credential.kind,
            credential.credential_id,
            credential.user_key,
            credential.status,
            content,
            credential.created,
        ),
    )


def set_status(tx: Transaction, credential: UserCredential, status: str) -> None:
    """Make a credential Active or Inactive."""
    tx.execute(
        "UPDATE iam_user_credentials SET status = ? WHERE account = ? AND kind = ? AND credential_id = ?",
        (status, credential.account, credential.kind, credential.credential_id),
    )


def delete(tx: Transaction, credential: UserCredential) -> None:
    """Forget a credential."""
    tx.execute(
        "DELETE FROM iam_user_credentials WHERE account = ? AND kind = ? AND credential_id = ?",
        (credential.account, credential.kind, credential.credential_id),
    )


def _credential(
    account: str, kind: str, credential_id: str, user_key: str, status: str, content: str, created: float
) -> UserCredential:
    return UserCredential(account, kind, credential_id, user_key, status, orjson.loads(content), created)
