"""What is counted of functions between two times of storing it, and the measurements that it makes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cloudlet.services.lambda_.names import is_alias
from cloudlet.services.measurements import Measurement

NAMESPACE: Final = "AWS/Lambda"
Values = dict[float, float]
"""Each value, and how often it was measured."""
Dimensions = tuple[tuple[str, str], ...]


class AccountCounts:
    """All functions of an account in one region."""

    __slots__ = ("account", "concurrency", "region", "running", "unreserved", "unreserved_running")

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.running = 0
        self.unreserved_running = 0
        self.concurrency: Values = {}
        """How many ran when each invocation began."""
        self.unreserved: Values = {}

    def take(self) -> None:
        """Begin anew."""
        self.concurrency, self.unreserved = {}, {}


class FunctionCounts:
    """One function."""

    __slots__ = ("account", "concurrency", "name", "running")

    def __init__(self, account: AccountCounts, name: str) -> None:
        self.account = account
        self.name = name
        self.running = 0
        self.concurrency: Values = {}

    def take(self) -> None:
        """Begin anew."""
        self.concurrency = {}


class Counts:
    """Invocations of one function under one name that ran one version."""

    __slots__ = ("durations", "errors", "function", "others", "qualifier", "running", "throttles", "version")

    def __init__(self, function: FunctionCounts, qualifier: str, version: str) -> None:
        self.function = function
        self.qualifier = qualifier
        self.version = version
        self.running = 0
        self.durations: list[float] = []
        """In milliseconds, of each invocation that has ended."""
        self.errors = 0
        self.throttles = 0
        self.others: dict[tuple[str, str], Values] = {}
        """By the metric's name and unit."""

    def begin(self, *, is_unreserved: bool) -> None:
        """An invocation begins."""
        function = self.function
        account = function.account
        self.running += 1
        function.running = running = function.running + 1
        function.concurrency[running] = function.concurrency.get(running, 0) + 1
        account.running = running = account.running + 1
        account.concurrency[running] = account.concurrency.get(running, 0) + 1
        if is_unreserved:
            account.unreserved_running = running = account.unreserved_running + 1
            account.unreserved[running] = account.unreserved.get(running, 0) + 1

    def end(self, *, is_unreserved: bool) -> None:
        """An invocation has ended."""
        self.running -= 1
        self.function.running -= 1
        self.function.account.running -= 1
        if is_unreserved:
            self.function.account.unreserved_running -= 1

    def add(self, name: str, unit: str, value: float) -> None:
        """Count a value of another metric."""
        values = self.others.setdefault((name, unit), {})
        values[value] = values.get(value, 0) + 1

    def take(self) -> bool:
        """Begin anew; False when nothing was counted and nothing runs."""
        was_used = bool(self.running or self.durations or self.throttles or self.others)
        self.durations, self.errors, self.throttles, self.others = [], 0, 0, {}
        return was_used

    def metrics(self) -> Iterator[tuple[str, str, Values]]:
        """(name, unit, values) of all metrics of which something was counted."""
        count = len(self.durations)
        if count:
            yield "Invocations", "Count", {1.0: count}
            yield "Errors", "Count", _ones(self.errors, count)
            yield "Duration", "Milliseconds", dict(Counter(round(duration, 2) for duration in self.durations))
        if count or self.throttles:
            yield "Throttles", "Count", _ones(self.throttles, count + self.throttles)
        for (name, unit), values in self.others.items():
            yield name, unit, values

    def dimensions(self) -> Iterator[Dimensions]:
        """The combinations of dimensions under which its metrics are kept."""
        name = ("FunctionName", self.function.name)
        resource = ("Resource", f"{self.function.name}:{self.qualifier}" if self.qualifier else self.function.name)
        yield ()
        yield (name,)
        yield (name, resource)
        if self.version and is_alias(self.qualifier):
            yield (name, resource, ("ExecutedVersion", self.version))


def measurements(
    counted: Iterable[Counts], accounts: Iterable[AccountCounts], moment_s: float
) -> Iterator[Measurement]:
    """All that was counted, as it is stored for the minute of `moment_s`."""
    joined: dict[tuple[str, str, str, Dimensions, str], Values] = {}

    def join(
        account: AccountCounts, name: str, dimensions: Dimensions, unit: str, values: Mapping[float, float]
    ) -> None:
        there = joined.setdefault((account.account, account.region, name, dimensions, unit), {})
        for value, number in values.items():
            there[value] = there.get(value, 0) + number

    functions: set[FunctionCounts] = set()
    for counts in counted:
        functions.add(counts.function)
        for name, unit, values in counts.metrics():
            for dimensions in counts.dimensions():
                join(counts.function.account, name, dimensions, unit, values)
    for function in functions:
        own = (("FunctionName", function.name),)
        join(function.account, "ConcurrentExecutions", own, "Count", function.concurrency)
    for account in accounts:
        join(account, "ConcurrentExecutions", (), "Count", account.concurrency)
        join(account, "UnreservedConcurrentExecutions", (), "Count", account.unreserved)
    for (owner, region, name, dimensions, unit), values in joined.items():
        if values:
            yield Measurement(owner, region, NAMESPACE, name, dimensions, unit, moment_s, values)


def _ones(ones: int, count: int) -> Values:
    """Values of a metric that is 1 for some invocations and 0 for the others."""
    return {value: number for value, number in ((1.0, ones), (0.0, count - ones)) if number}
