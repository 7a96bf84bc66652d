"""The SQL of what the service keeps beside events: tags, resource policies, destinations and query definitions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cloudlet.services.logs.tables import Place, escape_like
from cloudlet.store.base import Migration, Reader, Transaction

MIGRATIONS = (
    Migration(
        2,
        (
            """CREATE TABLE logs_tags (
                account TEXT NOT NULL, region TEXT NOT NULL, arn TEXT NOT NULL, tag_key TEXT NOT NULL,
                tag_value TEXT NOT NULL, PRIMARY KEY (account, region, arn, tag_key))""",
            """CREATE TABLE logs_resource_policies (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
                updated_ms BIGINT NOT NULL, PRIMARY KEY (account, region, name))""",
            """CREATE TABLE logs_destinations (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, target_arn TEXT NOT NULL,
                role_arn TEXT NOT NULL, access_policy TEXT, created_ms BIGINT NOT NULL,
                PRIMARY KEY (account, region, name))""",
            """CREATE TABLE logs_query_definitions (
                account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
                language TEXT NOT NULL, query TEXT NOT NULL, group_names TEXT NOT NULL, parameters TEXT NOT NULL,
                modified_ms BIGINT NOT NULL, client_token TEXT NOT NULL, PRIMARY KEY (account, region, id))""",
        ),
    ),
)


class Policy(NamedTuple):
    """A resource policy of the account."""

    name: str
    document: str
    updated_ms: int


class Destination(NamedTuple):
    """A destination for subscriptions of other accounts."""

    name: str
    target_arn: str
    role_arn: str
    access_policy: str | None
    created_ms: int


class QueryDefinition(NamedTuple):
    """A saved query. `group_names` and `parameters` are JSON."""

    id: str
    name: str
    language: str
    query: str
    group_names: str
    parameters: str
    modified_ms: int
    client_token: str


_POLICY = "name, document, updated_ms"
_DESTINATION = "name, target_arn, role_arn, access_policy, created_ms"
_DEFINITION = "id, name, language, query, group_names, parameters, modified_ms, client_token"


def find_tags(reader: Reader, place: Place, arn: str) -> dict[str, str]:
    """The tags of a resource."""
    sql = "SELECT tag_key, tag_value FROM logs_tags WHERE account = ? AND region = ? AND arn = ? ORDER BY tag_key"
    return dict(reader.query(sql, (*place, arn)))


def put_tags(tx: Transaction, place: Place, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags, or give them new values."""
    tx.execute_many(
        """INSERT INTO logs_tags (account, region, arn, tag_key, tag_value) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (account, region, arn, tag_key) DO UPDATE SET tag_value = excluded.tag_value""",
        [(*place, arn, key, value) for key, value in tags.items()],
    )


def delete_tags(tx: Transaction, place: Place, arn: str, keys: Sequence[str]) -> None:
    """Take tags away; those that are not there do no harm."""
    sql = "DELETE FROM logs_tags WHERE account = ? AND region = ? AND arn = ? AND tag_key = ?"
    tx.execute_many(sql, [(*place, arn, key) for key in keys])


def delete_all_tags(tx: Transaction, place: Place, arn: str) -> None:
    """Take away all tags of a resource."""
    tx.execute("DELETE FROM logs_tags WHERE account = ? AND region = ? AND arn = ?", (*place, arn))


def put_policy(tx: Transaction, place: Place, policy: Policy) -> None:
    """Add a policy or change it."""
    sql = f"""INSERT INTO logs_resource_policies (account, region, {_POLICY}) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (account, region, name) DO UPDATE
        SET document = excluded.document, updated_ms = excluded.updated_ms"""
    tx.execute(sql, (*place, *policy))


def list_policies(reader: Reader, place: Place, after: str, limit: int) -> list[Policy]:
    """Policies by name, beyond `after`."""
    sql = f"""SELECT {_POLICY} FROM logs_resource_policies
        WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?"""
    return [Policy(*row) for row in reader.query(sql, (*place, after, limit))]


def delete_policy(tx: Transaction, place: Place, name: str) -> bool:
    """Delete a policy; false when there is none of this name."""
    sql = "DELETE FROM logs_resource_policies WHERE account = ? AND region = ? AND name = ?"
    return tx.execute(sql, (*place, name)) == 1


def put_destination(tx: Transaction, place: Place, destination: Destination) -> None:
    """Add a destination or change it."""
    sql = f"""INSERT INTO logs_destinations (account, region, {_DESTINATION}) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (account, region, name) DO UPDATE SET target_arn = excluded.target_arn,
        role_arn = excluded.role_arn, access_policy = excluded.access_policy"""
    tx.execute(sql, (*place, *destination))


def find_destination(reader: Reader, place: Place, name: str) -> Destination | None:
    """The destination of this name."""
    sql = f"SELECT {_DESTINATION} FROM logs_destinations WHERE account = ? AND region = ? AND name = ?"
    row = reader.one(sql, (*place, name))
    return Destination(*row) if row else None


def list_destinations(reader: Reader, place: Place, prefix: str, after: str, limit: int) -> list[Destination]:
    """Destinations with this prefix by name, beyond `after`."""
    sql = f"""SELECT {_DESTINATION} FROM logs_destinations
        WHERE account = ? AND region = ? AND name > ? AND name LIKE ? ESCAPE '!' ORDER BY name LIMIT ?"""
    rows = reader.query(sql, (*place, after, f"{escape_like(prefix)}%", limit))
    return [Destination(*row) for row in rows]


def delete_destination(tx: Transaction, place: Place, name: str) -> bool:
    """Delete a destination; false when there is none of this name."""
    sql = "DELETE FROM logs_destinations WHERE account = ? AND region = ? AND name = ?"
    return tx.execute(sql, (*place, name)) == 1


def put_definition(tx: Transaction, place: Place, definition: QueryDefinition) -> None:
    """Add a query definition or change it."""
    sql = f"""INSERT INTO logs_query_definitions (account, region, {_DEFINITION})
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, id) DO UPDATE SET name = excluded.name,
        language = excluded.language, query = excluded.query, group_names = excluded.group_names,
        parameters = excluded.parameters, modified_ms = excluded.modified_ms"""
    tx.execute(sql, (*place, *definition))


def find_definition(reader: Reader, place: Place, definition_id: str) -> QueryDefinition | None:
    """The query definition of this id."""
    sql = f"SELECT {_DEFINITION} FROM logs_query_definitions WHERE account = ? AND region = ? AND id = ?"
    row = reader.one(sql, (*place, definition_id))
    return QueryDefinition(*row) if row else None


def find_definition_by_token(reader: Reader, place: Place, client_token: str) -> QueryDefinition | None:
    """The query definition that the request with this token made."""
    sql = f"SELECT {_DEFINITION} FROM logs_query_definitions WHERE account = ? AND region = ? AND client_token = ?"
    row = reader.one(sql, (*place, client_token))
    return QueryDefinition(*row) if row else None


def list_definitions(
    reader: Reader, place: Place, prefix: str, language: str, after: tuple[str, str], limit: int
) -> list[QueryDefinition]:
    """Query definitions with this prefix, and of this language unless it is empty, by name and id, beyond `after`."""
    sql = f"""SELECT {_DEFINITION} FROM logs_query_definitions
        WHERE account = ? AND region = ? AND (name, id) > (?, ?) AND name LIKE ? ESCAPE '!' AND language LIKE ?
        ORDER BY name, id LIMIT ?"""
    rows = reader.query(sql, (*place, *after, f"{escape_like(prefix)}%", language or "%", limit))
    return [QueryDefinition(*row) for row in rows]


def delete_definition(tx: Transaction, place: Place, definition_id: str) -> bool:
    """Delete a query definition; false when there is none of this id."""
    sql = "DELETE FROM logs_query_definitions WHERE account = ? AND region = ? AND id = ?"
    return tx.execute(sql, (*place, definition_id)) == 1
