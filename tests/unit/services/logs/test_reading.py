"""Pages, put together, are what a naive reader finds: all events in order, whatever the sizes of pages and chunks."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudlet.services.logs import LogsService, reading, tables
from cloudlet.services.logs.chunks import Event, encode_chunks, position_at
from cloudlet.services.logs.cursors import Cursor
from cloudlet.services.logs.reading import Span, read_page
from cloudlet.services.logs.tables import NEVER, Place, Selection, Stream
from cloudlet.store.base import Reader, Store, Transaction
from cloudlet.store.sqlite import SqliteStore

PLACE = Place("111111111111", "us-east-1")
GROUP = 9
START_MS = 1_790_000_000_000
TIMES = st.integers(0, 3_000)
BATCHES = st.lists(st.tuples(st.sampled_from("ab"), st.lists(TIMES, min_size=1, max_size=6).map(sorted)), max_size=6)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Store]]:
    with asyncio.Runner() as runner:
        store = runner.run(SqliteStore.open(tmp_path_factory.mktemp("reading")))
        runner.run(store.migrate("logs", LogsService.migrations))
        yield runner, store
        runner.run(store.close())


def fill(tx: Transaction, batches: list[tuple[str, list[int]]]) -> list[tuple[int, str, str]]:
    """Store batches; their events as time, stream and message in the order they came."""
    stored = []
    for index, (name, times) in enumerate(batches):
        stream = tables.find_stream(tx, PLACE, GROUP, name)
        if stream is None:
            stream = Stream(name, ord(name), 0, NEVER, NEVER, NEVER, 0, 0)
            tables.add_stream(tx, PLACE, GROUP, stream)
        events = [(START_MS + time, f"{index}.{place}") for place, time in enumerate(times)]
        tables.add_chunks(tx, PLACE, GROUP, stream, START_MS + index, encode_chunks(events), 0, 0)
        stored += [(time, name, message) for time, message in events]
    return stored


@given(
    batches=BATCHES,
    bounds=st.tuples(TIMES, TIMES),
    forward=st.booleans(),
    limit=st.integers(1, 5),
    chunks_per_query=st.integers(1, 4),
    scanned=st.integers(2, 9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_pages_are_what_a_naive_reader_finds(
    runner: tuple[asyncio.Runner, Store],
    monkeypatch: pytest.MonkeyPatch,
    batches: list[tuple[str, list[int]]],
    bounds: tuple[int, int],
    forward: bool,
    limit: int,
    chunks_per_query: int,
    scanned: int,
) -> None:
    monkeypatch.setattr(reading, "CHUNKS_PER_QUERY", chunks_per_query)
    monkeypatch.setattr(reading, "MAXIMUM_SCANNED", scanned)
    run, store = runner

    async def read(of: Selection, span: Span) -> list[Event]:
        found: list[Event] = []
        while True:
            page = await read_page(store, of, span, forward, limit, lambda message: not message.endswith(".1"))
            assert len(page.events) <= limit
            found += page.events
            if page.position is None:
                return found
            span = Cursor(forward, page.position).narrow(span)

    async def check() -> None:
        await store.reset()
        stored = await store.transact(lambda tx: fill(tx, batches))
        low, high = START_MS + bounds[0], START_MS + bounds[1]
        expected = [each for each in stored if low <= each[0] < high and not each[2].endswith(".1")]
        expected.sort(key=lambda event: event[0], reverse=not forward)
        span = Span(position_at(low), position_at(high))
        found = await read(Selection(PLACE, GROUP), span)
        assert [event.timestamp_ms for event in found] == [time for time, _, _ in expected]
        assert sorted((event.timestamp_ms, event.stream_name, event.message) for event in found) == sorted(expected)
        of_a = [message for _, name, message in _ordered(stored, low, high, forward) if name == "a"]
        assert [event.message for event in await read(Selection(PLACE, GROUP, ord("a")), span)] == of_a
        assert [event.message for event in await read(Selection(PLACE, GROUP, names=["a"]), span)] == of_a

    run.run(check())


def _ordered(stored: list[tuple[int, str, str]], low: int, high: int, forward: bool) -> list[tuple[int, str, str]]:
    """By time and then as they came, or the reverse."""
    kept = [each for each in stored if low <= each[0] < high and not each[2].endswith(".1")]
    ordered = sorted(kept, key=lambda event: event[0])
    return ordered if forward else ordered[::-1]


async def test_an_empty_span_asks_nobody() -> None:
    class Nobody:
        async def read(self, _: object) -> Reader:
            raise AssertionError("nothing is to be read")

    page = await read_page(Nobody(), Selection(PLACE, GROUP), Span(5, 5), True, 10)  # type: ignore[arg-type]
    assert page == ([], None)
