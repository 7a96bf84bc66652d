"""What becomes of asynchronous invocations: how often and how long they are tried, and where their outcome goes.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.errors import InvalidParameterValue, ResourceNotFound
from cloudlet.services.lambda_.names import LATEST, FunctionRef
from cloudlet.store.base import Migration, Reader, Row, Transaction

EVENT_INVOKE = Migration(
    3,
    (
        """CREATE TABLE lambda_event_invoke (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
            retries BIGINT, age_s BIGINT, on_success TEXT NOT NULL, on_failure TEXT NOT NULL,
            modified_ms BIGINT NOT NULL, PRIMARY KEY (account, region, name, qualifier))""",
    ),
)
_COLUMNS = "qualifier, retries, age_s, on_success, on_failure, modified_ms"
_OF_FUNCTION = "account = ? AND region = ? AND name = ?"


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """One row of lambda_event_invoke, without the function's name."""

    qualifier: str
    retries: int | None = None
    """None for the usual two."""
    age_s: int | None = None
    """None for the usual six hours."""
    on_success: str = ""
    """The ARN of a destination; empty for none."""
    on_failure: str = ""
    modified_ms: int = 0

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    @property
    def attempts(self) -> int:
        """How often an event is tried."""
        return limits.ASYNCHRONOUS_ATTEMPTS if self.retries is None else self.retries + 1

    @property
    def max_age_s(self) -> int:
        """How long an event is tried."""
        return limits.ASYNCHRONOUS_EVENT_AGE_S if self.age_s is None else self.age_s

    def describe(self, ref: FunctionRef) -> dict[str, Any]:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "FunctionArn": ref.qualified(self.qualifier).qualified_arn,
            "LastModified": self.modified_ms / 1000,
            "DestinationConfig": {
                "OnSuccess": {"Destination": self.on_success} if self.on_success else {},
                "OnFailure": {"Destination": self.on_failure} if self.on_failure else {},
            },
        }
        if self.retries is not None:
            shown["MaximumRetryAttempts"] = self.retries
        if self.age_s is not None:
            shown["MaximumEventAgeInSeconds"] = self.age_s
        return shown


def changed(before: EventInvokeConfig, params: Mapping[str, Any], now_ms: int) -> EventInvokeConfig:
    """`before` with what `params` set. Raises InvalidParameterValue when they set nothing."""
    given = params.get("DestinationConfig")
    retries, age_s = params.get("MaximumRetryAttempts"), params.get("MaximumEventAgeInSeconds")
    if given is None and retries is None and age_s is None:
        raise InvalidParameterValue("You must specify at least one of error handling or destination setting.")
    config = replace(before, modified_ms=now_ms)
    if retries is not None:
        config = replace(config, retries=retries)
    if age_s is not None:
        config = replace(config, age_s=age_s)
    for member, field in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
        if given is not None and given.get(member) is not None:
            change: dict[str, Any] = {field: given[member].get("Destination") or ""}
            config = replace(config, **change)
    return config


def shown_destinations(config: EventInvokeConfig) -> str:
    """The destinations as AWS writes them into errors."""
    parts = [
        f"{name}={f'{kind}(destination={arn})' if arn else 'null'}"
        for name, kind, arn in (
            ("onSuccess", "OnSuccess", config.on_success),
            ("onFailure", "OnFailure", config.on_failure),
        )
    ]
    return f"DestinationConfig({', '.join(parts)})"


def find(reader: Reader, ref: FunctionRef) -> EventInvokeConfig | None:
    """The configuration of a function's version or alias."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM lambda_event_invoke WHERE {_OF_FUNCTION} AND qualifier = ?",
        (ref.account, ref.region, ref.name, ref.qualifier or LATEST),
    )
    return EventInvokeConfig.from_row(row) if row is not None else None


def existing(reader: Reader, ref: FunctionRef) -> EventInvokeConfig:
    """The configuration of a function's version or alias. Raises ResourceNotFound."""
    found = find(reader, ref)
    if found is None:
        arn = ref.qualified(ref.qualifier or LATEST).qualified_arn
        raise ResourceNotFound(f"The function {arn} doesn't have an EventInvokeConfig")
    return found


def put(tx: Transaction, ref: FunctionRef, config: EventInvokeConfig) -> None:
    """Keep a configuration."""
    tx.execute(
        f"INSERT INTO lambda_event_invoke (account, region, name, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account, region, name, qualifier) DO UPDATE SET retries = excluded.retries,"
        " age_s = excluded.age_s, on_success = excluded.on_success, on_failure = excluded.on_failure,"
        " modified_ms = excluded.modified_ms",
        (
            ref.account,
            ref.region,
            ref.name,
            config.qualifier,
            config.retries,
            config.age_s,
            config.on_success,
            config.on_failure,
            config.modified_ms,
        ),
    )


def page(reader: Reader, ref: FunctionRef, after: str, limit: int) -> list[Row]:
    """A function's configurations by their qualifiers."""
    return reader.query(
        f"SELECT {_COLUMNS} FROM lambda_event_invoke WHERE {_OF_FUNCTION} AND qualifier > ? ORDER BY qualifier LIMIT ?",
        (ref.account, ref.region, ref.name, after, limit),
    )


def delete(tx: Transaction, ref: FunctionRef) -> None:
    """Forget the configuration of a function's version or alias."""
    tx.execute(
        f"DELETE FROM lambda_event_invoke WHERE {_OF_FUNCTION} AND qualifier = ?",
        (ref.account, ref.region, ref.name, ref.qualifier or LATEST),
    )


def delete_all(tx: Transaction, ref: FunctionRef) -> None:
    """The function is gone."""
    tx.execute(f"DELETE FROM lambda_event_invoke WHERE {_OF_FUNCTION}", (ref.account, ref.region, ref.name))
