"""The table of how functions are invoked asynchronously: one row per function and qualifier that has a setting."""

from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.store.base import Migration, Parameter, Reader, Row, Transaction

EVENT_INVOKE = Migration(
    3,
    (
        """CREATE TABLE lambda_event_invoke_configs (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
            maximum_age_s BIGINT, maximum_retries BIGINT, on_success TEXT NOT NULL, on_failure TEXT NOT NULL,
            modified_ms BIGINT NOT NULL, PRIMARY KEY (account, region, name, qualifier))""",
    ),
)

_COLUMNS = "qualifier, maximum_age_s, maximum_retries, on_success, on_failure, modified_ms"
_OF_FUNCTION = "account = ? AND region = ? AND name = ?"


def _key(ref: FunctionRef) -> tuple[str, str, str]:
    return ref.account, ref.region, ref.name


def put(tx: Transaction, ref: FunctionRef, values: tuple[Parameter, ...]) -> None:
    """Insert or replace one row; `values` in the order of the columns."""
    updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[1:])
    tx.execute(
        f"INSERT INTO lambda_event_invoke_configs (account, region, name, {_COLUMNS})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT (account, region, name, qualifier) DO UPDATE SET {updates}",
        (*_key(ref), *values),
    )


def one(reader: Reader, ref: FunctionRef, qualifier: str) -> Row | None:
    return reader.one(
        f"SELECT {_COLUMNS} FROM lambda_event_invoke_configs WHERE {_OF_FUNCTION} AND qualifier = ?",
        (*_key(ref), qualifier),
    )


def page(reader: Reader, ref: FunctionRef, after: str, limit: int) -> list[Row]:
    """Those of a function after a qualifier, in their order."""
    return reader.query(
        f"SELECT {_COLUMNS} FROM lambda_event_invoke_configs WHERE {_OF_FUNCTION} AND qualifier > ?"
        " ORDER BY qualifier LIMIT ?",
        (*_key(ref), after, limit),
    )


def delete(tx: Transaction, ref: FunctionRef, qualifier: str) -> bool:
    """False when there is none."""
    return bool(
        tx.execute(
            f"DELETE FROM lambda_event_invoke_configs WHERE {_OF_FUNCTION} AND qualifier = ?", (*_key(ref), qualifier)
        )
    )
