"""Counting: limits hold at every moment, whatever is configured in between."""

import asyncio
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudlet.compute import request_rate
from cloudlet.compute.counting import ACCOUNT_LIMIT, ACCOUNT_RATE, FUNCTION_RATE, FUNCTION_RESERVED, Counted, Counting
from cloudlet.compute.function import TooManyRequests
from tests.support.compute_world import ACCOUNT, REGION, function_version


def configured(limit: int, **reserved: int) -> Counting:
    counting = Counting()
    arns = {function_version(name).function_arn: count for name, count in reserved.items()}
    counting.configure(ACCOUNT, REGION, limit, arns)
    return counting


def test_an_account_runs_as_many_as_its_limit() -> None:
    counting = configured(2)
    counting.acquire(function_version("a"))
    counting.acquire(function_version("b"))
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version("c"))
    assert refused.value.reason == ACCOUNT_LIMIT
    assert str(refused.value) == "Rate Exceeded."


def test_a_new_account_runs_a_thousand() -> None:
    counting = Counting()
    for _ in range(1000):
        counting.acquire(function_version())
    with pytest.raises(TooManyRequests):
        counting.acquire(function_version())


def test_a_released_slot_is_free() -> None:
    counting = configured(1)
    counting.acquire(function_version()).release()
    counting.acquire(function_version())
    assert counting.running(ACCOUNT, REGION) == 1


def test_a_function_has_what_it_reserves_and_no_more() -> None:
    counting = configured(10, kept=1)
    counting.acquire(function_version("kept"))
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version("kept"))
    assert refused.value.reason == FUNCTION_RESERVED


def test_what_is_reserved_is_kept_from_the_others() -> None:
    counting = configured(3, kept=2)
    counting.acquire(function_version("other"))
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version("other"))
    assert refused.value.reason == ACCOUNT_LIMIT
    counting.acquire(function_version("kept"))


def test_reserving_nothing_stops_a_function() -> None:
    counting = configured(10, stopped=0)
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version("stopped"))
    assert refused.value.reason == FUNCTION_RESERVED


def test_versions_of_a_function_share_what_it_reserves() -> None:
    counting = configured(10, kept=1)
    counting.acquire(function_version("kept", version="1"))
    with pytest.raises(TooManyRequests):
        counting.acquire(function_version("kept", version="2"))


def test_what_runs_when_a_function_reserves_counts_against_its_reservation() -> None:
    counting = configured(10)
    slot = counting.acquire(function_version("kept"))
    counting.configure(ACCOUNT, REGION, 10, {function_version("kept").function_arn: 1})
    with pytest.raises(TooManyRequests):
        counting.acquire(function_version("kept"))
    slot.release()
    counting.acquire(function_version("kept"))


def test_accounts_and_regions_do_not_share() -> None:
    counting = configured(1)
    counting.acquire(function_version())
    counting.acquire(function_version(account="999999999999"))
    counting.acquire(function_version(region="us-east-1"))


def test_a_function_that_is_gone_is_forgotten() -> None:
    counting = configured(10, gone=3)
    counting.configure(ACCOUNT, REGION, 10, {})
    assert counting.running(ACCOUNT, REGION, "gone") == 0


def test_what_is_provisioned_is_that_version_s_alone() -> None:
    counting = Counting()
    first, latest = function_version("a", version="1"), function_version("a")
    arn = first.function_arn
    counting.configure(ACCOUNT, REGION, 1000, {arn: 1}, {arn: {"1": 1}})
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(latest)
    assert refused.value.reason == FUNCTION_RESERVED
    taken = counting.acquire(first)
    with pytest.raises(TooManyRequests):
        counting.acquire(first)  # nothing is left to spill over to
    assert counting.running(ACCOUNT, REGION, "a") == counting.running(ACCOUNT, REGION) == 1
    taken.release()
    counting.acquire(first).release()


def test_what_functions_without_a_reservation_provision_is_taken_from_the_account() -> None:
    counting = Counting()
    first, other = function_version("a", version="1"), function_version("b")
    counting.configure(ACCOUNT, REGION, 3, {}, {first.function_arn: {"1": 2}})
    counting.acquire(other)
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(other)
    assert refused.value.reason == ACCOUNT_LIMIT
    slots = [counting.acquire(first) for _ in range(2)]
    with pytest.raises(TooManyRequests):
        counting.acquire(first)
    counting.configure(ACCOUNT, REGION, 3, {})  # what runs on it runs on
    assert counting.running(ACCOUNT, REGION, "a") == 2
    for slot in slots:
        slot.release()
    assert counting.running(ACCOUNT, REGION) == 1


async def test_there_are_ten_times_as_many_requests_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_rate, "WINDOW_S", 0)
    counting = Counting(default_limit=2, rate_factor=10)
    for _ in range(20):
        counting.acquire(function_version()).release()
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version())
    assert (refused.value.reason, refused.value.retry_after_s) == (ACCOUNT_RATE, 1)
    counting.acquire(function_version(), is_event=True).release()
    await asyncio.sleep(0.001)  # until the loop has called what was due
    counting.acquire(function_version()).release()

    arn = function_version("own").function_arn
    counting.configure(ACCOUNT, REGION, 1000, {arn: 1})
    for _ in range(10):
        counting.acquire(function_version("own")).release()
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version("own"))
    assert refused.value.reason == FUNCTION_RATE
    counting.acquire(function_version("another")).release()
    await asyncio.sleep(0.001)  # until the loop has called what was due
    counting.configure(ACCOUNT, REGION, 1000, {arn: 0})
    with pytest.raises(TooManyRequests) as refused:
        counting.acquire(function_version("own"))
    assert refused.value.reason == FUNCTION_RESERVED


NAMES = st.sampled_from("abcd")


class CountingMachine(RuleBasedStateMachine):
    """Compares with the plainest model: what runs, per function, and the rules as AWS states them."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = Counting()
        self.limit = 5
        self.reserved: dict[str, int] = {}
        self.running: Counter[str] = Counter()
        self.slots: list[tuple[str, Counted]] = []
        self.configure({}, 5)

    @rule(reserved=st.dictionaries(NAMES, st.integers(0, 3)), limit=st.integers(0, 8))
    def configure(self, reserved: dict[str, int], limit: int) -> None:
        self.limit, self.reserved = limit, reserved
        arns = {function_version(name).function_arn: count for name, count in reserved.items()}
        self.counting.configure(ACCOUNT, REGION, limit, arns)

    @rule(name=NAMES)
    def acquire(self, name: str) -> None:
        shared = sum(count for other, count in self.running.items() if other not in self.reserved)
        if name in self.reserved:
            expected = None if self.running[name] < self.reserved[name] else FUNCTION_RESERVED
        else:
            expected = None if shared < max(0, self.limit - sum(self.reserved.values())) else ACCOUNT_LIMIT
        if expected is not None:
            with pytest.raises(TooManyRequests) as refused:
                self.counting.acquire(function_version(name))
            assert refused.value.reason == expected
        else:
            self.slots.append((name, self.counting.acquire(function_version(name))))
            self.running[name] += 1

    @precondition(lambda self: self.slots)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name, slot = self.slots.pop(data.draw(st.integers(0, len(self.slots) - 1)))
        slot.release()
        self.running[name] -= 1

    @invariant()
    def counts_are_right(self) -> None:
        assert self.counting.running(ACCOUNT, REGION) == self.running.total()
        for name in "abcd":
            assert self.counting.running(ACCOUNT, REGION, name) == self.running[name]


TestCountingMachine = CountingMachine.TestCase
TestCountingMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
