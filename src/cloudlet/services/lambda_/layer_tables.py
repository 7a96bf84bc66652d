"""The SQL of layers, and of which version of a function uses which."""

from collections.abc import Sequence

from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.store.base import Migration, Parameter, Reader, Row, Transaction

LAYERS = Migration(
    2,
    (
        """CREATE TABLE lambda_layers (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, next_version BIGINT NOT NULL,
            PRIMARY KEY (account, region, name))""",
        """CREATE TABLE lambda_layer_versions (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL,
            digest TEXT NOT NULL, size_bytes BIGINT NOT NULL, unpacked_bytes BIGINT NOT NULL,
            description TEXT NOT NULL, license TEXT NOT NULL, runtimes TEXT NOT NULL, architectures TEXT NOT NULL,
            created_ms BIGINT NOT NULL, statements TEXT NOT NULL, revision_id TEXT NOT NULL,
            PRIMARY KEY (account, region, name, version))""",
        "CREATE INDEX lambda_layer_versions_by_code ON lambda_layer_versions (digest)",
        # A version of a function keeps the layers that it was made with, also when they are deleted.
        """CREATE TABLE lambda_layer_uses (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, sequence BIGINT NOT NULL,
            digest TEXT NOT NULL, PRIMARY KEY (account, region, name, sequence, digest))""",
        "CREATE INDEX lambda_layer_uses_by_code ON lambda_layer_uses (digest)",
    ),
)
_COLUMNS = (
    "account, region, name, version, digest, size_bytes, unpacked_bytes, description, license, runtimes, "
    "architectures, created_ms, statements, revision_id"
)
_KEY = "account = ? AND region = ? AND name = ?"

LayerKey = tuple[str, str, str]


def take_version_number(tx: Transaction, key: LayerKey) -> int:
    """The next version's number, used up; deleted versions' numbers are not given again."""
    rows = tx.query(
        "INSERT INTO lambda_layers (account, region, name, next_version) VALUES (?, ?, ?, 2)"
        " ON CONFLICT (account, region, name) DO UPDATE SET next_version = lambda_layers.next_version + 1"
        " RETURNING next_version - 1",
        key,
    )
    return int(rows[0][0])


def put_version(tx: Transaction, values: Sequence[Parameter]) -> None:
    """Add a version of a layer."""
    tx.execute(f"INSERT INTO lambda_layer_versions ({_COLUMNS}) VALUES ({', '.join('?' * 14)})", values)


def version(reader: Reader, key: LayerKey, number: int) -> Row | None:
    """A version of a layer."""
    return reader.one(f"SELECT {_COLUMNS} FROM lambda_layer_versions WHERE {_KEY} AND version = ?", (*key, number))


def versions(reader: Reader, key: LayerKey, before: int, limit: int) -> list[Row]:
    """A layer's versions below a number, the latest first."""
    return reader.query(
        f"SELECT {_COLUMNS} FROM lambda_layer_versions WHERE {_KEY} AND version < ? ORDER BY version DESC LIMIT ?",
        (*key, before, limit),
    )


def names(reader: Reader, account: str, region: str, after: str, limit: int) -> list[str]:
    """Layers that have a version, in the order of their names."""
    rows = reader.query(
        "SELECT DISTINCT name FROM lambda_layer_versions WHERE account = ? AND region = ? AND name > ?"
        " ORDER BY name LIMIT ?",
        (account, region, after, limit),
    )
    return [row[0] for row in rows]


def set_statements(tx: Transaction, key: LayerKey, number: int, statements: str, revision_id: str) -> None:
    """Change the policy of a version."""
    tx.execute(
        f"UPDATE lambda_layer_versions SET statements = ?, revision_id = ? WHERE {_KEY} AND version = ?",
        (statements, revision_id, *key, number),
    )


def delete_version(tx: Transaction, key: LayerKey, number: int) -> str:
    """Delete a version; the digest of its content, or empty when there is none such."""
    row = version(tx, key, number)
    tx.execute(f"DELETE FROM lambda_layer_versions WHERE {_KEY} AND version = ?", (*key, number))
    return str(row[4]) if row is not None else ""


def stored_bytes(reader: Reader, account: str, region: str) -> int:
    """All layers of an account together."""
    row = reader.one(
        "SELECT COALESCE(SUM(size_bytes), 0) FROM lambda_layer_versions WHERE account = ? AND region = ?",
        (account, region),
    )
    return int(row[0]) if row is not None else 0


def set_uses(tx: Transaction, ref: FunctionRef, sequence: int, digests: Sequence[str]) -> list[str]:
    """Keep which layers a version of a function uses; those that it used before and does not use now."""
    key = (ref.account, ref.region, ref.name, sequence)
    before = {row[0] for row in tx.query(f"SELECT digest FROM lambda_layer_uses WHERE {_KEY} AND sequence = ?", key)}
    now = set(digests)
    for digest in before - now:
        tx.execute(f"DELETE FROM lambda_layer_uses WHERE {_KEY} AND sequence = ? AND digest = ?", (*key, digest))
    for digest in now - before:
        tx.execute(
            "INSERT INTO lambda_layer_uses (account, region, name, sequence, digest) VALUES (?, ?, ?, ?, ?)",
            (*key, digest),
        )
    return sorted(before - now)


def drop_uses(tx: Transaction, ref: FunctionRef) -> list[str]:
    """A function is deleted: the layers that its versions used."""
    key = (ref.account, ref.region, ref.name)
    rows = tx.query(f"SELECT DISTINCT digest FROM lambda_layer_uses WHERE {_KEY}", key)
    tx.execute(f"DELETE FROM lambda_layer_uses WHERE {_KEY}", key)
    return [row[0] for row in rows]
