"""Login profiles in the store: the passwords of users, hashed."""

from dataclasses import dataclass

import orjson

from cloudlet.store.base import Reader, Transaction


@dataclass(frozen=True, slots=True)
class LoginProfile:
    """A user's password."""

    account: str
    user_key: str
    password_hash: str
    previous_hashes: tuple[str, ...]
    """Of the passwords before, newest first."""
    reset_required: bool
    created: float
    """Seconds since the epoch, platform time."""
    changed: float
    """When the password was set."""


_COLUMNS = "account, user_key, password_hash, previous_hashes, reset_required, created, changed"


def find(reader: Reader, account: str, user_key: str) -> LoginProfile | None:
    """The login profile of a user."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM iam_login_profiles WHERE account = ? AND user_key = ?", (account, user_key)
    )
    if row is None:
        return None
    account, user_key, password_hash, previous, reset_required, created, changed = row
    return LoginProfile(
        account, user_key, password_hash, tuple(orjson.loads(previous)), bool(reset_required), created, changed
    )


def put(tx: Transaction, profile: LoginProfile) -> None:
    """Keep a login profile in place of the one that the user had."""
    delete(tx, profile.account, profile.user_key)
    tx.execute(
        f"INSERT INTO iam_login_profiles ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            profile.account,
            profile.user_key,
            profile.password_hash,
            orjson.dumps(profile.previous_hashes).decode(),
            int(profile.reset_required),
            profile.created,
            profile.changed,
        ),
    )


def delete(tx: Transaction, account: str, user_key: str) -> bool:
    """Forget a login profile; False when the user has none."""
    return tx.execute("DELETE FROM iam_login_profiles WHERE account = ? AND user_key = ?", (account, user_key)) > 0
