"""The tables of code signing configurations, and of what functions have besides their versions."""

from cloudlet.services.lambda_.names import CodeSigningKey, FunctionRef
from cloudlet.store.base import Migration, Parameter, Reader, Row, Transaction

CODE_SIGNING = Migration(
    7,
    (
        """CREATE TABLE lambda_code_signing_configs (
            account TEXT NOT NULL, region TEXT NOT NULL, config_id TEXT NOT NULL, description TEXT NOT NULL,
            publishers TEXT NOT NULL, policy TEXT NOT NULL, tags TEXT NOT NULL, modified_ms BIGINT NOT NULL,
            PRIMARY KEY (account, region, config_id))""",
        """CREATE TABLE lambda_function_settings (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            code_signing_id TEXT NOT NULL, recursive_loop TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
        """CREATE INDEX lambda_functions_by_code_signing
            ON lambda_function_settings (account, region, code_signing_id, name)""",
    ),
)

_COLUMNS = "account, region, config_id, description, publishers, policy, tags, modified_ms"
_KEY = "account = ? AND region = ? AND config_id = ?"
_OF_FUNCTION = "account = ? AND region = ? AND name = ?"


def put(tx: Transaction, values: tuple[Parameter, ...]) -> None:
    """Insert or replace one configuration; `values` in the order of the columns."""
    updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[3:])
    tx.execute(
        f"INSERT INTO lambda_code_signing_configs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT (account, region, config_id) DO UPDATE SET {updates}",
        values,
    )


def one(reader: Reader, key: CodeSigningKey) -> Row | None:
    return reader.one(f"SELECT {_COLUMNS} FROM lambda_code_signing_configs WHERE {_KEY}", key)


def page(reader: Reader, account: str, region: str, after: str, limit: int) -> list[Row]:
    """Those of an account after an id, in their order."""
    return reader.query(
        f"SELECT {_COLUMNS} FROM lambda_code_signing_configs WHERE account = ? AND region = ? AND config_id > ?"
        " ORDER BY config_id LIMIT ?",
        (account, region, after, limit),
    )


def delete(tx: Transaction, key: CodeSigningKey) -> None:
    tx.execute(f"DELETE FROM lambda_code_signing_configs WHERE {_KEY}", key)


def functions(reader: Reader, key: CodeSigningKey, after: str, limit: int) -> list[Row]:
    """(name) of the functions with this configuration, after a name."""
    return reader.query(
        "SELECT name FROM lambda_function_settings WHERE account = ? AND region = ? AND code_signing_id = ?"
        " AND name > ? ORDER BY name LIMIT ?",
        (*key, after, limit),
    )


def settings(reader: Reader, ref: FunctionRef) -> tuple[str, str]:
    """(code_signing_id, recursive_loop) of a function; empty texts for what was never set."""
    row = reader.one(
        f"SELECT code_signing_id, recursive_loop FROM lambda_function_settings WHERE {_OF_FUNCTION}",
        (ref.account, ref.region, ref.name),
    )
    return (str(row[0]), str(row[1])) if row is not None else ("", "")


def set_code_signing(tx: Transaction, ref: FunctionRef, config_id: str) -> None:
    _set(tx, ref, "code_signing_id", config_id)


def set_recursive_loop(tx: Transaction, ref: FunctionRef, recursive_loop: str) -> None:
    _set(tx, ref, "recursive_loop", recursive_loop)


def _set(tx: Transaction, ref: FunctionRef, column: str, value: str) -> None:
    tx.execute(
        "INSERT INTO lambda_function_settings (account, region, name, code_signing_id, recursive_loop)"
        " VALUES (?, ?, ?, '', '') ON CONFLICT (account, region, name) DO NOTHING",
        (ref.account, ref.region, ref.name),
    )
    tx.execute(
        f"UPDATE lambda_function_settings SET {column} = ? WHERE {_OF_FUNCTION}",
        (value, ref.account, ref.region, ref.name),
    )
