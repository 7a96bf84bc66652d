"""Who counts invocations. On the way of each, so counting is a few additions and nothing else."""

from typing import Protocol

from cloudlet.compute.counting import Counted
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult

Outcome = InvocationResult | Exception | None
"""How an invocation ended: with a result, with what the platform could not do, or taken back before it began."""


class Measured(Protocol):
    """One invocation that runs."""

    def end(self, outcome: Outcome) -> None:
        """It has ended."""


class Meter(Protocol):
    """Counts invocations."""

    def begin(self, function: FunctionVersion, invocation: Invocation, slot: Counted) -> Measured:
        """An invocation runs, with the concurrency `slot`."""

    def throttled(self, function: FunctionVersion, invocation: Invocation) -> None:
        """An invocation was refused."""


class NoMeter:
    """Counts nothing."""

    def begin(self, function: FunctionVersion, invocation: Invocation, slot: Counted) -> Measured:  # noqa: ARG002
        return self

    def throttled(self, function: FunctionVersion, invocation: Invocation) -> None:
        """Not counted."""

    def end(self, outcome: Outcome) -> None:
        """Not counted."""
