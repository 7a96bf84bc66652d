"""A mapping: its settings, its state, and how both are kept and shown.

```
Creating --+--> Enabled  <--> Disabling / Updating / Enabling <--> Disabled --+
           +--> Deleting --> gone <-------------------------------------------+
```
A request sets the state on the left of an arrow, and the node that polls takes it to the one on the right.
"""

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from cloudlet.arn import Arn
from cloudlet.services.base import Result
from cloudlet.services.lambda_.errors import ResourceNotFound
from cloudlet.services.lambda_.names import EventSourceKey, FunctionRef
from cloudlet.store.base import Migration, Reader, Row, Transaction

EVENT_SOURCES = Migration(
    6,
    (
        """CREATE TABLE lambda_event_sources (
            account TEXT NOT NULL, region TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL,
            qualifier TEXT NOT NULL, source_arn TEXT NOT NULL, state TEXT NOT NULL, is_enabled INTEGER NOT NULL,
            settings TEXT NOT NULL, tags TEXT NOT NULL, result TEXT NOT NULL, modified_ms BIGINT NOT NULL,
            PRIMARY KEY (account, region, uuid))""",
        """CREATE UNIQUE INDEX lambda_event_sources_by_source
            ON lambda_event_sources (account, region, source_arn, name, qualifier)""",
    ),
)
_COLUMNS = "account, region, uuid, name, qualifier, source_arn, state, is_enabled, settings, tags, result, modified_ms"
_KEY = "account = ? AND region = ? AND uuid = ?"

CHANNEL = "lambda-event-sources"
"""Carries `account/region/uuid` of a mapping that has changed."""
CREATING, ENABLED, DISABLED, DELETING = "Creating", "Enabled", "Disabled", "Deleting"
ENABLING, DISABLING, UPDATING = "Enabling", "Disabling", "Updating"
SETTLED = frozenset({ENABLED, DISABLED})
_SHOWN_ALWAYS = {"FunctionResponseTypes": [], "MaximumBatchingWindowInSeconds": 0}


@dataclass(frozen=True, slots=True)
class Mapping:
    """One row of lambda_event_sources, its fields in the columns' order."""

    account: str
    region: str
    uuid: str
    name: str
    qualifier: str
    """A version or an alias, or nothing."""
    source_arn: str
    state: str
    is_enabled: int
    """Whether it polls when its state has settled; 1 or 0."""
    settings: str
    """JSON: what a request set, under the API's names."""
    tags: str
    """JSON."""
    result: str
    """How the last batch ended; empty when there was none."""
    modified_ms: int

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    @property
    def key(self) -> EventSourceKey:
        """Its key in the table."""
        return EventSourceKey(self.account, self.region, self.uuid)

    @property
    def ref(self) -> FunctionRef:
        """The function that is invoked."""
        return FunctionRef(self.account, self.region, self.name, self.qualifier)

    @property
    def arn(self) -> str:
        """The mapping's own ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:event-source-mapping:{self.uuid}"

    @property
    def source(self) -> Arn:
        """What is read."""
        return Arn.parse(self.source_arn)

    @property
    def target_state(self) -> str:
        """The state in which a change ends."""
        return ENABLED if self.is_enabled else DISABLED

    def setting(self, name: str) -> Any:
        """What a request set, or None."""
        return orjson.loads(self.settings).get(name)

    def changed(self, settings: AnyMapping[str, Any], now_ms: int) -> "Mapping":
        """With these settings over its own; what is set to None is set no more."""
        merged = {**orjson.loads(self.settings), **settings}
        kept = {name: value for name, value in merged.items() if value is not None}
        return replace(self, settings=orjson.dumps(kept).decode(), modified_ms=now_ms)

    def describe(self) -> Result:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "UUID": self.uuid,
            "EventSourceMappingArn": self.arn,
            "EventSourceArn": self.source_arn,
            "FunctionArn": self.ref.qualified_arn,
            "LastModified": self.modified_ms / 1000,
            "State": self.state,
            "StateTransitionReason": "USER_INITIATED",
            **_SHOWN_ALWAYS,
            **orjson.loads(self.settings),
        }
        return shown | ({"LastProcessingResult": self.result} if self.result else {})


def changed(tx: Transaction, key: EventSourceKey) -> None:
    """Tell every node that a mapping is another, or gone."""
    tx.notify(CHANNEL, "/".join(key))


def find(reader: Reader, key: EventSourceKey) -> Mapping | None:
    """The mapping with this key."""
    row = reader.one(f"SELECT {_COLUMNS} FROM lambda_event_sources WHERE {_KEY}", key)
    return Mapping.from_row(row) if row is not None else None


def get(reader: Reader, key: EventSourceKey) -> Mapping:
    """Raises ResourceNotFound."""
    found = find(reader, key)
    if found is None:
        raise ResourceNotFound("The resource you requested does not exist.")
    return found


def find_same(reader: Reader, mapping: Mapping) -> Mapping | None:
    """Another one of the same source and function."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM lambda_event_sources"
        " WHERE account = ? AND region = ? AND source_arn = ? AND name = ? AND qualifier = ? AND uuid <> ?",
        (mapping.account, mapping.region, mapping.source_arn, mapping.name, mapping.qualifier, mapping.uuid),
    )
    return Mapping.from_row(row) if row is not None else None


def page(
    reader: Reader, account: str, region: str, source_arn: str | None, ref: FunctionRef | None, after: str, limit: int
) -> list[Mapping]:
    """Mappings by their UUIDs: of a source, of a function (with its qualifier when it has one), of both, or all."""
    conditions, values = "account = ? AND region = ? AND uuid > ?", [account, region, after]
    if source_arn:
        conditions, values = f"{conditions} AND source_arn = ?", [*values, source_arn]
    if ref is not None:
        conditions, values = f"{conditions} AND name = ?", [*values, ref.name]
        if ref.qualifier:
            conditions, values = f"{conditions} AND qualifier = ?", [*values, ref.qualifier]
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM lambda_event_sources WHERE {conditions} ORDER BY uuid LIMIT ?", (*values, limit)
    )
    return [Mapping.from_row(row) for row in rows]


def to_run(reader: Reader, after: EventSourceKey, limit: int) -> list[Mapping]:
    """Mappings that poll or whose state has not settled, after a key."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM lambda_event_sources WHERE (account, region, uuid) > (?, ?, ?) AND state <> ?"
        " ORDER BY account, region, uuid LIMIT ?",
        (*after, DISABLED, limit),
    )
    return [Mapping.from_row(row) for row in rows]


def put(tx: Transaction, mapping: Mapping) -> None:
    """Keep a mapping, new or changed, and tell."""
    values = [getattr(mapping, name) for name in Mapping.__slots__]
    tx.execute(
        f"INSERT INTO lambda_event_sources ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})"
        " ON CONFLICT (account, region, uuid) DO UPDATE SET name = excluded.name, qualifier = excluded.qualifier,"
        " state = excluded.state, is_enabled = excluded.is_enabled, settings = excluded.settings,"
        " tags = excluded.tags, modified_ms = excluded.modified_ms",
        values,
    )
    changed(tx, mapping.key)


def settle(tx: Transaction, mapping: Mapping) -> None:
    """The state of a change that is done, unless it was changed again meanwhile."""
    unchanged = f"{_KEY} AND state = ? AND modified_ms = ?"
    key = (*mapping.key, mapping.state, mapping.modified_ms)
    if mapping.state == DELETING:
        tx.execute(f"DELETE FROM lambda_event_sources WHERE {unchanged}", key)
    else:
        tx.execute(f"UPDATE lambda_event_sources SET state = ? WHERE {unchanged}", (mapping.target_state, *key))
    changed(tx, mapping.key)


def set_result(tx: Transaction, key: EventSourceKey, result: str) -> None:
    """How the last batch ended."""
    tx.execute(f"UPDATE lambda_event_sources SET result = ? WHERE {_KEY}", (result, *key))
