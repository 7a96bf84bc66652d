"""IAM's tables: what the rights layer reads, and the IAM service changes.

IAM is global: its keys start with the account and have no region. An access key is looked up before its account is
known, so that its own id is its key. Names are unique without regard to case (`*_key` columns hold them lower), but
are given back as they were written.
"""

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
    Migration(
        2,
        (
            """CREATE TABLE iam_users (
                account TEXT NOT NULL, user_key TEXT NOT NULL, user_name TEXT NOT NULL, path TEXT NOT NULL,
                user_id TEXT NOT NULL, boundary_arn TEXT, created DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, user_key))""",
            "CREATE UNIQUE INDEX iam_users_by_id ON iam_users (account, user_id)",
            """CREATE TABLE iam_login_profiles (
                account TEXT NOT NULL, user_key TEXT NOT NULL, password_hash TEXT NOT NULL,
                previous_hashes TEXT NOT NULL, reset_required BIGINT NOT NULL, created DOUBLE PRECISION NOT NULL,
                changed DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, user_key))""",
            """CREATE TABLE iam_groups (
                account TEXT NOT NULL, group_key TEXT NOT NULL, group_name TEXT NOT NULL, path TEXT NOT NULL,
                group_id TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, group_key))""",
            """CREATE TABLE iam_group_members (
                account TEXT NOT NULL, group_key TEXT NOT NULL, user_key TEXT NOT NULL,
                PRIMARY KEY (account, group_key, user_key))""",
            "CREATE INDEX iam_group_members_of_user ON iam_group_members (account, user_key)",
            """CREATE TABLE iam_uses (
                subject TEXT PRIMARY KEY, used DOUBLE PRECISION NOT NULL, service TEXT NOT NULL,
                region TEXT NOT NULL)""",
            """CREATE TABLE iam_instance_profiles (
                account TEXT NOT NULL, profile_key TEXT NOT NULL, profile_name TEXT NOT NULL, path TEXT NOT NULL,
                profile_id TEXT NOT NULL, role_key TEXT, created DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, profile_key))""",
            "CREATE INDEX iam_instance_profiles_of_role ON iam_instance_profiles (account, role_key)",
            """CREATE TABLE iam_identity_providers (
                account TEXT NOT NULL, kind TEXT NOT NULL, provider_key TEXT NOT NULL, content TEXT NOT NULL,
                created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, kind, provider_key))""",
            """CREATE TABLE iam_user_credentials (
                account TEXT NOT NULL, kind TEXT NOT NULL, credential_id TEXT NOT NULL, user_key TEXT NOT NULL,
                status TEXT NOT NULL, content TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, kind, credential_id))""",
            "CREATE INDEX iam_user_credentials_of_user ON iam_user_credentials (account, user_key)",
            """CREATE TABLE iam_server_certificates (
                account TEXT NOT NULL, certificate_key TEXT NOT NULL, certificate_name TEXT NOT NULL,
                path TEXT NOT NULL, certificate_id TEXT NOT NULL, body TEXT NOT NULL, chain TEXT,
                expires DOUBLE PRECISION NOT NULL, uploaded DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, certificate_key))""",
            """CREATE TABLE iam_account_settings (
                account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, changed DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, name))""",
            "CREATE UNIQUE INDEX iam_account_alias ON iam_account_settings (value) WHERE name = 'alias'",
        ),
    ),
    Migration(
        3,
        (
            """CREATE TABLE iam_organizations (
                account TEXT PRIMARY KEY, organization_id TEXT NOT NULL, root_id TEXT NOT NULL,
                feature_set TEXT NOT NULL, policy_types TEXT NOT NULL, created DOUBLE PRECISION NOT NULL)""",
            """CREATE TABLE iam_organization_units (
                account TEXT NOT NULL, unit_id TEXT NOT NULL, parent_id TEXT NOT NULL, name TEXT NOT NULL,
                created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, unit_id))""",
            "CREATE INDEX iam_organization_units_of_parent ON iam_organization_units (account, parent_id)",
            """CREATE TABLE iam_organization_members (
                account TEXT NOT NULL, member TEXT NOT NULL, parent_id TEXT NOT NULL, name TEXT NOT NULL,
                email TEXT NOT NULL, status TEXT NOT NULL, joined_method TEXT NOT NULL,
                joined DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, member))""",
            "CREATE UNIQUE INDEX iam_organization_of_member ON iam_organization_members (member)",
            "CREATE INDEX iam_organization_members_by_email ON iam_organization_members (email)",
            """CREATE TABLE iam_organization_policies (
                account TEXT NOT NULL, policy_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,
                description TEXT NOT NULL, content TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, policy_id))""",
            """CREATE TABLE iam_organization_attachments (
                account TEXT NOT NULL, target_id TEXT NOT NULL, policy_id TEXT NOT NULL,
                PRIMARY KEY (account, target_id, policy_id))""",
            "CREATE INDEX iam_organization_attachments_of_policy ON iam_organization_attachments (account, policy_id)",
            """CREATE TABLE iam_organization_requests (
                account TEXT NOT NULL, request_id TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
                member TEXT NOT NULL, failure_reason TEXT NOT NULL, requested DOUBLE PRECISION NOT NULL,
                completed DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, request_id))""",
            """CREATE TABLE iam_organization_tags (
                account TEXT NOT NULL, resource_id TEXT NOT NULL, tag_key TEXT NOT NULL, value TEXT NOT NULL,
                PRIMARY KEY (account, resource_id, tag_key))""",
        ),
    ),
)
CHANNEL = "iam"
"""The store's channel that says what changed: `<account>/<kind>/<entity key>`."""


def secret(reader: Reader, name: str) -> bytes | None:
    """The store's secret of this name."""
    row = reader.one("SELECT value FROM iam_secrets WHERE name = ?", (name,))
    return None if row is None else bytes(row[0])


def add_secret(tx: Transaction, name: str, value: bytes) -> None:
    """Keep a secret, unless there is one of this name."""
    tx.execute("INSERT INTO iam_secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value))


def changed(tx: Transaction, account: str, kind: str, key: str) -> None:
    """Let all nodes know that what an entity may do has changed: a user, a role, a group, or a managed policy."""
    tx.notify(CHANNEL, f"{account}/{kind}/{key}")
