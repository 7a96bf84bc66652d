"""A piece of work, what may come of an attempt to do it, and who does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cloudlet.store.base import Transaction

RETRIES_EXHAUSTED = "RetriesExhausted"
"""All attempts failed. AWS's word in destinations' records, as the next one.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
EVENT_AGE_EXCEEDED = "EventAgeExceeded"
"""It was not done before its maximum age."""
FAILED = "Failed"
"""The handler said that no further attempt makes sense."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One piece of work, as its handler is given it. Times are milliseconds of the platform's clock."""

    id: str
    kind: str
    account: str
    region: str
    target: str
    """What it is for (a function, an account): those of one target wait for each other, not for other targets'."""
    payload: bytes
    attempt: int
    """The number of this attempt, from 1. When the work is dead: of the last one."""
    deferrals: int
    """How often it was put off without an attempt being counted."""
    max_attempts: int
    created_ms: int
    expires_ms: int
    reason: str = ""
    """Why it is dead; empty while it is not."""
    detail: bytes = b""
    """What the last attempt left: its error, for whoever reads the dead letter."""

    @property
    def is_last_attempt(self) -> bool:
        """True when a counted Retry would be the end."""
        return self.attempt >= self.max_attempts


@dataclass(frozen=True, slots=True)
class Done:
    """It is done. `also` runs in the transaction that forgets it: what it changes happens exactly once."""

    also: Callable[[Transaction], None] | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again `after_s` from now; None for the kind's back-off. `counted` False leaves the attempts as they were."""

    after_s: float | None = None
    counted: bool = True
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class Fail:
    """No further attempt makes sense: it is dead, for `reason`."""

    detail: bytes = b""
    reason: str = FAILED


@dataclass(frozen=True, slots=True)
class Keep:
    """A dead one that has nowhere to go: it is kept for a while, for somebody to look at it and try it again."""


Outcome = Done | Retry | Fail | Keep | None
"""None is Done."""


class Handler(Protocol):
    """Does the work of one kind. It may be given the same piece twice: after a crash, nobody knows how far it came.

    What it raises counts as a Retry. It is cancelled when the node stops before it returns: the work is handed back.
    """

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Do it."""

    async def dead(self, delivery: Delivery) -> Outcome:
        """Take a dead one's letter where it belongs. A Retry puts it off, some times; then it is kept (see `Keep`)."""
