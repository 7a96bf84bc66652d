from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.delivery.schedule import Request, Schedule


def schedule(limit: int = 8, target_limit: int = 4) -> Schedule:
    """A schedule of one kind."""
    made = Schedule()
    made.add_kind("work", limit, target_limit)
    return made


def test_nothing_is_taken_before_it_is_due() -> None:
    it = schedule()
    it.expect("work", "a", 100)
    assert it.take(99) == []
    assert it.next_due_ms() == 100
    assert it.take(100) == [Request("work", "a", 4)]
    assert it.take(100) == []


def test_what_is_due_earlier_counts() -> None:
    it = schedule()
    for due_ms in (100, 50, 200):
        it.expect("work", "a", due_ms)
    assert it.next_due_ms() == 50
    assert len(it.take(50)) == 1
    assert it.take(1000) == [], "the claim says when the next one is due"


def test_free_places_are_shared() -> None:
    it = schedule(limit=8, target_limit=8)
    for target in "abcd":
        it.expect("work", target, 0)
    assert {request.target: request.limit for request in it.take(0)} == {"a": 2, "b": 2, "c": 2, "d": 2}


def test_a_target_at_its_limit_waits_until_one_has_finished() -> None:
    it = schedule(limit=8, target_limit=2)
    it.expect("work", "a", 0)
    (request,) = it.take(0)
    it.claimed(request, 2, 0)
    assert it.take(0) == []
    it.finished("work", "a")
    assert it.take(0) == [Request("work", "a", 1)]


def test_places_that_a_claim_did_not_use_are_free_again() -> None:
    it = schedule(limit=4, target_limit=4)
    it.expect("work", "a", 0)
    it.expect("work", "b", 0)
    first, second = it.take(0)
    it.claimed(first, 0, None)
    it.claimed(second, 2, None)
    it.expect("work", "c", 0)
    assert it.take(0) == [Request("work", "c", 2)]


def test_a_row_that_is_written_during_a_claim_is_not_missed() -> None:
    it = schedule()
    it.expect("work", "a", 0)
    (request,) = it.take(0)
    it.expect("work", "a", 5)
    it.claimed(request, 0, None)
    assert it.next_due_ms() == 5
    assert len(it.take(5)) == 1


def test_kinds_do_not_take_each_others_places() -> None:
    it = schedule(limit=2)
    it.add_kind("other", 3, 3)
    it.expect("work", "a", 0)
    it.expect("other", "a", 0)
    assert it.take(0) == [Request("work", "a", 2), Request("other", "a", 3)]


def test_what_nobody_handles_is_left_alone() -> None:
    it = schedule()
    it.expect("unknown", "a", 0)
    assert it.take(0) == []
    assert not it.is_busy(0)


def test_targets_without_work_are_forgotten() -> None:
    it = schedule()
    for number in range(1000):
        it.expect("work", str(number), 0)
        for request in it.take(0):
            it.claimed(request, 1, None)
            it.finished("work", request.target)
    assert not it._kinds["work"].targets


@given(
    rows=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20)), max_size=60),
    limit=st.integers(1, 6),
    target_limit=st.integers(1, 4),
    finishing=st.randoms(use_true_random=False),
)
def test_every_row_gets_its_turn_within_the_limits(
    rows: list[tuple[str, int]], limit: int, target_limit: int, finishing: Random
) -> None:
    """A model of the engine: rows in a list, claims and ends in any order, time that moves on when nothing is due."""
    it = schedule(limit, target_limit)
    waiting = list(rows)
    running: list[str] = []
    done = 0
    now = 0
    for target, due in rows:
        it.expect("work", target, due)
    while done < len(rows):
        for request in it.take(now):
            due_now = [row for row in waiting if row[0] == request.target and row[1] <= now][: request.limit]
            for row in due_now:
                waiting.remove(row)
            running += [request.target] * len(due_now)
            later = min((due for target, due in waiting if target == request.target), default=None)
            it.claimed(request, len(due_now), later)
        assert len(running) <= limit
        assert all(count <= target_limit for count in Counter(running).values())
        if running:
            target = running.pop(finishing.randrange(len(running)))
            it.finished("work", target)
            done += 1
        else:
            next_due = it.next_due_ms()
            assert next_due is not None, f"forgotten: {waiting}"
            now = max(now, next_due)
    assert not it.is_busy(now)
