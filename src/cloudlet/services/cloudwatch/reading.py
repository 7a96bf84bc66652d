"""How data is read: the points of one metric in a range, joined by period, some thousand rows at a time."""

import asyncio
from collections.abc import Iterator
from typing import Final, NamedTuple

from cloudlet.clock import Clock
from cloudlet.services.cloudwatch import tables
from cloudlet.services.cloudwatch.metric import MetricKey, Place
from cloudlet.services.cloudwatch.retention import FORGOTTEN_S, readable
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.services.cloudwatch.tables import Range
from cloudlet.store.base import Reader, Store

ROWS_AT_ONCE: Final = 4_000
DISTRIBUTIONS_AT_ONCE: Final = 500
"""Fewer, for each of them is work."""


class Periods(NamedTuple):
    """Periods of `period_s` from `start_s` on, up to `end_s`."""

    start_s: int
    end_s: int
    period_s: int


Summaries = dict[tuple[int, str], Summary]
"""By the beginning of the period, and the unit."""


class Reading:
    """Reads what is stored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def summaries(
        self, place: Place, metric: MetricKey, periods: Periods, unit: str = "", *, distributions: bool = False
    ) -> Summaries:
        """The summaries of a metric's periods that have data; with their distributions only where they are asked for.

        `unit`: only data of this one, where it is not empty.
        """
        found: Summaries = {}
        resolutions, age_s = readable(periods.period_s)
        start_s = max(periods.start_s, int(self._clock.now()) - min(age_s, FORGOTTEN_S))
        while start_s < periods.end_s:
            wanted = [
                Range(place, metric.digest, resolution, start_s, periods.end_s, unit) for resolution in resolutions
            ]
            start_s = await self._read(wanted, periods, found, distributions=distributions)
            await asyncio.sleep(0)  # a read may not wait for anything, and others want their turn
        return found

    async def _read(self, wanted: list[Range], periods: Periods, found: Summaries, *, distributions: bool) -> int:
        """Read a part of the range into `found`, in all resolutions; where to go on.

        A part is read in one state of the store and ends with an hour: else points that are joined to coarser ones in
        between would be missed, or counted twice.
        """
        rows = DISTRIBUTIONS_AT_ONCE if distributions else ROWS_AT_ONCE

        def read(reader: Reader) -> tuple[int, list[tuple[int, str, Summary]]]:
            start_s = wanted[0].start_s
            end_s = min(tables.boundary(reader, one, rows) for one in wanted)
            if end_s < periods.end_s:
                end_s = min(periods.end_s, max(end_s // 3600, start_s // 3600 + 1) * 3600)
            parts: list[tuple[int, str, Summary]] = []
            for one in wanted:
                parts += _part(reader, one._replace(end_s=end_s), periods, distributions=distributions)
            return end_s, parts

        end_s, parts = await self._store.read(read)
        for number, unit, summary in parts:
            key = (periods.start_s + number * periods.period_s, unit)
            there = found.get(key)
            if there is None:
                found[key] = summary
            else:
                there.merge(summary)
        return end_s


def _part(
    reader: Reader, wanted: Range, periods: Periods, *, distributions: bool
) -> Iterator[tuple[int, str, Summary]]:
    """(number of the period, unit, summary); a period may come more than once."""
    if distributions:
        for moment_s, unit, *summary in tables.points(reader, wanted):
            yield (moment_s - periods.start_s) // periods.period_s, unit, Summary.decode(*summary)
    else:
        for number, unit, *summary in tables.binned(reader, wanted, periods.start_s, periods.period_s):
            yield number, unit, Summary(*summary)
