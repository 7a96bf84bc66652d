"""IAM's tables: what the rights layer reads, and the IAM service changes.

IAM is global: its keys start with the account and have no region. An access key is looked up before its account is
known, so that its own id is its key. Names are unique without regard to case (`*_key` columns hold them lower), but
are given back as they were written.
"""

from dataclasses import dataclass

from cloudlet.store.base import Migration, Reader, Transaction

MIGRATIONS = (
    Migration(
        1,
        (
            "CREATE TABLE iam_secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
            """CREATE TABLE iam_access_keys (
                access_key_id TEXT PRIMARY KEY, account TEXT NOT NULL, user_key TEXT NOT NULL, secret TEXT NOT NULL,
                status TEXT NOT NULL, created DOUBLE PRECISION NOT NULL)""",
            "CREATE INDEX iam_access_keys_of_user ON iam_access_keys (account, user_key)",
            """CREATE TABLE iam_roles (
                account TEXT NOT NULL, role_key TEXT NOT NULL, role_name TEXT NOT NULL, path TEXT NOT NULL,
                role_id TEXT NOT NULL, trust_policy TEXT NOT NULL, description TEXT, max_session_s BIGINT NOT NULL,
                boundary_arn TEXT, created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, role_key))""",
            """CREATE TABLE iam_tags (
                account TEXT NOT NULL, kind TEXT NOT NULL, entity_key TEXT NOT NULL, tag_key TEXT NOT NULL,
                name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (account, kind, entity_key, tag_key))""",
            """CREATE TABLE iam_inline_policies (
                account TEXT NOT NULL, kind TEXT NOT NULL, entity_key TEXT NOT NULL, policy_key TEXT NOT NULL,
                policy_name TEXT NOT NULL, document TEXT NOT NULL,
                PRIMARY KEY (account, kind, entity_key, policy_key))""",
            """CREATE TABLE iam_policies (
                account TEXT NOT NULL, policy_key TEXT NOT NULL, policy_name TEXT NOT NULL, path TEXT NOT NULL,
                policy_id TEXT NOT NULL, description TEXT, default_version BIGINT NOT NULL,
                last_version BIGINT NOT NULL, created DOUBLE PRECISION NOT NULL, updated DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, policy_key))""",
            """CREATE TABLE iam_policy_versions (
                account TEXT NOT NULL, policy_key TEXT NOT NULL, version BIGINT NOT NULL, document TEXT NOT NULL,
                created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, policy_key, version))""",
            """CREATE TABLE iam_attachments (
                account TEXT NOT NULL, kind TEXT NOT NULL, entity_key TEXT NOT NULL, policy_arn TEXT NOT NULL,
                PRIMARY KEY (account, kind, entity_key, policy_arn))""",
            "CREATE INDEX iam_attachments_of_policy ON iam_attachments (account, policy_arn)",
        ),
    ),
)


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


def secret(reader: Reader, name: str) -> bytes | None:
    """The store's secret of this name."""
    row = reader.one("SELECT value FROM iam_secrets WHERE name = ?", (name,))
    return None if row is None else bytes(row[0])


def add_secret(tx: Transaction, name: str, value: bytes) -> None:
    """Keep a secret, unless there is one of this name."""
    tx.execute("INSERT INTO iam_secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value))


_KEY_COLUMNS = "access_key_id, account, user_key, secret, status, created"


def access_key(reader: Reader, access_key_id: str) -> AccessKey | None:
    """The access key of this id, of any account."""
    row = reader.one(f"SELECT {_KEY_COLUMNS} FROM iam_access_keys WHERE access_key_id = ?", (access_key_id,))
    return None if row is None else AccessKey(*row)


def access_keys(reader: Reader, account: str, user_key: str) -> list[AccessKey]:
    """The access keys of a user, or of root, oldest first."""
    rows = reader.query(
        f"SELECT {_KEY_COLUMNS} FROM iam_access_keys WHERE account = ? AND user_key = ? "
        "ORDER BY created, access_key_id LIMIT 100",
        (account, user_key),
    )
    return [AccessKey(*row) for row in rows]


def add_access_key(tx: Transaction, key: AccessKey) -> None:
    """Keep an access key. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_access_keys ({_KEY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (key.access_key_id, key.account, key.user_key, key.secret, key.status, key.created),
    )
