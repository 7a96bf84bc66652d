"""Groups of users in the store, and who is in them."""

from dataclasses import dataclass

from cloudlet.arn import Arn
from cloudlet.iam import entity_table, user_table
from cloudlet.iam.tables import changed
from cloudlet.store.base import Reader, Transaction

KIND = "group"
"""What groups are called in the tables of inline policies and attachments."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group, without what hangs on it and who is in it."""

    account: str
    name: str
    path: str
    group_id: str
    created: float
    """Seconds since the epoch, platform time."""

    @property
    def key(self) -> str:
        """The name as it is unique: without regard to case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:group/<path><name>`."""
        return str(Arn("iam", "", self.account, f"group{self.path}{self.name}"))


_COLUMNS = "account, group_name, path, group_id, created"


def find(reader: Reader, account: str, name: str) -> Group | None:
    """The group of this name, in any case."""
    row = reader.one(f"SELECT {_COLUMNS} FROM iam_groups WHERE account = ? AND group_key = ?", (account, name.lower()))
    return None if row is None else Group(*row)


def page(reader: Reader, account: str, path_prefix: str, after: str, limit: int) -> list[Group]:
    """Up to `limit` groups below a path whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_groups WHERE account = ? AND group_key > ? AND "
        "substr(path, 1, CAST(? AS INTEGER)) = ? ORDER BY group_key LIMIT ?",
        (account, after, len(path_prefix), path_prefix, limit),
    )
    return [Group(*row) for row in rows]


def count(reader: Reader, account: str) -> int:
    """How many groups an account has."""
    row = reader.one("SELECT count(*) FROM iam_groups WHERE account = ?", (account,))
    return int(row[0]) if row else 0


def add(tx: Transaction, group: Group) -> None:
    """Keep a new group. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_groups (group_key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (group.key, group.account, group.name, group.path, group.group_id, group.created),
    )
    changed(tx, group.account, KIND, group.key)


def update(tx: Transaction, group: Group, *, name: str, path: str) -> None:
    """Give a group another name, which no other group has, and another path; its members go along."""
    tx.execute(
        "UPDATE iam_groups SET group_key = ?, group_name = ?, path = ? WHERE account = ? AND group_key = ?",
        (name.lower(), name, path, group.account, group.key),
    )
    tx.execute(
        "UPDATE iam_group_members SET group_key = ? WHERE account = ? AND group_key = ?",
        (name.lower(), group.account, group.key),
    )
    entity_table.rename(tx, group.account, KIND, group.key, name.lower())
    for key in (group.key, name.lower()):
        changed(tx, group.account, KIND, key)


def delete(tx: Transaction, group: Group) -> None:
    """Forget a group."""
    tx.execute("DELETE FROM iam_groups WHERE account = ? AND group_key = ?", (group.account, group.key))
    changed(tx, group.account, KIND, group.key)


def using(reader: Reader, account: str, policy_arn: str) -> list[Group]:
    """The groups that a policy is attached to."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_groups WHERE account = ? AND group_key IN "
        "(SELECT entity_key FROM iam_attachments WHERE account = ? AND kind = ? AND policy_arn = ?)",
        (account, account, KIND, policy_arn),
    )
    return [Group(*row) for row in rows]


# Members


def groups_of(reader: Reader, account: str, user_key: str, after: str = "", limit: int = 1000) -> list[Group]:
    """Up to `limit` groups of a user whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_groups WHERE account = ? AND group_key > ? AND group_key IN "
        "(SELECT group_key FROM iam_group_members WHERE account = ? AND user_key = ?) ORDER BY group_key LIMIT ?",
        (account, after, account, user_key, limit),
    )
    return [Group(*row) for row in rows]


def add_member(tx: Transaction, group: Group, user_key: str) -> None:
    """Put a user into a group; nothing happens when it is there already."""
    tx.execute(
        "INSERT INTO iam_group_members (account, group_key, user_key) VALUES (?, ?, ?) "
        "ON CONFLICT (account, group_key, user_key) DO NOTHING",
        (group.account, group.key, user_key),
    )
    changed(tx, group.account, user_table.KIND, user_key)


def remove_member(tx: Transaction, group: Group, user_key: str) -> bool:
    """Take a user out of a group; False when it was not there."""
    removed = tx.execute(
        "DELETE FROM iam_group_members WHERE account = ? AND group_key = ? AND user_key = ?",
        (group.account, group.key, user_key),
    )
    changed(tx, group.account, user_table.KIND, user_key)
    return removed > 0
