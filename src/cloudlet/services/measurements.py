"""What services measure of themselves, on its way to CloudWatch."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple


class Measurement(NamedTuple):
    """Values of one metric within a minute."""

    account: str
    region: str
    namespace: str
    """`AWS/Lambda` ..."""
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    """`Count`, `Milliseconds` ..., as PutMetricData has them."""
    moment_s: float
    """On the platform's clock."""
    values: Mapping[float, float]
    """Each value, and how often it was measured."""


Record = Callable[[Iterable[Measurement]], Awaitable[None]]
"""Stores measurements: `CloudWatchService.record`. Raises StoreError."""
