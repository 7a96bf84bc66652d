"""The tables, and each query by its name.

A point is all that is known of a metric, in one unit, for a second, a minute, five minutes or an hour. Its key begins
with the metric and the time, so that a range of one metric is read without touching any other row.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cloudlet.services.cloudwatch.metric import MetricKey, Place
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.store.base import Migration, Parameter, Reader, Row, Transaction

MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE cloudwatch_metrics (
                account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                metric BLOB NOT NULL, dimensions TEXT NOT NULL, published_s BIGINT NOT NULL,
                PRIMARY KEY (account, region, namespace, name, metric)) WITHOUT ROWID""",
            "CREATE INDEX cloudwatch_metrics_old ON cloudwatch_metrics (published_s)",
            """CREATE TABLE cloudwatch_points (
                account TEXT NOT NULL, region TEXT NOT NULL, metric BLOB NOT NULL, resolution BIGINT NOT NULL,
                moment_s BIGINT NOT NULL, unit TEXT NOT NULL, samples DOUBLE PRECISION NOT NULL,
                total DOUBLE PRECISION NOT NULL, minimum DOUBLE PRECISION NOT NULL, maximum DOUBLE PRECISION NOT NULL,
                distribution BLOB NOT NULL,
                PRIMARY KEY (account, region, metric, resolution, moment_s, unit)) WITHOUT ROWID""",
            "CREATE INDEX cloudwatch_points_old ON cloudwatch_points (resolution, moment_s)",
        ),
    ),
)
_POINT = "account = ? AND region = ? AND metric = ? AND resolution = ? AND moment_s = ? AND unit = ?"
_SUMMARY = "samples, total, minimum, maximum, distribution"


class PointKey(NamedTuple):
    """One point."""

    account: str
    region: str
    metric: bytes
    resolution: int
    moment_s: int
    """Its beginning, a multiple of the resolution."""
    unit: str


def add_points(tx: Transaction, points: Iterable[tuple[PointKey, Summary]]) -> None:
    """Join `points`, whose keys are different, to what is there."""
    rows: list[Sequence[Parameter]] = []
    for key, summary in points:
        row = tx.one(f"SELECT {_SUMMARY} FROM cloudwatch_points WHERE {_POINT}", key)
        joined = summary
        if row is not None:
            joined = Summary.decode(*row)
            joined.merge(summary)
        values = (joined.count, joined.total, joined.minimum, joined.maximum)
        rows.append((*key, *map(float, values), joined.encode_distribution()))
    tx.execute_many(
        f"INSERT INTO cloudwatch_points (account, region, metric, resolution, moment_s, unit, {_SUMMARY}) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, region, metric, resolution, moment_s, unit) DO UPDATE SET samples = excluded.samples, "
        "total = excluded.total, minimum = excluded.minimum, maximum = excluded.maximum, "
        "distribution = excluded.distribution",
        rows,
    )


def put_metrics(tx: Transaction, metrics: Iterable[tuple[Place, MetricKey]], published_s: int) -> None:
    """These metrics have had data published."""
    tx.execute_many(
        "INSERT INTO cloudwatch_metrics (account, region, namespace, name, metric, dimensions, published_s) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, namespace, name, metric) "
        "DO UPDATE SET published_s = excluded.published_s WHERE cloudwatch_metrics.published_s < excluded.published_s",
        [
            (*place, metric.namespace, metric.name, metric.digest, metric.encoded_dimensions, published_s)
            for place, metric in metrics
        ],
    )


class ListedAfter(NamedTuple):
    """Where a page of metrics begins."""

    namespace: str = ""
    name: str = ""
    metric: bytes = b""


def metrics_page(
    reader: Reader, place: Place, namespace: str, name: str, since_s: int, after: ListedAfter, limit: int
) -> list[Row]:
    """(namespace, name, metric, dimensions) in order; with the namespace and the name, where they are not empty."""
    wanted = ""
    parameters: list[Parameter] = [*place, since_s, *after]
    if namespace:
        wanted += " AND namespace = ?"
        parameters.append(namespace)
    if name:
        wanted += " AND name = ?"
        parameters.append(name)
    return reader.query(
        "SELECT namespace, name, metric, dimensions FROM cloudwatch_metrics WHERE account = ? AND region = ? "
        f"AND published_s >= ? AND (namespace, name, metric) > (?, ?, ?){wanted} "
        "ORDER BY namespace, name, metric LIMIT ?",
        [*parameters, limit],
    )


class Range(NamedTuple):
    """A range of one metric: `count` periods from `start_s`, up to `end_s`."""

    place: Place
    metric: bytes
    resolution: int
    start_s: int
    end_s: int
    unit: str = ""
    """Only data of this unit, where it is not empty."""


def boundary(reader: Reader, wanted: Range, rows: int) -> int:
    """Where to stop, so that not more than `rows` points are read at once: never at the beginning of the range."""
    row = reader.one(
        "SELECT moment_s FROM cloudwatch_points WHERE account = ? AND region = ? AND metric = ? AND resolution = ? "
        "AND moment_s >= ? AND moment_s < ? ORDER BY moment_s LIMIT 1 OFFSET ?",
        [*wanted.place, *wanted[1:5], rows],
    )
    return wanted.end_s if row is None else max(int(row[0]), wanted.start_s + 1)


def binned(reader: Reader, wanted: Range, origin_s: int, period_s: int) -> list[Row]:
    """(number of the period since `origin_s`, unit, samples, sum, least, greatest), each of all points of a period."""
    unit = " AND unit = ?" if wanted.unit else ""
    return reader.query(
        f"SELECT (moment_s - {int(origin_s)}) / {int(period_s)}, unit, SUM(samples), SUM(total), MIN(minimum), "
        "MAX(maximum) FROM cloudwatch_points "
        f"WHERE account = ? AND region = ? AND metric = ? AND resolution = ? AND moment_s >= ? AND moment_s < ?{unit} "
        "GROUP BY 1, 2",
        [*wanted.place, *wanted[1:5], *([wanted.unit] if wanted.unit else [])],
    )


def points(reader: Reader, wanted: Range) -> list[Row]:
    """(moment, unit, samples, sum, least, greatest, distribution)."""
    unit = " AND unit = ?" if wanted.unit else ""
    return reader.query(
        f"SELECT moment_s, unit, {_SUMMARY} FROM cloudwatch_points WHERE account = ? AND region = ? "
        f"AND metric = ? AND resolution = ? AND moment_s >= ? AND moment_s < ?{unit}",
        [*wanted.place, *wanted[1:5], *([wanted.unit] if wanted.unit else [])],
    )


def first_point(reader: Reader, resolution: int) -> int | None:
    """The moment of the oldest point of a resolution."""
    row = reader.one(
        "SELECT moment_s FROM cloudwatch_points WHERE resolution = ? ORDER BY moment_s LIMIT 1", (resolution,)
    )
    return None if row is None else int(row[0])


def old_points(reader: Reader, resolution: int, before_s: int, limit: int) -> list[tuple[PointKey, Summary]]:
    """Some points of a resolution that begin before a moment, the oldest first."""
    rows = reader.query(
        f"SELECT account, region, metric, resolution, moment_s, unit, {_SUMMARY} FROM cloudwatch_points "
        "WHERE resolution = ? AND moment_s < ? ORDER BY moment_s LIMIT ?",
        (resolution, before_s, limit),
    )
    return [(PointKey(*row[:6]), Summary.decode(*row[6:])) for row in rows]


def delete_points(tx: Transaction, keys: Iterable[PointKey]) -> None:
    tx.execute_many(f"DELETE FROM cloudwatch_points WHERE {_POINT}", list(keys))


def first_published(reader: Reader) -> int | None:
    """When the metric was last published that was not for the longest time."""
    row = reader.one("SELECT published_s FROM cloudwatch_metrics ORDER BY published_s LIMIT 1")
    return None if row is None else int(row[0])


def delete_metrics(tx: Transaction, before_s: int, limit: int) -> int:
    """Forget some metrics that have not been published since; how many."""
    rows = tx.query(
        "SELECT account, region, namespace, name, metric FROM cloudwatch_metrics WHERE published_s < ? "
        "ORDER BY published_s LIMIT ?",
        (before_s, limit),
    )
    tx.execute_many(
        "DELETE FROM cloudwatch_metrics WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND metric = ?",
        rows,
    )
    return len(rows)
