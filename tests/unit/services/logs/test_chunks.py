"""Chunks: what goes in comes out, in the order of positions."""

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs import chunks
from cloudlet.services.logs.chunks import StoredChunk, decode_chunk, encode_chunks, format_position, position_at

TIMES = st.integers(1_790_000_000_000, 1_790_000_004_000)
EVENTS = st.lists(st.tuples(TIMES, st.text(min_size=1, max_size=300)), max_size=40).map(
    lambda events: sorted(events, key=lambda event: event[0])
)


def stored(events: list[tuple[int, str]], stream_id: int = 7) -> list[StoredChunk]:
    return [
        StoredChunk(chunk.second, stream_id, 1_000 + index, 5, chunk.body, "stream")
        for index, chunk in enumerate(encode_chunks(events))
    ]


@given(EVENTS)
def test_events_come_back_in_their_order(events: list[tuple[int, str]]) -> None:
    decoded = [event for chunk in stored(events) for event in decode_chunk(chunk)]
    assert [(event.timestamp_ms, event.message) for event in decoded] == events
    positions = [event.position for event in decoded]
    assert positions == sorted(set(positions))
    assert all(
        position_at(event.timestamp_ms) <= event.position < position_at(event.timestamp_ms + 1) for event in decoded
    )


@given(EVENTS)
def test_a_chunk_is_of_one_second_and_knows_its_size(events: list[tuple[int, str]]) -> None:
    made = encode_chunks(events)
    assert [chunk.second for chunk in made] == sorted({timestamp // 1000 for timestamp, _ in events})
    assert sum(chunk.size_bytes for chunk in made) == sum(len(message.encode()) + 26 for _, message in events)


def test_a_chunk_has_bounds() -> None:
    half = "x" * (chunks.MAXIMUM_CHUNK_BYTES // 2)
    assert [len(decode_chunk(chunk)) for chunk in stored([(0, half)] * 3)] == [1, 1, 1]
    assert [len(decode_chunk(chunk)) for chunk in stored([(0, "x")] * 10_001)] == [9_709, 292]


def test_large_chunks_are_compressed_and_small_ones_are_not() -> None:
    (small,), (large,) = encode_chunks([(0, "a")]), encode_chunks([(0, "a" * 5_000)])
    assert small.body == b'[[0,"a"]]'
    assert len(large.body) < 100


def test_a_position_has_56_digits_in_this_century() -> None:
    last_ms = 4_102_444_799_999
    event = decode_chunk(StoredChunk(last_ms // 1000, (1 << 63) - 1, last_ms * 1000, 0, b'[[999,"a"]]', "s"))[0]
    assert len(format_position(event.position)) == 56
    assert event.timestamp_ms == last_ms
