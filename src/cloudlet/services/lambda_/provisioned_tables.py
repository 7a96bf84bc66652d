"""The table of provisioned concurrency: what was asked for, of which version or alias of a function."""

from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.store.base import Migration, Reader, Row, Transaction

PROVISIONED = Migration(
    5,
    (
        """CREATE TABLE lambda_provisioned (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
            requested BIGINT NOT NULL, modified_ms BIGINT NOT NULL, PRIMARY KEY (account, region, name, qualifier))""",
    ),
)
_OF_FUNCTION = "account = ? AND region = ? AND name = ?"


def _key(ref: FunctionRef) -> tuple[str, str, str]:
    return ref.account, ref.region, ref.name


def put(tx: Transaction, ref: FunctionRef, requested: int, modified_ms: int) -> None:
    """Set it for the qualifier of `ref`."""
    tx.execute(
        "INSERT INTO lambda_provisioned (account, region, name, qualifier, requested, modified_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, name, qualifier)"
        " DO UPDATE SET requested = excluded.requested, modified_ms = excluded.modified_ms",
        (*_key(ref), ref.qualifier, requested, modified_ms),
    )


def one(reader: Reader, ref: FunctionRef) -> Row | None:
    """(requested, modified_ms) of the qualifier of `ref`."""
    return reader.one(
        f"SELECT requested, modified_ms FROM lambda_provisioned WHERE {_OF_FUNCTION} AND qualifier = ?",
        (*_key(ref), ref.qualifier),
    )


def page(reader: Reader, ref: FunctionRef, after: str, limit: int) -> list[Row]:
    """(qualifier, requested, modified_ms) of a function, after a qualifier, in their order."""
    return reader.query(
        f"SELECT qualifier, requested, modified_ms FROM lambda_provisioned WHERE {_OF_FUNCTION} AND qualifier > ?"
        " ORDER BY qualifier LIMIT ?",
        (*_key(ref), after, limit),
    )


def delete(tx: Transaction, ref: FunctionRef) -> bool:
    """False when the qualifier of `ref` has none."""
    return bool(
        tx.execute(
            f"DELETE FROM lambda_provisioned WHERE {_OF_FUNCTION} AND qualifier = ?", (*_key(ref), ref.qualifier)
        )
    )


def totals(reader: Reader, account: str, region: str) -> list[Row]:
    """(name, version, requested) of an account: an alias stands for the version that it points to."""
    return reader.query(
        "SELECT p.name, COALESCE(CAST(a.sequence AS TEXT), p.qualifier), p.requested FROM lambda_provisioned p"
        " LEFT JOIN lambda_aliases a ON a.account = p.account AND a.region = p.region AND a.name = p.name"
        " AND a.alias = p.qualifier WHERE p.account = ? AND p.region = ? ORDER BY p.name, p.qualifier",
        (account, region),
    )


def of_function(reader: Reader, ref: FunctionRef) -> int:
    """All that a function has provisioned."""
    row = reader.one(f"SELECT COALESCE(SUM(requested), 0) FROM lambda_provisioned WHERE {_OF_FUNCTION}", _key(ref))
    return int(row[0]) if row else 0


def unreserved(reader: Reader, account: str, region: str) -> int:
    """All that functions without reserved concurrency have provisioned."""
    row = reader.one(
        "SELECT COALESCE(SUM(p.requested), 0) FROM lambda_provisioned p JOIN lambda_functions f"
        " ON f.account = p.account AND f.region = p.region AND f.name = p.name"
        " WHERE p.account = ? AND p.region = ? AND f.reserved_concurrency IS NULL",
        (account, region),
    )
    return int(row[0]) if row else 0


def functions(reader: Reader) -> list[Row]:
    """(account, region, name) of every function that has some."""
    return reader.query("SELECT DISTINCT account, region, name FROM lambda_provisioned ORDER BY account, region, name")
