"""The SQL of log groups, streams and events. Rows of other kinds are in `kept_tables`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cloudlet.services.logs.chunks import Chunk, StoredChunk
from cloudlet.store.base import Migration, Parameter, Reader, Transaction

MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE logs_groups (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id BIGINT NOT NULL,
                created_ms BIGINT NOT NULL, retention_days BIGINT, class TEXT NOT NULL, is_protected BIGINT NOT NULL,
                PRIMARY KEY (account, region, name))""",
            """CREATE TABLE logs_streams (
                account TEXT NOT NULL, region TEXT NOT NULL, group_id BIGINT NOT NULL, name TEXT NOT NULL,
                id BIGINT NOT NULL, created_ms BIGINT NOT NULL, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL,
                ingested_ms BIGINT NOT NULL, stored_bytes BIGINT NOT NULL, sequence BIGINT NOT NULL,
                PRIMARY KEY (account, region, group_id, name))""",
            "CREATE UNIQUE INDEX logs_streams_by_id ON logs_streams (account, region, id)",
            """CREATE TABLE logs_chunks (
                account TEXT NOT NULL, region TEXT NOT NULL, stream_id BIGINT NOT NULL, second BIGINT NOT NULL,
                sequence BIGINT NOT NULL, group_id BIGINT NOT NULL, ingested_ms BIGINT NOT NULL,
                size_bytes BIGINT NOT NULL, body BLOB NOT NULL,
                PRIMARY KEY (account, region, stream_id, second, sequence))""",
            """CREATE INDEX logs_chunks_by_group
                ON logs_chunks (account, region, group_id, second, stream_id, sequence)""",
            """CREATE TABLE logs_removals (
                account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, id BIGINT NOT NULL,
                PRIMARY KEY (account, region, kind, id))""",
        ),
    ),
)

NEVER = -1
"""The time of something that has not happened."""


class Place(NamedTuple):
    """The first columns of every key."""

    account: str
    region: str


class Group(NamedTuple):
    """A log group."""

    name: str
    id: int
    created_ms: int
    retention_days: int | None
    log_class: str
    is_protected: int


class Stream(NamedTuple):
    """A log stream. Times are NEVER until it has events."""

    name: str
    id: int
    created_ms: int
    first_ms: int
    last_ms: int
    ingested_ms: int
    stored_bytes: int
    sequence: int


_GROUP = "name, id, created_ms, retention_days, class, is_protected"
_STREAM = "name, id, created_ms, first_ms, last_ms, ingested_ms, stored_bytes, sequence"


def escape_like(text: str) -> str:
    """`text` for a LIKE pattern that is followed by ESCAPE '!'."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def add_group(tx: Transaction, place: Place, group: Group) -> bool:
    """Add a group; false when there is one of this name."""
    sql = f"INSERT INTO logs_groups (account, region, {_GROUP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    return tx.execute(sql, (*place, *group)) == 1


def find_group(reader: Reader, place: Place, name: str) -> Group | None:
    """The group of this name."""
    sql = f"SELECT {_GROUP} FROM logs_groups WHERE account = ? AND region = ? AND name = ?"
    row = reader.one(sql, (*place, name))
    return Group(*row) if row else None


class GroupFilter(NamedTuple):
    """Which groups are listed: where a member is not empty, a group must meet it."""

    names: Sequence[str] = ()
    likes: Sequence[str] = ()
    """LIKE patterns with ESCAPE '!'; one must fit the name."""
    log_class: str = ""
    tags: Mapping[str, Sequence[str]] = {}
    """Each tag must be there, with one of its values when any are named."""


def list_groups(reader: Reader, place: Place, after: str, which: GroupFilter, limit: int) -> list[Group]:
    """Groups by name, beyond `after`."""
    sql = f"SELECT {_GROUP} FROM logs_groups g WHERE account = ? AND region = ? AND name > ?"
    parameters: list[Parameter] = [*place, after]
    if which.names:
        sql += f" AND name IN ({_marks(which.names)})"
        parameters += which.names
    if which.likes:
        sql += " AND (" + " OR ".join(["name LIKE ? ESCAPE '!'"] * len(which.likes)) + ")"
        parameters += which.likes
    if which.log_class:
        sql += " AND class = ?"
        parameters.append(which.log_class)
    for key, values in which.tags.items():
        sql += """ AND EXISTS (SELECT 1 FROM logs_tags t WHERE t.account = g.account AND t.region = g.region
            AND t.arn = ? || g.name AND t.tag_key = ?"""
        sql += f" AND t.tag_value IN ({_marks(values)}))" if values else ")"
        parameters += [f"arn:aws:logs:{place.region}:{place.account}:log-group:", key, *values]
    return [Group(*row) for row in reader.query(f"{sql} ORDER BY name LIMIT ?", [*parameters, limit])]


def stored_bytes(reader: Reader, place: Place, group_ids: Sequence[int]) -> dict[int, int]:
    """What the events of each group count."""
    sql = f"""SELECT group_id, SUM(stored_bytes) FROM logs_streams
        WHERE account = ? AND region = ? AND group_id IN ({_marks(group_ids)}) GROUP BY group_id"""
    return {group_id: int(total) for group_id, total in reader.query(sql, (*place, *group_ids))}


def set_retention(tx: Transaction, place: Place, name: str, retention_days: int | None) -> bool:
    """Change how long a group's events are kept; false when there is no group."""
    sql = "UPDATE logs_groups SET retention_days = ? WHERE account = ? AND region = ? AND name = ?"
    return tx.execute(sql, (retention_days, *place, name)) == 1


def set_protection(tx: Transaction, place: Place, name: str, is_protected: bool) -> bool:
    """Change whether a group may be deleted; false when there is no group."""
    sql = "UPDATE logs_groups SET is_protected = ? WHERE account = ? AND region = ? AND name = ?"
    return tx.execute(sql, (int(is_protected), *place, name)) == 1


def delete_group(tx: Transaction, place: Place, group: Group) -> None:
    """Delete a group; its streams and events go later, in small steps."""
    tx.execute("DELETE FROM logs_groups WHERE account = ? AND region = ? AND name = ?", (*place, group.name))
    tx.execute("INSERT INTO logs_removals (account, region, kind, id) VALUES (?, ?, 'group', ?)", (*place, group.id))


def add_stream(tx: Transaction, place: Place, group_id: int, stream: Stream) -> bool:
    """Add a stream; false when the group has one of this name."""
    sql = f"""INSERT INTO logs_streams (account, region, group_id, {_STREAM})
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
    return tx.execute(sql, (*place, group_id, *stream)) == 1


def find_stream(reader: Reader, place: Place, group_id: int, name: str) -> Stream | None:
    """The stream of this name."""
    sql = f"SELECT {_STREAM} FROM logs_streams WHERE account = ? AND region = ? AND group_id = ? AND name = ?"
    row = reader.one(sql, (*place, group_id, name))
    return Stream(*row) if row else None


def list_streams_by_name(
    reader: Reader, place: Place, group_id: int, prefix: str, after: str | None, descending: bool, limit: int
) -> list[Stream]:
    """Streams with this prefix, by name, beyond `after`."""
    sql = f"""SELECT {_STREAM} FROM logs_streams
        WHERE account = ? AND region = ? AND group_id = ? AND name LIKE ? ESCAPE '!'"""
    parameters: list[Parameter] = [*place, group_id, f"{escape_like(prefix)}%"]
    if after is not None:
        sql += f" AND name {'<' if descending else '>'} ?"
        parameters.append(after)
    sql += f" ORDER BY name {'DESC' if descending else 'ASC'} LIMIT ?"
    return [Stream(*row) for row in reader.query(sql, [*parameters, limit])]


def list_streams_by_last_event(
    reader: Reader, place: Place, group_id: int, after: tuple[int, str] | None, descending: bool, limit: int
) -> list[Stream]:
    """Streams by their last event and then by name, beyond `after`."""
    sql = f"SELECT {_STREAM} FROM logs_streams WHERE account = ? AND region = ? AND group_id = ?"
    parameters: list[Parameter] = [*place, group_id]
    if after is not None:
        sql += f" AND (last_ms, name) {'<' if descending else '>'} (?, ?)"
        parameters += after
    direction = "DESC" if descending else "ASC"
    sql += f" ORDER BY last_ms {direction}, name {direction} LIMIT ?"
    return [Stream(*row) for row in reader.query(sql, [*parameters, limit])]


def delete_stream(tx: Transaction, place: Place, group_id: int, stream: Stream) -> None:
    """Delete a stream; its events go later, in small steps."""
    sql = "DELETE FROM logs_streams WHERE account = ? AND region = ? AND group_id = ? AND name = ?"
    tx.execute(sql, (*place, group_id, stream.name))
    tx.execute("INSERT INTO logs_removals (account, region, kind, id) VALUES (?, ?, 'stream', ?)", (*place, stream.id))


def add_chunks(
    tx: Transaction,
    place: Place,
    group_id: int,
    stream: Stream,
    now_ms: int,
    chunks: Sequence[Chunk],
    first_ms: int,
    last_ms: int,
) -> int:
    """Add chunks, at least one, to a stream whose events in them are between two times; the last one's sequence."""
    sequence = max(stream.sequence + 1, now_ms * 1000)
    last_sequence = sequence + len(chunks) - 1
    # The stream comes first: of two writers at the same time, on any node, the second waits here and is run again.
    tx.execute(
        """UPDATE logs_streams SET first_ms = ?, last_ms = ?, ingested_ms = ?, stored_bytes = ?, sequence = ?
            WHERE account = ? AND region = ? AND group_id = ? AND name = ?""",
        (
            first_ms if stream.first_ms == NEVER else min(stream.first_ms, first_ms),
            max(stream.last_ms, last_ms),
            now_ms,
            stream.stored_bytes + sum(chunk.size_bytes for chunk in chunks),
            last_sequence,
            *place,
            group_id,
            stream.name,
        ),
    )
    tx.execute_many(
        """INSERT INTO logs_chunks
            (account, region, stream_id, second, sequence, group_id, ingested_ms, size_bytes, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (*place, stream.id, chunk.second, sequence + index, group_id, now_ms, chunk.size_bytes, chunk.body)
            for index, chunk in enumerate(chunks)
        ],
    )
    return last_sequence


class Selection(NamedTuple):
    """Whose events are read: a group's, perhaps only of one stream, of some names, or of names with a prefix."""

    place: Place
    group_id: int
    stream_id: int | None = None
    names: Sequence[str] = ()
    prefix: str = ""


ChunkKey = tuple[int, int, int]
"""Second, stream's id, sequence."""


def list_chunks(
    reader: Reader,
    of: Selection,
    first_second: int,
    last_second: int,
    beyond: ChunkKey | None,
    forward: bool,
    limit: int,
) -> list[StoredChunk]:
    """Chunks between two seconds, in the order of their keys or against it, beyond a key."""
    sql = """SELECT c.second, c.stream_id, c.sequence, c.ingested_ms, c.body, s.name
        FROM logs_chunks c JOIN logs_streams s ON s.account = c.account AND s.region = c.region AND s.id = c.stream_id
        WHERE c.account = ? AND c.region = ?"""
    parameters: list[Parameter] = [*of.place]
    if of.stream_id is not None:
        sql += " AND c.stream_id = ?"
        parameters.append(of.stream_id)
    else:
        sql += " AND c.group_id = ?"
        parameters.append(of.group_id)
    if of.names:
        sql += f" AND s.name IN ({_marks(of.names)})"
        parameters += of.names
    if of.prefix:
        sql += " AND s.name LIKE ? ESCAPE '!'"
        parameters.append(f"{escape_like(of.prefix)}%")
    sql += " AND c.second >= ? AND c.second <= ?"
    parameters += [first_second, last_second]
    if beyond is not None:
        sql += f" AND (c.second, c.stream_id, c.sequence) {'>' if forward else '<'} (?, ?, ?)"
        parameters += beyond
    direction = "ASC" if forward else "DESC"
    sql += f" ORDER BY c.second {direction}, c.stream_id {direction}, c.sequence {direction} LIMIT ?"
    return [StoredChunk(*row) for row in reader.query(sql, [*parameters, limit])]


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
