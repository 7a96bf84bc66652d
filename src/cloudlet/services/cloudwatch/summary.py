"""What is kept of all values of a metric in a stretch of time. Joining two summaries is summing up all their values."""

from collections.abc import Iterable

from cloudlet.services.cloudwatch.distribution import Distribution

_SAME = b"\xff"
"""The distribution of values that are all the same."""


class Summary:
    """Count, sum, least and greatest value, and the distribution where it is known: not of negative values, nor of
    statistic sets that do not tell it."""

    __slots__ = ("count", "distribution", "maximum", "minimum", "total")

    def __init__(
        self,
        count: float = 0.0,
        total: float = 0.0,
        minimum: float = float("inf"),
        maximum: float = float("-inf"),
        distribution: Distribution | None = None,
    ) -> None:
        self.count = count
        self.total = total
        self.minimum = minimum
        self.maximum = maximum
        self.distribution = distribution

    @classmethod
    def of_values(cls, values: Iterable[tuple[float, float]]) -> "Summary":
        """The summary of values with their counts, of which there is at least one."""
        found = cls(distribution=Distribution())
        for value, count in values:
            found.count += count
            found.total += value * count
            found.minimum = min(found.minimum, value)
            found.maximum = max(found.maximum, value)
            if value < 0:
                found.distribution = None
            elif found.distribution is not None:
                found.distribution.add(value, count)
        return found

    @classmethod
    def of_statistics(cls, count: float, total: float, minimum: float, maximum: float) -> "Summary":
        """The summary that somebody else has made. Its distribution is known where all values must be the same."""
        is_known = minimum >= 0 and (minimum == maximum or count == 1)
        distribution = Distribution([(total / count, count)]) if is_known and count > 0 else None
        return cls(count, total, minimum, maximum, distribution)

    def merge(self, other: "Summary") -> None:
        """Take in all values of `other`."""
        if self.count == 0 and self.minimum > self.maximum:
            self.distribution = Distribution()
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if self.distribution is None or other.distribution is None:
            self.distribution = None
        else:
            self.distribution.merge(other.distribution)

    def encode_distribution(self) -> bytes:
        """The distribution for the store; empty where there is none."""
        if self.distribution is None:
            return b""
        return _SAME if self.minimum == self.maximum else self.distribution.encode()

    @classmethod
    def decode(cls, count: float, total: float, minimum: float, maximum: float, distribution: bytes) -> "Summary":
        """What the store has."""
        found = cls(count, total, minimum, maximum)
        if distribution == _SAME:
            found.distribution = Distribution([(minimum, count)])
        elif distribution:
            found.distribution = Distribution.decode(distribution)
        return found
