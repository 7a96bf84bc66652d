"""The metrics of functions: counted in memory while they run, and stored some seconds later.

What is counted lies in objects that stay as long as their function is in use; an invocation costs two look-ups and some
additions. Every FLUSH_INTERVAL_S, and at the end of each minute, all is taken out and stored at once. What was counted
in the seconds before a crash is lost: metrics are no record of what has happened, logs are.

Each metric is there for the function, for the name under which it was invoked (`Resource`), for the version that an
alias led to (`ExecutedVersion`) and for all functions of the account:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import asyncio
import contextlib
import logging
from typing import Final

from cloudlet.clock import Clock
from cloudlet.compute.counting import Counted, ProvisionedSlot, Slot
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult, TooManyRequests
from cloudlet.compute.meter import Outcome
from cloudlet.services.lambda_.metric_counts import AccountCounts, Counts, FunctionCounts, measurements
from cloudlet.services.measurements import Measurement, Record
from cloudlet.store.base import StoreError

FLUSH_INTERVAL_S: Final = 5.0
MAX_WAITING: Final = 50_000
"""Measurements that are kept while the store takes none."""

logger = logging.getLogger(__name__)


class FunctionMetrics:
    """Counts what functions do. The `Meter` of the compute engine."""

    def __init__(self, record: Record, clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._counts: dict[tuple[str, str], Counts] = {}
        """By the ARN that was invoked, and the version that runs."""
        self._functions: dict[str, FunctionCounts] = {}
        self._accounts: dict[tuple[str, str], AccountCounts] = {}
        self._is_dirty = False
        self._since = 0.0
        """When the first was counted of what is not stored yet, on the platform's clock."""
        self._wake = asyncio.Event()
        self._waiting: list[Measurement] = []
        self._flushing = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None

    # -- what the engine tells

    def begin(self, function: FunctionVersion, invocation: Invocation, slot: Counted) -> "Running":
        """An invocation runs."""
        counts = self._counts.get((invocation.invoked_function_arn, function.version))
        if counts is None:
            counts = self._new(invocation.invoked_function_arn, function.version)
        if not self._is_dirty:
            self._mark()
        return Running(self, counts, function, slot)

    def throttled(self, function: FunctionVersion, invocation: Invocation) -> None:
        """An invocation was refused."""
        self._of(invocation.invoked_function_arn, function.version).throttles += 1

    def event(self, invoked_arn: str, name: str, value: float = 1.0, unit: str = "Count", version: str = "") -> None:
        """Something has happened to an asynchronous event: `AsyncEventsReceived` ..."""
        self._of(invoked_arn, version).add(name, unit, value)

    def _of(self, invoked_arn: str, version: str) -> Counts:
        self.touch()
        return self._counts.get((invoked_arn, version)) or self._new(invoked_arn, version)

    def touch(self) -> None:
        """Something is counted."""
        if not self._is_dirty:
            self._mark()

    def _mark(self) -> None:
        self._is_dirty = True
        self._since = self._clock.now()
        self._wake.set()

    def _new(self, invoked_arn: str, version: str) -> Counts:
        _, _, _, region, account, _, name, *qualifier = invoked_arn.split(":")
        function_arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
        function = self._functions.get(function_arn)
        if function is None:
            place = (account, region)
            if place not in self._accounts:
                self._accounts[place] = AccountCounts(account, region)
            function = self._functions[function_arn] = FunctionCounts(self._accounts[place], name)
        counts = self._counts[invoked_arn, version] = Counts(function, qualifier[0] if qualifier else "", version)
        return counts

    # -- storing it

    def start(self) -> None:
        """Begin to store what is counted."""
        self._loop = asyncio.create_task(self._run(), name="function metrics")

    async def close(self, timeout_s: float = 5.0) -> None:
        """Store what is left, for `timeout_s` at most, and end."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.flush()

    def reset(self) -> None:
        """Forget what was counted; what runs is still known to run."""
        self._take()
        self._waiting.clear()

    async def flush(self) -> None:
        """Store all that was counted so far."""
        if not self._is_dirty and not self._waiting:
            return
        async with self._flushing:
            self._waiting += self._take()
            taken = self._waiting
            if not taken:
                return
            try:
                await self._record(taken)
                self._waiting = []
            except StoreError as error:
                dropped = max(0, len(taken) - MAX_WAITING)
                self._waiting = taken[dropped:]
                logger.warning("metrics of functions could not be stored: %s", error, extra={"dropped": dropped})

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # By the host's time: a clock that is moved forward does not stop for this (but for `flush`, which it asks).
            await asyncio.sleep(min(FLUSH_INTERVAL_S, 60 - self._clock.now() % 60))
            await self.flush()
            if self._waiting:
                self._wake.set()

    def _take(self) -> list[Measurement]:
        """What was counted since the last time; whoever has counted nothing and runs nothing is forgotten."""
        self._is_dirty = False
        found = list(measurements(self._counts.values(), self._accounts.values(), self._since))
        self._counts = {key: counts for key, counts in self._counts.items() if counts.take()}
        for function in self._functions.values():
            function.take()
        for account in self._accounts.values():
            account.take()
        kept = {id(counts.function): counts.function for counts in self._counts.values()}
        self._functions = {key: one for key, one in self._functions.items() if id(one) in kept}
        accounts = {id(function.account) for function in kept.values()}
        self._accounts = {key: one for key, one in self._accounts.items() if id(one) in accounts}
        return found


class Running:
    """An invocation that runs."""

    __slots__ = ("_counts", "_is_unreserved", "_metrics")

    def __init__(self, metrics: FunctionMetrics, counts: Counts, function: FunctionVersion, slot: Counted) -> None:
        self._metrics = metrics
        self._counts = counts
        self._is_unreserved = False
        if type(slot) is Slot:
            self._is_unreserved = slot.reserved is None
            if slot.provisioned is not None and function.version in slot.provisioned:
                counts.add("ProvisionedConcurrencySpilloverInvocations", "Count", 1.0)
        elif type(slot) is ProvisionedSlot:
            counts.add("ProvisionedConcurrencyInvocations", "Count", 1.0)
            counts.add("ProvisionedConcurrentExecutions", "Count", slot.used)
            counts.add("ProvisionedConcurrencyUtilization", "Count", slot.used / slot.limit)
        counts.begin(is_unreserved=self._is_unreserved)

    def end(self, outcome: Outcome) -> None:
        """It has ended."""
        counts = self._counts
        self._metrics.touch()
        counts.end(is_unreserved=self._is_unreserved)
        if isinstance(outcome, InvocationResult):
            counts.durations.append(outcome.duration_ms)
            if outcome.function_error:
                counts.errors += 1
        elif isinstance(outcome, TooManyRequests):
            counts.throttles += 1
