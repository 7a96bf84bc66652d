"""The metrics of functions: counted in memory while they run, and stored some seconds later.

What is counted lies in objects that stay as long as their function is in use; an invocation costs a look-up and some
additions. `Measuring` says when it is taken out and stored.

Each metric is there for the function, for the name under which it was invoked (`Resource`), for the version that an
alias led to (`ExecutedVersion`) and for all functions of the account:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from cloudlet.clock import Clock
from cloudlet.compute.counting import Counted, ProvisionedSlot, Slot
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult, TooManyRequests
from cloudlet.compute.meter import Outcome
from cloudlet.services.lambda_.metric_counts import AccountCounts, Counts, FunctionCounts, measurements
from cloudlet.services.measurements import Measurement, Record
from cloudlet.services.measuring import Measuring


class FunctionMetrics:
    """Counts what functions do. The `Meter` of the compute engine."""

    def __init__(self, record: Record, clock: Clock) -> None:
        self.measuring = Measuring("metrics of functions", record, clock, self._take)
        self._counts: dict[tuple[str, str], Counts] = {}
        """By the ARN that was invoked, and the version that runs."""
        self._functions: dict[str, FunctionCounts] = {}
        self._accounts: dict[tuple[str, str], AccountCounts] = {}

    # -- what the engine tells

    def begin(self, function: FunctionVersion, invocation: Invocation, slot: Counted) -> "Running":
        """An invocation runs."""
        counts = self._counts.get((invocation.invoked_function_arn, function.version))
        if counts is None:
            counts = self._new(invocation.invoked_function_arn, function.version)
        if not self.measuring.is_dirty:
            self.measuring.mark()
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
        if not self.measuring.is_dirty:
            self.measuring.mark()

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

    def reset(self) -> None:
        """Forget what was counted; what runs is still known to run."""
        self._taken(0.0)
        self.measuring.reset()

    async def flush(self) -> None:
        """Store all that was counted so far."""
        await self.measuring.flush()

    async def _take(self, since_s: float) -> list[Measurement]:
        return self._taken(since_s)

    def _taken(self, since_s: float) -> list[Measurement]:
        """What was counted since the last time; whoever has counted nothing and runs nothing is forgotten."""
        found = list(measurements(self._counts.values(), self._accounts.values(), since_s))
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
