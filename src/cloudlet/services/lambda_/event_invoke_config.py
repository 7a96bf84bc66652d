"""How a function, version or alias is invoked asynchronously: for how long, how often, and where the outcome goes.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any, Self

from cloudlet.services.base import Result
from cloudlet.services.lambda_ import event_invoke_tables, limits, tables
from cloudlet.services.lambda_.errors import InvalidParameterValue, ResourceNotFound
from cloudlet.services.lambda_.function import changed
from cloudlet.services.lambda_.names import LATEST, FunctionRef
from cloudlet.services.lambda_.version import Version, find
from cloudlet.store.base import Reader, Row, Transaction

_SETTINGS = ("MaximumEventAgeInSeconds", "MaximumRetryAttempts", "DestinationConfig")


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """One row of lambda_event_invoke_configs, its fields in the columns' order."""

    qualifier: str
    """A version, an alias or $LATEST."""
    maximum_age_s: int | None = None
    """None where the caller has not set it: then it is AWS's default, and not shown."""
    maximum_retries: int | None = None
    on_success: str = ""
    """An ARN, or nothing."""
    on_failure: str = ""
    modified_ms: int = 0

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    @property
    def attempts(self) -> int:
        """How often an event is tried at most."""
        return limits.ASYNCHRONOUS_ATTEMPTS if self.maximum_retries is None else self.maximum_retries + 1

    @property
    def age_s(self) -> int:
        """How long it is tried."""
        return limits.ASYNCHRONOUS_EVENT_AGE_S if self.maximum_age_s is None else self.maximum_age_s

    def changed(self, params: Mapping[str, Any], now_ms: int) -> "EventInvokeConfig":
        """With what `params` set."""
        changes: dict[str, Any] = {"modified_ms": now_ms}
        if (age_s := params.get("MaximumEventAgeInSeconds")) is not None:
            changes["maximum_age_s"] = age_s
        if (retries := params.get("MaximumRetryAttempts")) is not None:
            changes["maximum_retries"] = retries
        if params.get("DestinationConfig") is not None:
            changes["on_success"], changes["on_failure"] = destinations(params)
        return replace(self, **changes)

    def describe(self, ref: FunctionRef) -> Result:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "LastModified": self.modified_ms / 1000,
            "FunctionArn": ref.qualified(self.qualifier).qualified_arn,
            "DestinationConfig": {
                name: {"Destination": arn} if arn else {}
                for name, arn in (("OnSuccess", self.on_success), ("OnFailure", self.on_failure))
            },
        }
        if self.maximum_age_s is not None:
            shown["MaximumEventAgeInSeconds"] = self.maximum_age_s
        if self.maximum_retries is not None:
            shown["MaximumRetryAttempts"] = self.maximum_retries
        return shown


def destinations(params: Mapping[str, Any]) -> tuple[str, str]:
    """The ARNs that a request gives for success and for failure; empty for none."""
    given = params.get("DestinationConfig") or {}
    success, failure = ((given.get(name) or {}).get("Destination") or "" for name in ("OnSuccess", "OnFailure"))
    return success, failure


def check_given(params: Mapping[str, Any]) -> None:
    """Raises InvalidParameterValue when a request sets nothing."""
    if all(params.get(name) is None for name in _SETTINGS):
        raise InvalidParameterValue("You must specify at least one of error handling or destination setting.")


def target(reader: Reader, ref: FunctionRef) -> Version:
    """The version that a configuration is for. Raises ResourceNotFound in this API's words."""
    try:
        return find(reader, ref)
    except ResourceNotFound as error:
        raise ResourceNotFound("The function doesn't exist.") from error


def lookup(reader: Reader, ref: FunctionRef) -> EventInvokeConfig | None:
    """The configuration of what `ref` names, when it has one."""
    row = event_invoke_tables.one(reader, ref, ref.qualifier or LATEST)
    return None if row is None else EventInvokeConfig.from_row(row)


def get(reader: Reader, ref: FunctionRef) -> EventInvokeConfig:
    """Raises ResourceNotFound."""
    config = lookup(reader, ref)
    if config is None:
        raise _none_of(ref)
    return config


def put(tx: Transaction, ref: FunctionRef, params: Mapping[str, Any], now_ms: int) -> EventInvokeConfig:
    """Set it anew. Raises ResourceNotFound."""
    target(tx, ref)
    return _store(tx, ref, EventInvokeConfig(ref.qualifier or LATEST).changed(params, now_ms))


def update(tx: Transaction, ref: FunctionRef, params: Mapping[str, Any], now_ms: int) -> EventInvokeConfig:
    """Change what `params` set. Raises ResourceNotFound."""
    target(tx, ref)
    return _store(tx, ref, get(tx, ref).changed(params, now_ms))


def delete(tx: Transaction, ref: FunctionRef) -> None:
    """Raises ResourceNotFound."""
    if tables.function(tx, ref) is None:
        raise ResourceNotFound("The function doesn't exist.")
    if not event_invoke_tables.delete(tx, ref, ref.qualifier or LATEST):
        raise _none_of(ref)
    changed(tx, ref)


def page(reader: Reader, ref: FunctionRef, after: str, limit: int) -> list[Row]:
    """Raises ResourceNotFound."""
    if tables.function(reader, ref) is None:
        raise ResourceNotFound("The function doesn't exist.")
    return event_invoke_tables.page(reader, ref, after, limit)


def _store(tx: Transaction, ref: FunctionRef, config: EventInvokeConfig) -> EventInvokeConfig:
    event_invoke_tables.put(tx, ref, astuple(config))
    changed(tx, ref)
    return config


def _none_of(ref: FunctionRef) -> ResourceNotFound:
    arn = ref.qualified(ref.qualifier or LATEST).qualified_arn
    return ResourceNotFound(f"The function {arn} doesn't have an EventInvokeConfig")
