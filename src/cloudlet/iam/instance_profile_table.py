"""Instance profiles in the store."""

from dataclasses import dataclass

from cloudlet.arn import Arn
from cloudlet.store.base import Reader, Transaction

KIND = "instance-profile"
"""What instance profiles are called in the table of tags."""


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    """An instance profile, and the key of the role in it."""

    account: str
    name: str
    path: str
    profile_id: str
    role_key: str | None
    created: float
    """Seconds since the epoch, platform time."""

    @property
    def key(self) -> str:
        """The name as it is unique: without regard to case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:instance-profile/<path><name>`."""
        return str(Arn("iam", "", self.account, f"instance-profile{self.path}{self.name}"))


_COLUMNS = "account, profile_name, path, profile_id, role_key, created"


def find(reader: Reader, account: str, name: str) -> InstanceProfile | None:
    """The instance profile of this name, in any case."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM iam_instance_profiles WHERE account = ? AND profile_key = ?", (account, name.lower())
    )
    return None if row is None else InstanceProfile(*row)


def page(reader: Reader, account: str, path_prefix: str, after: str, limit: int) -> list[InstanceProfile]:
    """Up to `limit` instance profiles below a path whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_instance_profiles WHERE account = ? AND profile_key > ? AND "
        "substr(path, 1, CAST(? AS INTEGER)) = ? ORDER BY profile_key LIMIT ?",
        (account, after, len(path_prefix), path_prefix, limit),
    )
    return [InstanceProfile(*row) for row in rows]


def of_role(reader: Reader, account: str, role_key: str, after: str = "", limit: int = 1000) -> list[InstanceProfile]:
    """Up to `limit` instance profiles that a role is in, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_instance_profiles WHERE account = ? AND role_key = ? AND profile_key > ? "
        "ORDER BY profile_key LIMIT ?",
        (account, role_key, after, limit),
    )
    return [InstanceProfile(*row) for row in rows]


def count(reader: Reader, account: str) -> int:
    """How many instance profiles an account has."""
    row = reader.one("SELECT count(*) FROM iam_instance_profiles WHERE account = ?", (account,))
    return int(row[0]) if row else 0


def add(tx: Transaction, profile: InstanceProfile) -> None:
    """Keep a new instance profile. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_instance_profiles (profile_key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            profile.key,
            profile.account,
            profile.name,
            profile.path,
            profile.profile_id,
            profile.role_key,
            profile.created,
        ),
    )


def set_role(tx: Transaction, profile: InstanceProfile, role_key: str | None) -> None:
    """Put a role into an instance profile, or take it out."""
    tx.execute(
        "UPDATE iam_instance_profiles SET role_key = ? WHERE account = ? AND profile_key = ?",
        (role_key, profile.account, profile.key),
    )


def delete(tx: Transaction, profile: InstanceProfile) -> None:
    """Forget an instance profile."""
    tx.execute(
        "DELETE FROM iam_instance_profiles WHERE account = ? AND profile_key = ?", (profile.account, profile.key)
    )
