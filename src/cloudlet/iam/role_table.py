"""Roles in the store."""

from dataclasses import dataclass

from cloudlet.arn import Arn
from cloudlet.iam import access_key_table
from cloudlet.iam.tables import changed
from cloudlet.store.base import Reader, Transaction

KIND = "role"
"""What roles are called in the tables of tags, inline policies and attachments."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role, without what hangs on it."""

    account: str
    name: str
    path: str
    role_id: str
    trust_policy: str
    description: str | None
    max_session_s: int
    boundary_arn: str | None
    created: float
    """Seconds since the epoch, platform time."""

    @property
    def key(self) -> str:
        """The name as it is unique: without regard to case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:role/<path><name>`."""
        return str(Arn("iam", "", self.account, f"role{self.path}{self.name}"))


_COLUMNS = "account, role_name, path, role_id, trust_policy, description, max_session_s, boundary_arn, created"


def find(reader: Reader, account: str, name: str) -> Role | None:
    """The role of this name, in any case."""
    row = reader.one(f"SELECT {_COLUMNS} FROM iam_roles WHERE account = ? AND role_key = ?", (account, name.lower()))
    return None if row is None else Role(*row)


def page(reader: Reader, account: str, path_prefix: str, after: str, limit: int) -> list[Role]:
    """Up to `limit` roles below a path whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_roles WHERE account = ? AND role_key > ? AND "
        "substr(path, 1, CAST(? AS INTEGER)) = ? ORDER BY role_key LIMIT ?",
        (account, after, len(path_prefix), path_prefix, limit),
    )
    return [Role(*row) for row in rows]


def count(reader: Reader, account: str) -> int:
    """How many roles an account has."""
    row = reader.one("SELECT count(*) FROM iam_roles WHERE account = ?", (account,))
    return int(row[0]) if row else 0


def add(tx: Transaction, role: Role) -> None:
    """Keep a new role. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_roles (role_key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            role.key,
            role.account,
            role.name,
            role.path,
            role.role_id,
            role.trust_policy,
            role.description,
            role.max_session_s,
            role.boundary_arn,
            role.created,
        ),
    )
    changed(tx, role.account, KIND, role.key)


def update(tx: Transaction, role: Role) -> None:
    """Keep what of a role can change."""
    tx.execute(
        "UPDATE iam_roles SET trust_policy = ?, description = ?, max_session_s = ?, boundary_arn = ? "
        "WHERE account = ? AND role_key = ?",
        (role.trust_policy, role.description, role.max_session_s, role.boundary_arn, role.account, role.key),
    )
    changed(tx, role.account, KIND, role.key)


def delete(tx: Transaction, role: Role) -> None:
    """Forget a role."""
    tx.execute("DELETE FROM iam_roles WHERE account = ? AND role_key = ?", (role.account, role.key))
    access_key_table.forget_use(tx, role.role_id)
    changed(tx, role.account, KIND, role.key)


def boundary_counts(reader: Reader, account: str) -> dict[str, int]:
    """How many roles of an account have each policy as their boundary; policies of no role are not in it."""
    rows = reader.query(
        "SELECT boundary_arn, count(*) FROM iam_roles WHERE account = ? AND boundary_arn IS NOT NULL "
        "GROUP BY boundary_arn",
        (account,),
    )
    return {str(arn): int(count) for arn, count in rows}


def using(reader: Reader, account: str, policy_arn: str) -> tuple[list[Role], list[Role]]:
    """The roles that a policy is attached to, and those that have it as their boundary."""
    attached = reader.query(
        f"SELECT {_COLUMNS} FROM iam_roles WHERE account = ? AND role_key IN "
        "(SELECT entity_key FROM iam_attachments WHERE account = ? AND kind = ? AND policy_arn = ?)",
        (account, account, KIND, policy_arn),
    )
    bounded = reader.query(
        f"SELECT {_COLUMNS} FROM iam_roles WHERE account = ? AND boundary_arn = ?", (account, policy_arn)
    )
    return [Role(*row) for row in attached], [Role(*row) for row in bounded]
