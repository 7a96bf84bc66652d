"""What a metric is: a namespace, a name and dimensions. Each combination of dimensions is a metric of its own."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import orjson

Dimensions = tuple[tuple[str, str], ...]


class Place(NamedTuple):
    """Where metrics are."""

    account: str
    region: str


class MetricKey:
    """A metric. Equal ones have an equal `digest`."""

    def __init__(self, namespace: str, name: str, dimensions: Iterable[tuple[str, str]] = ()) -> None:
        self.namespace = namespace
        self.name = name
        self.dimensions: Dimensions = tuple(sorted(dimensions))
        """By their names: their order in a request means nothing."""

    @classmethod
    def of(cls, metric: Mapping[str, Any]) -> "MetricKey":
        """The metric that a request's `Metric` describes."""
        return cls(metric.get("Namespace") or "", metric.get("MetricName") or "", dimensions_of(metric))

    @cached_property
    def digest(self) -> bytes:
        """What its points are kept under: short, whatever the names are."""
        return hashlib.blake2b(orjson.dumps([self.namespace, self.name, self.dimensions]), digest_size=16).digest()

    @property
    def encoded_dimensions(self) -> str:
        """For the store."""
        return orjson.dumps(self.dimensions).decode()

    def shape(self) -> dict[str, Any]:
        """The `Metric` of an answer."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


def dimensions_of(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The dimensions in a request."""
    return [(one["Name"], one["Value"]) for one in described.get("Dimensions") or ()]
