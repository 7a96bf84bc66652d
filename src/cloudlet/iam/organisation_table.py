"""Organisations in the store: their accounts, units and policies. Keys start with the management account.

Every change tells all nodes, because it may change what the accounts of an organisation may do.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

from cloudlet.store.base import Reader, Transaction

CHANNEL = "iam-organisations"
"""The store's channel that says that an organisation has changed: its management account."""
SERVICE_CONTROL_POLICY = "SERVICE_CONTROL_POLICY"
FULL_ACCESS = "p-FullAWSAccess"
"""AWS's own policy, which everything has until another one takes its place."""
FULL_ACCESS_DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation, with its only root."""

    account: str
    """The management account."""
    organization_id: str
    root_id: str
    feature_set: str
    policy_types: str
    """The types of policies that are enabled in the root, with commas between them."""
    created: float
    """Seconds since the epoch, platform time."""

    @property
    def has_service_control(self) -> bool:
        """True when service control policies are enabled."""
        return SERVICE_CONTROL_POLICY in self.policy_types.split(",")


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisational unit."""

    account: str
    unit_id: str
    parent_id: str
    name: str
    created: float


@dataclass(frozen=True, slots=True)
class Member:
    """An account of an organisation, the management account included."""

    account: str
    member: str
    """The account's own number."""
    parent_id: str
    name: str
    email: str
    status: str
    """ACTIVE, or SUSPENDED for one that was closed."""
    joined_method: str
    joined: float


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of an organisation."""

    account: str
    policy_id: str
    type: str
    name: str
    description: str
    content: str
    created: float


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """What became of a request to create an account."""

    account: str
    request_id: str
    name: str
    state: str
    member: str
    """The new account; empty when there is none."""
    failure_reason: str
    requested: float
    completed: float


_ORGANISATION = "account, organization_id, root_id, feature_set, policy_types, created"
_UNIT = "account, unit_id, parent_id, name, created"
_MEMBER = "account, member, parent_id, name, email, status, joined_method, joined"
_POLICY = "account, policy_id, type, name, description, content, created"
_REQUEST = "account, request_id, name, state, member, failure_reason, requested, completed"
_TABLES = (
    "iam_organizations",
    "iam_organization_units",
    "iam_organization_members",
    "iam_organization_policies",
    "iam_organization_attachments",
    "iam_organization_requests",
    "iam_organization_tags",
)


def changed(tx: Transaction, account: str) -> None:
    """Let all nodes know."""
    tx.notify(CHANNEL, account)


def of_member(reader: Reader, member: str) -> tuple[Organisation, Member] | None:
    """The organisation that an account is in, and what it is there."""
    row = reader.one(f"SELECT {_MEMBER} FROM iam_organization_members WHERE member = ?", (member,))
    if row is None:
        return None
    found = Member(*row)
    row = reader.one(f"SELECT {_ORGANISATION} FROM iam_organizations WHERE account = ?", (found.account,))
    return None if row is None else (Organisation(*row), found)


def put(tx: Transaction, organisation: Organisation) -> None:
    """Keep an organisation, or which policies it has enabled."""
    tx.execute(
        f"INSERT INTO iam_organizations ({_ORGANISATION}) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account) DO UPDATE SET policy_types = excluded.policy_types",
        astuple(organisation),
    )
    changed(tx, organisation.account)


def delete(tx: Transaction, account: str) -> None:
    """Forget an organisation and all that is in it."""
    for table in _TABLES:
        tx.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
    changed(tx, account)


def unit(reader: Reader, account: str, unit_id: str) -> Unit | None:
    """The organisational unit of this id."""
    row = reader.one(
        f"SELECT {_UNIT} FROM iam_organization_units WHERE account = ? AND unit_id = ?", (account, unit_id)
    )
    return None if row is None else Unit(*row)


def units_of(reader: Reader, account: str, parent_id: str, after: str = "", limit: int = 10000) -> list[Unit]:
    """Up to `limit` units right below a parent whose id comes after `after`."""
    rows = reader.query(
        f"SELECT {_UNIT} FROM iam_organization_units WHERE account = ? AND parent_id = ? AND unit_id > ? "
        "ORDER BY unit_id LIMIT ?",
        (account, parent_id, after, limit),
    )
    return [Unit(*row) for row in rows]


def count_units(reader: Reader, account: str) -> int:
    """How many units an organisation has."""
    row = reader.one("SELECT count(*) FROM iam_organization_units WHERE account = ?", (account,))
    return int(row[0]) if row else 0


def put_unit(tx: Transaction, found: Unit) -> None:
    """Keep a unit, or its new name."""
    tx.execute(
        f"INSERT INTO iam_organization_units ({_UNIT}) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (account, unit_id) DO UPDATE SET name = excluded.name",
        astuple(found),
    )
    changed(tx, found.account)


def delete_unit(tx: Transaction, found: Unit) -> None:
    """Forget a unit, and what hangs on it."""
    tx.execute("DELETE FROM iam_organization_units WHERE account = ? AND unit_id = ?", (found.account, found.unit_id))
    _forget_target(tx, found.account, found.unit_id)


def members(
    reader: Reader, account: str, after: str = "", limit: int = 10000, parent_id: str | None = None
) -> list[Member]:
    """Up to `limit` accounts whose number comes after `after`; right below a parent where one is given."""
    below, parameters = ("AND parent_id = ? ", (parent_id,)) if parent_id is not None else ("", ())
    rows = reader.query(
        f"SELECT {_MEMBER} FROM iam_organization_members WHERE account = ? AND member > ? {below}"
        "ORDER BY member LIMIT ?",
        (account, after, *parameters, limit),
    )
    return [Member(*row) for row in rows]


def is_email_used(reader: Reader, email: str) -> bool:
    """True when an account of any organisation has this address."""
    return reader.one("SELECT member FROM iam_organization_members WHERE email = ?", (email,)) is not None


def put_member(tx: Transaction, found: Member) -> None:
    """Keep an account, or where it is and what became of it."""
    tx.execute(
        f"INSERT INTO iam_organization_members ({_MEMBER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, member) DO UPDATE SET parent_id = excluded.parent_id, status = excluded.status",
        astuple(found),
    )
    changed(tx, found.account)


def delete_member(tx: Transaction, found: Member) -> None:
    """Let an account out of its organisation."""
    tx.execute("DELETE FROM iam_organization_members WHERE account = ? AND member = ?", (found.account, found.member))
    _forget_target(tx, found.account, found.member)


def _forget_target(tx: Transaction, account: str, target_id: str) -> None:
    tx.execute("DELETE FROM iam_organization_attachments WHERE account = ? AND target_id = ?", (account, target_id))
    tx.execute("DELETE FROM iam_organization_tags WHERE account = ? AND resource_id = ?", (account, target_id))
    changed(tx, account)


def policy(reader: Reader, account: str, policy_id: str) -> Policy | None:
    """The policy of this id; AWS's own one too."""
    if policy_id == FULL_ACCESS:
        return full_access(account)
    row = reader.one(
        f"SELECT {_POLICY} FROM iam_organization_policies WHERE account = ? AND policy_id = ?", (account, policy_id)
    )
    return None if row is None else Policy(*row)


def full_access(account: str) -> Policy:
    """AWS's own policy."""
    text = "Allows access to every operation"
    return Policy(account, FULL_ACCESS, SERVICE_CONTROL_POLICY, "FullAWSAccess", text, FULL_ACCESS_DOCUMENT, 0.0)


def policies(reader: Reader, account: str, type_: str, after: str = "", limit: int = 10000) -> list[Policy]:
    """Up to `limit` policies of a type whose id comes after `after`, without AWS's own."""
    rows = reader.query(
        f"SELECT {_POLICY} FROM iam_organization_policies WHERE account = ? AND type = ? AND policy_id > ? "
        "ORDER BY policy_id LIMIT ?",
        (account, type_, after, limit),
    )
    return [Policy(*row) for row in rows]


def put_policy(tx: Transaction, found: Policy) -> None:
    """Keep a policy, or what of it has changed."""
    tx.execute(
        f"INSERT INTO iam_organization_policies ({_POLICY}) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, policy_id) DO UPDATE SET name = excluded.name, "
        "description = excluded.description, content = excluded.content",
        astuple(found),
    )
    changed(tx, found.account)


def delete_policy(tx: Transaction, found: Policy) -> None:
    """Forget a policy that is attached to nothing."""
    key = found.account, found.policy_id
    tx.execute("DELETE FROM iam_organization_policies WHERE account = ? AND policy_id = ?", key)
    tx.execute("DELETE FROM iam_organization_tags WHERE account = ? AND resource_id = ?", key)


def attached(reader: Reader, account: str, target_id: str) -> list[Policy]:
    """The policies that are attached to a root, a unit or an account, in the order of their ids."""
    rows = reader.query(
        "SELECT policy_id FROM iam_organization_attachments WHERE account = ? AND target_id = ? ORDER BY policy_id",
        (account, target_id),
    )
    return [found for row in rows if (found := policy(reader, account, str(row[0]))) is not None]


def targets(reader: Reader, account: str, policy_id: str, after: str = "", limit: int = 10000) -> list[str]:
    """Up to `limit` ids that a policy is attached to, and that come after `after`."""
    rows = reader.query(
        "SELECT target_id FROM iam_organization_attachments WHERE account = ? AND policy_id = ? AND target_id > ? "
        "ORDER BY target_id LIMIT ?",
        (account, policy_id, after, limit),
    )
    return [str(row[0]) for row in rows]


def attach(tx: Transaction, account: str, target_id: str, policy_id: str) -> None:
    """Attach a policy; nothing happens when it is attached already."""
    tx.execute(
        "INSERT INTO iam_organization_attachments (account, target_id, policy_id) VALUES (?, ?, ?) "
        "ON CONFLICT (account, target_id, policy_id) DO NOTHING",
        (account, target_id, policy_id),
    )
    changed(tx, account)


def detach(tx: Transaction, account: str, target_id: str, policy_id: str) -> None:
    """Detach a policy."""
    tx.execute(
        "DELETE FROM iam_organization_attachments WHERE account = ? AND target_id = ? AND policy_id = ?",
        (account, target_id, policy_id),
    )
    changed(tx, account)


def detach_all(tx: Transaction, account: str) -> None:
    """Detach all policies from everything, as when their type is disabled."""
    tx.execute("DELETE FROM iam_organization_attachments WHERE account = ?", (account,))
    changed(tx, account)


def request(reader: Reader, account: str, request_id: str) -> AccountRequest | None:
    """The request of this id."""
    row = reader.one(
        f"SELECT {_REQUEST} FROM iam_organization_requests WHERE account = ? AND request_id = ?",
        (account, request_id),
    )
    return None if row is None else AccountRequest(*row)


def requests(reader: Reader, account: str, after: str, limit: int) -> list[AccountRequest]:
    """Up to `limit` requests whose id comes after `after`."""
    rows = reader.query(
        f"SELECT {_REQUEST} FROM iam_organization_requests WHERE account = ? AND request_id > ? "
        "ORDER BY request_id LIMIT ?",
        (account, after, limit),
    )
    return [AccountRequest(*row) for row in rows]


def add_request(tx: Transaction, found: AccountRequest) -> None:
    """Keep a request."""
    tx.execute(f"INSERT INTO iam_organization_requests ({_REQUEST}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(found))


def tags(reader: Reader, account: str, resource_id: str) -> list[tuple[str, str]]:
    """The tags of a root, a unit, an account or a policy."""
    rows = reader.query(
        "SELECT tag_key, value FROM iam_organization_tags WHERE account = ? AND resource_id = ? ORDER BY tag_key",
        (account, resource_id),
    )
    return [(str(key), str(value)) for key, value in rows]


def put_tags(tx: Transaction, account: str, resource_id: str, tags: Iterable[tuple[str, str]]) -> None:
    """Add tags; those of the same key are replaced."""
    tx.execute_many(
        "INSERT INTO iam_organization_tags (account, resource_id, tag_key, value) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (account, resource_id, tag_key) DO UPDATE SET value = excluded.value",
        [(account, resource_id, key, value) for key, value in tags],
    )


def delete_tags(tx: Transaction, account: str, resource_id: str, keys: Iterable[str]) -> None:
    """Take tags away; those that are not there do not matter."""
    tx.execute_many(
        "DELETE FROM iam_organization_tags WHERE account = ? AND resource_id = ? AND tag_key = ?",
        [(account, resource_id, key) for key in keys],
    )


def ancestors(reader: Reader, organisation: Organisation, parent_id: str) -> list[str]:
    """The ids from the root down to `parent_id`."""
    path = [parent_id]
    while path[-1] != organisation.root_id:
        found = unit(reader, organisation.account, path[-1])
        if found is None:
            break
        path.append(found.parent_id)
    return path[::-1]
