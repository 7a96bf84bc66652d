"""Lasting access keys in the store, and when each key was last used.

Every change of a key tells all nodes (`KEYS_CHANNEL`), which keep in memory what a key stands for.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cloudlet.store.base import Reader, Transaction

KEYS_CHANNEL = "iam_keys"
"""Says which access key is not what it was: its id; empty when keys were made anew."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A lasting access key; `user_key` is empty for the account's root."""

    access_key_id: str
    account: str
    user_key: str
    secret: str
    status: str
    """Active or Inactive."""
    created: float


@dataclass(frozen=True, slots=True)
class Use:
    """The last use of an access key, or of a role."""

    subject: str
    """The access key's id, or the role's unique id."""
    used: float
    """Seconds since the epoch, platform time."""
    service: str
    """The signing name: `s3`."""
    region: str


_COLUMNS = "access_key_id, account, user_key, secret, status, created"


def find(reader: Reader, access_key_id: str) -> AccessKey | None:
    """The access key of this id, of any account."""
    row = reader.one(f"SELECT {_COLUMNS} FROM iam_access_keys WHERE access_key_id = ?", (access_key_id,))
    return None if row is None else AccessKey(*row)


def of_user(reader: Reader, account: str, user_key: str) -> list[AccessKey]:
    """The access keys of a user, or of root, oldest first."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_access_keys WHERE account = ? AND user_key = ? "
        "ORDER BY created, access_key_id LIMIT 100",
        (account, user_key),
    )
    return [AccessKey(*row) for row in rows]


def add(tx: Transaction, key: AccessKey) -> None:
    """Keep an access key. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_access_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (key.access_key_id, key.account, key.user_key, key.secret, key.status, key.created),
    )
    tx.notify(KEYS_CHANNEL, key.access_key_id)


def set_status(tx: Transaction, access_key_id: str, status: str) -> None:
    """Make an access key Active or Inactive."""
    tx.execute("UPDATE iam_access_keys SET status = ? WHERE access_key_id = ?", (status, access_key_id))
    tx.notify(KEYS_CHANNEL, access_key_id)


def delete(tx: Transaction, access_key_id: str) -> None:
    """Forget an access key and its use."""
    tx.execute("DELETE FROM iam_access_keys WHERE access_key_id = ?", (access_key_id,))
    tx.execute("DELETE FROM iam_uses WHERE subject = ?", (access_key_id,))
    tx.notify(KEYS_CHANNEL, access_key_id)


def owner_changed(tx: Transaction, account: str, user_key: str) -> None:
    """Tell all nodes that the user of this key has another name or path."""
    for key in of_user(tx, account, user_key):
        tx.notify(KEYS_CHANNEL, key.access_key_id)


def last_use(reader: Reader, subject: str) -> Use | None:
    """The last use of an access key or a role that is written down."""
    row = reader.one("SELECT subject, used, service, region FROM iam_uses WHERE subject = ?", (subject,))
    return None if row is None else Use(*row)


def put_uses(tx: Transaction, uses: Iterable[Use]) -> None:
    """Write down uses; a later one of the same subject that is there already stays."""
    tx.execute_many(
        "INSERT INTO iam_uses (subject, used, service, region) VALUES (?, ?, ?, ?) ON CONFLICT (subject) "
        "DO UPDATE SET used = excluded.used, service = excluded.service, region = excluded.region "
        "WHERE iam_uses.used <= excluded.used",
        [(use.subject, use.used, use.service, use.region) for use in uses],
    )


def forget_use(tx: Transaction, subject: str) -> None:
    """Forget when a role was used that is deleted."""
    tx.execute("DELETE FROM iam_uses WHERE subject = ?", (subject,))
