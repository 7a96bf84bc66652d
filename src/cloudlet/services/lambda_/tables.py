"""Lambda's tables, and each query by its name.

A function is one row of lambda_functions, each of its versions one of lambda_versions, where `sequence` is the
version's number and 0 is $LATEST. A version has two sides: what was asked for last (`configuration`, `code_digest`,
`environment_id`), and what invocations run (`serving`), which follows once the first is ready to run. `code_digest` and
`serving_digest` are the references to packages.
"""

from collections.abc import Sequence

from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.store.base import Migration, Parameter, Reader, Row, Transaction

MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE lambda_functions (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
                next_version BIGINT NOT NULL, tags TEXT NOT NULL, reserved_concurrency BIGINT,
                created_ms BIGINT NOT NULL, PRIMARY KEY (account, region, name))""",
            """CREATE TABLE lambda_versions (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, sequence BIGINT NOT NULL,
                environment_id TEXT NOT NULL, revision_id TEXT NOT NULL,
                state TEXT NOT NULL, state_reason TEXT NOT NULL, state_reason_code TEXT NOT NULL,
                update_status TEXT NOT NULL, update_reason TEXT NOT NULL, update_reason_code TEXT NOT NULL,
                code_digest TEXT NOT NULL, code_bytes BIGINT NOT NULL, configuration TEXT NOT NULL,
                fingerprint TEXT NOT NULL, modified_ms BIGINT NOT NULL,
                serving TEXT NOT NULL, serving_digest TEXT NOT NULL,
                PRIMARY KEY (account, region, name, sequence))""",
            "CREATE INDEX lambda_versions_by_code ON lambda_versions (code_digest)",
            "CREATE INDEX lambda_versions_by_serving ON lambda_versions (serving_digest)",
            """CREATE INDEX lambda_versions_unfinished ON lambda_versions (account, region, name, sequence)
                WHERE state = 'Pending' OR update_status = 'InProgress'""",
            """CREATE TABLE lambda_aliases (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL,
                sequence BIGINT NOT NULL, description TEXT NOT NULL, other_sequence BIGINT, weight DOUBLE PRECISION,
                revision_id TEXT NOT NULL, PRIMARY KEY (account, region, name, alias))""",
            """CREATE TABLE lambda_statements (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
                sid TEXT NOT NULL, position BIGINT NOT NULL, statement TEXT NOT NULL,
                PRIMARY KEY (account, region, name, qualifier, sid))""",
            # An upload that is under way: its package must not be taken for unused. See packages.py.
            """CREATE TABLE lambda_leases (
                account TEXT NOT NULL, region TEXT NOT NULL, lease_id TEXT NOT NULL, digest TEXT NOT NULL,
                expires_ms BIGINT NOT NULL, PRIMARY KEY (account, region, lease_id))""",
            "CREATE INDEX lambda_leases_by_code ON lambda_leases (digest)",
            # Packages are kept once for all accounts, so what may be deleted belongs to none.
            "CREATE TABLE lambda_garbage (digest TEXT PRIMARY KEY, claimed_ms BIGINT NOT NULL)",
            "CREATE TABLE lambda_secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL)",
        ),
    ),
)

_VERSION_COLUMNS = (
    "account, region, name, sequence, environment_id, revision_id, state, state_reason, state_reason_code, "
    "update_status, update_reason, update_reason_code, code_digest, code_bytes, configuration, fingerprint, "
    "modified_ms, serving, serving_digest"
)
_ALIAS_COLUMNS = "alias, sequence, description, other_sequence, weight, revision_id"
_OF_FUNCTION = "account = ? AND region = ? AND name = ?"


def _key(ref: FunctionRef) -> tuple[str, str, str]:
    return ref.account, ref.region, ref.name


# Functions


def insert_function(tx: Transaction, ref: FunctionRef, tags: str, created_ms: int) -> bool:
    """False when a function of this name is there."""
    return bool(
        tx.execute(
            "INSERT INTO lambda_functions (account, region, name, next_version, tags, created_ms) "
            "VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT (account, region, name) DO NOTHING",
            (*_key(ref), tags, created_ms),
        )
    )


def function(reader: Reader, ref: FunctionRef) -> Row | None:
    """(next_version, tags, reserved_concurrency)."""
    return reader.one(
        f"SELECT next_version, tags, reserved_concurrency FROM lambda_functions WHERE {_OF_FUNCTION}", _key(ref)
    )


def take_version_number(tx: Transaction, ref: FunctionRef) -> int:
    """The next version's number, used up."""
    rows = tx.query(
        f"UPDATE lambda_functions SET next_version = next_version + 1 WHERE {_OF_FUNCTION} RETURNING next_version - 1",
        _key(ref),
    )
    return int(rows[0][0])


def set_tags(tx: Transaction, ref: FunctionRef, tags: str) -> None:
    tx.execute(f"UPDATE lambda_functions SET tags = ? WHERE {_OF_FUNCTION}", (tags, *_key(ref)))


def set_reserved_concurrency(tx: Transaction, ref: FunctionRef, reserved: int | None) -> None:
    tx.execute(f"UPDATE lambda_functions SET reserved_concurrency = ? WHERE {_OF_FUNCTION}", (reserved, *_key(ref)))


def delete_function(tx: Transaction, ref: FunctionRef) -> bool:
    """Delete the function with all that belongs to it; false when there is none."""
    for table in (
        "lambda_versions",
        "lambda_aliases",
        "lambda_statements",
        "lambda_event_invoke_configs",
        "lambda_provisioned",
        "lambda_function_settings",
    ):
        tx.execute(f"DELETE FROM {table} WHERE {_OF_FUNCTION}", _key(ref))
    return bool(tx.execute(f"DELETE FROM lambda_functions WHERE {_OF_FUNCTION}", _key(ref)))


def usage(reader: Reader, account: str, region: str) -> tuple[int, int, int]:
    """(functions, bytes of code, reserved concurrency) of an account in a region."""
    [(functions, reserved)] = reader.query(
        "SELECT COUNT(*), COALESCE(SUM(reserved_concurrency), 0) FROM lambda_functions "
        "WHERE account = ? AND region = ?",
        (account, region),
    )
    [(code_bytes,)] = reader.query(
        "SELECT COALESCE(SUM(code_bytes), 0) FROM lambda_versions WHERE account = ? AND region = ?", (account, region)
    )
    return int(functions), int(code_bytes), int(reserved)


def reserved_concurrency(reader: Reader, account: str, region: str) -> list[Row]:
    """(name, reserved_concurrency) of the functions that have one."""
    return reader.query(
        "SELECT name, reserved_concurrency FROM lambda_functions "
        "WHERE account = ? AND region = ? AND reserved_concurrency IS NOT NULL",
        (account, region),
    )


def reserving_accounts(reader: Reader) -> list[Row]:
    """(account, region) of all functions with reserved or provisioned concurrency."""
    return reader.query(
        "SELECT DISTINCT account, region FROM lambda_functions WHERE reserved_concurrency IS NOT NULL"
        " UNION SELECT DISTINCT account, region FROM lambda_provisioned"
    )


# Versions


def put_version(tx: Transaction, values: Sequence[Parameter]) -> None:
    """Insert or replace one row; `values` in the order of `Version`'s fields."""
    columns = _VERSION_COLUMNS.split(", ")
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns[4:])
    tx.execute(
        f"INSERT INTO lambda_versions ({_VERSION_COLUMNS}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT (account, region, name, sequence) DO UPDATE SET {updates}",
        values,
    )


def version(reader: Reader, ref: FunctionRef, sequence: int) -> Row | None:
    return reader.one(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_versions WHERE {_OF_FUNCTION} AND sequence = ?", (*_key(ref), sequence)
    )


def versions(reader: Reader, ref: FunctionRef, after: int, limit: int) -> list[Row]:
    """The versions of a function in their order, from the one after `after`."""
    return reader.query(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_versions "
        f"WHERE {_OF_FUNCTION} AND sequence > ? ORDER BY sequence LIMIT ?",
        (*_key(ref), after, limit),
    )


def latest_versions(reader: Reader, account: str, region: str, after: str, limit: int) -> list[Row]:
    """$LATEST of each function whose name comes after `after`, by name."""
    return reader.query(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_versions "
        "WHERE account = ? AND region = ? AND name > ? AND sequence = 0 ORDER BY name LIMIT ?",
        (account, region, after, limit),
    )


def all_versions(reader: Reader, account: str, region: str, after: tuple[str, int], limit: int) -> list[Row]:
    """All versions of all functions after (name, sequence), in that order."""
    name, sequence = after
    return reader.query(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_versions "
        "WHERE account = ? AND region = ? AND (name > ? OR (name = ? AND sequence > ?)) "
        "ORDER BY name, sequence LIMIT ?",
        (account, region, name, name, sequence, limit),
    )


def unfinished_versions(reader: Reader, after: Row, limit: int) -> list[Row]:
    """Versions that are being created or updated, by key, after `after`."""
    return reader.query(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_versions WHERE (state = 'Pending' OR update_status = 'InProgress') "
        "AND (account, region, name, sequence) > (?, ?, ?, ?) ORDER BY account, region, name, sequence LIMIT ?",
        (*after, limit),
    )


def unfinished_of(reader: Reader, ref: FunctionRef) -> list[Row]:
    """The versions of one function that are being created or updated."""
    return reader.query(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_versions "
        f"WHERE {_OF_FUNCTION} AND (state = 'Pending' OR update_status = 'InProgress') ORDER BY sequence",
        _key(ref),
    )


def delete_version(tx: Transaction, ref: FunctionRef, sequence: int) -> bool:
    """False when there is no such version."""
    _delete_qualified(tx, ref, str(sequence))
    return bool(
        tx.execute(f"DELETE FROM lambda_versions WHERE {_OF_FUNCTION} AND sequence = ?", (*_key(ref), sequence))
    )


def _delete_qualified(tx: Transaction, ref: FunctionRef, qualifier: str) -> None:
    """Delete what belongs to a version or an alias."""
    for table in ("lambda_statements", "lambda_event_invoke_configs", "lambda_provisioned"):
        tx.execute(f"DELETE FROM {table} WHERE {_OF_FUNCTION} AND qualifier = ?", (*_key(ref), qualifier))


def environments(reader: Reader, ref: FunctionRef) -> list[Row]:
    """(environment_id, serving) of every version: what may still run."""
    return reader.query(f"SELECT environment_id, serving FROM lambda_versions WHERE {_OF_FUNCTION}", _key(ref))


def digests(reader: Reader, ref: FunctionRef) -> list[Row]:
    """(code_digest, serving_digest) of every version."""
    return reader.query(f"SELECT code_digest, serving_digest FROM lambda_versions WHERE {_OF_FUNCTION}", _key(ref))


# Aliases


def insert_alias(tx: Transaction, ref: FunctionRef, values: Sequence[Parameter]) -> bool:
    """False when the alias is there. `values` in the order of `Alias`'s fields."""
    return bool(
        tx.execute(
            f"INSERT INTO lambda_aliases (account, region, name, {_ALIAS_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (account, region, name, alias) DO NOTHING",
            (*_key(ref), *values),
        )
    )


def update_alias(tx: Transaction, ref: FunctionRef, values: Sequence[Parameter]) -> None:
    name, *rest = values
    tx.execute(
        "UPDATE lambda_aliases SET sequence = ?, description = ?, other_sequence = ?, weight = ?, revision_id = ? "
        f"WHERE {_OF_FUNCTION} AND alias = ?",
        (*rest, *_key(ref), name),
    )


def alias(reader: Reader, ref: FunctionRef, name: str) -> Row | None:
    return reader.one(
        f"SELECT {_ALIAS_COLUMNS} FROM lambda_aliases WHERE {_OF_FUNCTION} AND alias = ?", (*_key(ref), name)
    )


def aliases(reader: Reader, ref: FunctionRef, after: str, limit: int) -> list[Row]:
    return reader.query(
        f"SELECT {_ALIAS_COLUMNS} FROM lambda_aliases WHERE {_OF_FUNCTION} AND alias > ? ORDER BY alias LIMIT ?",
        (*_key(ref), after, limit),
    )


def aliases_of_version(reader: Reader, ref: FunctionRef, sequence: int, after: str, limit: int) -> list[Row]:
    """Those that point to the version."""
    return reader.query(
        f"SELECT {_ALIAS_COLUMNS} FROM lambda_aliases "
        f"WHERE {_OF_FUNCTION} AND sequence = ? AND alias > ? ORDER BY alias LIMIT ?",
        (*_key(ref), sequence, after, limit),
    )


def names_of_aliases(reader: Reader, ref: FunctionRef, sequence: int, limit: int) -> list[str]:
    """The aliases that may invoke the version, as their first or their weighted one."""
    rows = reader.query(
        f"SELECT alias FROM lambda_aliases WHERE {_OF_FUNCTION} AND (sequence = ? OR other_sequence = ?) "
        "ORDER BY alias LIMIT ?",
        (*_key(ref), sequence, sequence, limit),
    )
    return [row[0] for row in rows]


def delete_alias(tx: Transaction, ref: FunctionRef, name: str) -> bool:
    _delete_qualified(tx, ref, name)
    return bool(tx.execute(f"DELETE FROM lambda_aliases WHERE {_OF_FUNCTION} AND alias = ?", (*_key(ref), name)))


# Resource-based policies


def insert_statement(tx: Transaction, ref: FunctionRef, qualifier: str, sid: str, statement: str) -> bool:
    """False when a statement of this id is there."""
    [(position,)] = tx.query(
        f"SELECT COALESCE(MAX(position), 0) + 1 FROM lambda_statements WHERE {_OF_FUNCTION} AND qualifier = ?",
        (*_key(ref), qualifier),
    )
    return bool(
        tx.execute(
            "INSERT INTO lambda_statements (account, region, name, qualifier, sid, position, statement) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, name, qualifier, sid) DO NOTHING",
            (*_key(ref), qualifier, sid, position, statement),
        )
    )


def statements(reader: Reader, ref: FunctionRef, qualifier: str) -> list[str]:
    rows = reader.query(
        f"SELECT statement FROM lambda_statements WHERE {_OF_FUNCTION} AND qualifier = ? ORDER BY position",
        (*_key(ref), qualifier),
    )
    return [row[0] for row in rows]


def delete_statement(tx: Transaction, ref: FunctionRef, qualifier: str, sid: str) -> bool:
    return bool(
        tx.execute(
            f"DELETE FROM lambda_statements WHERE {_OF_FUNCTION} AND qualifier = ? AND sid = ?",
            (*_key(ref), qualifier, sid),
        )
    )
