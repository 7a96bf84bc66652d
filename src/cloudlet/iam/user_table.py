"""Users in the store."""

from dataclasses import dataclass

from cloudlet.arn import Arn
from cloudlet.iam import access_key_table, entity_table
from cloudlet.iam.tables import changed
from cloudlet.store.base import Reader, Transaction

KIND = "user"
"""What users are called in the tables of tags, inline policies and attachments."""


@dataclass(frozen=True, slots=True)
class User:
    """A user, without what hangs on it."""

    account: str
    name: str
    path: str
    user_id: str
    boundary_arn: str | None
    created: float
    """Seconds since the epoch, platform time."""

    @property
    def key(self) -> str:
        """The name as it is unique: without regard to case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:user/<path><name>`."""
        return str(Arn("iam", "", self.account, f"user{self.path}{self.name}"))


_COLUMNS = "account, user_name, path, user_id, boundary_arn, created"
_NAMED_BY_KEY = ("iam_users", "iam_access_keys", "iam_login_profiles", "iam_group_members", "iam_user_credentials")
"""The tables that name a user by `user_key`."""


def find(reader: Reader, account: str, name: str) -> User | None:
    """The user of this name, in any case."""
    row = reader.one(f"SELECT {_COLUMNS} FROM iam_users WHERE account = ? AND user_key = ?", (account, name.lower()))
    return None if row is None else User(*row)


def find_by_id(reader: Reader, account: str, user_id: str) -> User | None:
    """The user of this unique id, whatever its name is now."""
    row = reader.one(f"SELECT {_COLUMNS} FROM iam_users WHERE account = ? AND user_id = ?", (account, user_id))
    return None if row is None else User(*row)


def in_group(reader: Reader, account: str, group_key: str, after: str = "", limit: int = 10000) -> list[User]:
    """Up to `limit` users of a group whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_users WHERE account = ? AND user_key > ? AND user_key IN "
        "(SELECT user_key FROM iam_group_members WHERE account = ? AND group_key = ?) ORDER BY user_key LIMIT ?",
        (account, after, account, group_key, limit),
    )
    return [User(*row) for row in rows]


def page(reader: Reader, account: str, path_prefix: str, after: str, limit: int) -> list[User]:
    """Up to `limit` users below a path whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_users WHERE account = ? AND user_key > ? AND "
        "substr(path, 1, CAST(? AS INTEGER)) = ? ORDER BY user_key LIMIT ?",
        (account, after, len(path_prefix), path_prefix, limit),
    )
    return [User(*row) for row in rows]


def count(reader: Reader, account: str) -> int:
    """How many users an account has."""
    row = reader.one("SELECT count(*) FROM iam_users WHERE account = ?", (account,))
    return int(row[0]) if row else 0


def add(tx: Transaction, user: User) -> None:
    """Keep a new user. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_users (user_key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user.key, user.account, user.name, user.path, user.user_id, user.boundary_arn, user.created),
    )
    changed(tx, user.account, KIND, user.key)


def update(tx: Transaction, user: User) -> None:
    """Keep what of a user can change but its name."""
    tx.execute(
        "UPDATE iam_users SET path = ?, boundary_arn = ? WHERE account = ? AND user_key = ?",
        (user.path, user.boundary_arn, user.account, user.key),
    )
    changed(tx, user.account, KIND, user.key)
    access_key_table.owner_changed(tx, user.account, user.key)


def rename(tx: Transaction, user: User, name: str) -> None:
    """Give a user another name, which no other user has; what hangs on the user goes along."""
    for table in _NAMED_BY_KEY:
        tx.execute(
            f"UPDATE {table} SET user_key = ? WHERE account = ? AND user_key = ?",
            (name.lower(), user.account, user.key),
        )
    tx.execute(
        "UPDATE iam_users SET user_name = ? WHERE account = ? AND user_key = ?", (name, user.account, name.lower())
    )
    entity_table.rename(tx, user.account, KIND, user.key, name.lower())
    for key in (user.key, name.lower()):
        changed(tx, user.account, KIND, key)
    access_key_table.owner_changed(tx, user.account, name.lower())


def delete(tx: Transaction, user: User) -> None:
    """Forget a user."""
    tx.execute("DELETE FROM iam_users WHERE account = ? AND user_key = ?", (user.account, user.key))
    changed(tx, user.account, KIND, user.key)


def boundary_counts(reader: Reader, account: str) -> dict[str, int]:
    """How many users of an account have each policy as their boundary; policies of no user are not in it."""
    rows = reader.query(
        "SELECT boundary_arn, count(*) FROM iam_users WHERE account = ? AND boundary_arn IS NOT NULL "
        "GROUP BY boundary_arn",
        (account,),
    )
    return {str(arn): int(count) for arn, count in rows}


def using(reader: Reader, account: str, policy_arn: str) -> tuple[list[User], list[User]]:
    """The users that a policy is attached to, and those that have it as their boundary."""
    attached = reader.query(
        f"SELECT {_COLUMNS} FROM iam_users WHERE account = ? AND user_key IN "
        "(SELECT entity_key FROM iam_attachments WHERE account = ? AND kind = ? AND policy_arn = ?)",
        (account, account, KIND, policy_arn),
    )
    bounded = reader.query(
        f"SELECT {_COLUMNS} FROM iam_users WHERE account = ? AND boundary_arn = ?", (account, policy_arn)
    )
    return [User(*row) for row in attached], [User(*row) for row in bounded]
