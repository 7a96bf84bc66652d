"""Managed policies: an account's own in the store, AWS's own from the file beside this module."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

import orjson

from cloudlet.arn import Arn
from cloudlet.iam.tables import changed
from cloudlet.store.base import Reader, Transaction

KIND = "policy"
"""What managed policies are called in the table of tags."""
AWS_ACCOUNT = "aws"
"""Stands in the ARN of a managed policy of AWS where others have their account."""


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy, without its documents."""

    account: str
    name: str
    path: str
    policy_id: str
    description: str | None
    default_version: int
    last_version: int
    """The highest version number that was ever given; numbers are not given twice."""
    created: float
    updated: float

    @property
    def key(self) -> str:
        """The name as it is unique: without regard to case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:policy/<path><name>`."""
        return str(Arn("iam", "", self.account, f"policy{self.path}{self.name}"))


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One document of a managed policy."""

    number: int
    document: str
    created: float


_COLUMNS = "account, policy_name, path, policy_id, description, default_version, last_version, created, updated"


def find(reader: Reader, arn: str) -> ManagedPolicy | None:
    """The managed policy of this ARN, of an account or AWS's."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("policy/"):
        return None
    account, name = parts[4], parts[5].rpartition("/")[2]
    if account == AWS_ACCOUNT:
        known = aws_policies().get(arn)
        return known[0] if known else None
    own = find_by_name(reader, account, name)
    return own if own is not None and own.arn == arn else None


def find_by_name(reader: Reader, account: str, name: str) -> ManagedPolicy | None:
    """The policy of an account of this name, in any case and below any path."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM iam_policies WHERE account = ? AND policy_key = ?", (account, name.lower())
    )
    return None if row is None else ManagedPolicy(*row)


def page(reader: Reader, account: str, path_prefix: str, after: str, limit: int) -> list[ManagedPolicy]:
    """Up to `limit` policies of an account below a path whose key comes after `after`, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_policies WHERE account = ? AND policy_key > ? AND "
        "substr(path, 1, CAST(? AS INTEGER)) = ? ORDER BY policy_key LIMIT ?",
        (account, after, len(path_prefix), path_prefix, limit),
    )
    return [ManagedPolicy(*row) for row in rows]


def count(reader: Reader, account: str) -> int:
    """How many managed policies an account has."""
    row = reader.one("SELECT count(*) FROM iam_policies WHERE account = ?", (account,))
    return int(row[0]) if row else 0


def add(tx: Transaction, policy: ManagedPolicy) -> None:
    """Keep a new managed policy. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_policies (policy_key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            policy.key,
            policy.account,
            policy.name,
            policy.path,
            policy.policy_id,
            policy.description,
            policy.default_version,
            policy.last_version,
            policy.created,
            policy.updated,
        ),
    )
    changed(tx, policy.account, KIND, policy.key)


def update(tx: Transaction, policy: ManagedPolicy) -> None:
    """Keep what of a managed policy can change."""
    tx.execute(
        "UPDATE iam_policies SET default_version = ?, last_version = ?, updated = ? "
        "WHERE account = ? AND policy_key = ?",
        (policy.default_version, policy.last_version, policy.updated, policy.account, policy.key),
    )
    changed(tx, policy.account, KIND, policy.key)


def delete(tx: Transaction, policy: ManagedPolicy) -> None:
    """Forget a managed policy and its documents."""
    tx.execute("DELETE FROM iam_policies WHERE account = ? AND policy_key = ?", (policy.account, policy.key))
    tx.execute("DELETE FROM iam_policy_versions WHERE account = ? AND policy_key = ?", (policy.account, policy.key))
    changed(tx, policy.account, KIND, policy.key)


def versions(reader: Reader, policy: ManagedPolicy) -> list[PolicyVersion]:
    """The documents of a policy, newest first; of AWS's policies only the one in force is known."""
    if policy.account == AWS_ACCOUNT:
        return [aws_policies()[policy.arn][1]]
    rows = reader.query(
        "SELECT version, document, created FROM iam_policy_versions WHERE account = ? AND policy_key = ? "
        "ORDER BY version DESC LIMIT 100",
        (policy.account, policy.key),
    )
    return [PolicyVersion(*row) for row in rows]


def version(reader: Reader, policy: ManagedPolicy, number: int) -> PolicyVersion | None:
    """One document of a policy."""
    return next((version for version in versions(reader, policy) if version.number == number), None)


def default_document(reader: Reader, arn: str) -> str | None:
    """The document that is in force of the managed policy of this ARN, of an account or AWS's."""
    policy = find(reader, arn)
    found = None if policy is None else version(reader, policy, policy.default_version)
    return None if found is None else found.document


def add_version(tx: Transaction, policy: ManagedPolicy, version: PolicyVersion) -> None:
    """Keep a document of a policy. Raises UniqueViolation."""
    tx.execute(
        "INSERT INTO iam_policy_versions (account, policy_key, version, document, created) VALUES (?, ?, ?, ?, ?)",
        (policy.account, policy.key, version.number, version.document, version.created),
    )


def delete_version(tx: Transaction, policy: ManagedPolicy, number: int) -> None:
    """Forget a document of a policy."""
    tx.execute(
        "DELETE FROM iam_policy_versions WHERE account = ? AND policy_key = ? AND version = ?",
        (policy.account, policy.key, number),
    )


@cache
def aws_policies() -> dict[str, tuple[ManagedPolicy, PolicyVersion]]:
    """AWS's managed policies that functions use, by ARN, in the order of their names; AWS's own documents.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
    """
    found = {}
    for entry in orjson.loads((files("cloudlet.iam") / "managed_policies.json").read_bytes()):
        number = int(entry["VersionId"][1:])
        created, updated = (datetime.fromisoformat(entry[name]).timestamp() for name in ("CreateDate", "UpdateDate"))
        policy = ManagedPolicy(
            AWS_ACCOUNT,
            entry["PolicyName"],
            entry["Path"],
            entry["PolicyId"],
            entry.get("Description"),
            number,
            number,
            created,
            updated,
        )
        document = orjson.dumps(entry["Document"], option=orjson.OPT_INDENT_2).decode()
        found[policy.arn] = policy, PolicyVersion(number, document, updated)
    return found
