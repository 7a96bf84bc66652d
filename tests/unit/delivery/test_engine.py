import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloudlet.delivery.delivery import (
    EVENT_AGE_EXCEEDED,
    FAILED,
    RETRIES_EXHAUSTED,
    Delivery,
    Done,
    Fail,
    Outcome,
    Retry,
)
from cloudlet.delivery.engine import LEASE_S, RENEW_S, Engine
from cloudlet.store.base import Migration, Reader, Store, StoreUnavailable, Transaction
from tests.support.clock import ManualClock
from tests.unit.delivery.conftest import Crash, Running, ScriptedHandler

ACCOUNT, REGION = "111111111111", "us-east-1"


async def accept(engine: Engine, store: Store, payload: bytes = b"{}", kind: str = "work", **options: object) -> str:
    """Enqueue a piece of work in a transaction of its own."""
    return await store.transact(lambda tx: engine.enqueue(tx, kind, ACCOUNT, REGION, payload, **options))  # type: ignore[arg-type]


async def pass_time(clock: ManualClock, engine: Engine, duration_s: float) -> None:
    """Let time pass from one moment at which something is due to the next."""
    end = clock.now() + duration_s
    await engine.idle()
    while (moment := clock.next_moment()) is not None and moment <= end:
        clock.advance(moment - clock.now())
        await engine.idle()
    clock.advance(end - clock.now())
    await engine.idle()


def lease_until_ms(reader: Reader) -> int:
    """When the lease on the only row ends."""
    ((until_ms,),) = reader.query("SELECT lease_until_ms FROM delivery")
    return int(until_ms)


def crash() -> None:
    """End the engine inside `running` as a kill of the node would."""
    raise Crash


async def waiting(engine: Engine) -> int:
    """How many pieces of work there are, in flight or not."""
    return sum(status.waiting + status.in_flight for status in await engine.status())


async def test_what_is_enqueued_is_delivered_and_forgotten(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    async with running(store, handler) as engine:
        identifier = await accept(engine, store, b"payload", target="function", max_attempts=2)
        await engine.idle()
        (delivery,) = handler.delivered
        assert (delivery.id, delivery.payload, delivery.target) == (identifier, b"payload", "function")
        assert (delivery.account, delivery.region, delivery.attempt) == (ACCOUNT, REGION, 1)
        assert await waiting(engine) == 0


@pytest.mark.parametrize("size_bytes", [0, 1000, 1001, 1024 * 1024])
async def test_payloads_of_all_sizes(store: Store, running: Running, size_bytes: int) -> None:
    handler = ScriptedHandler()
    async with running(store, handler) as engine:
        await accept(engine, store, b"\0" * size_bytes)
        await engine.idle()
        assert [delivery.payload for delivery in handler.delivered] == [b"\0" * size_bytes]
    assert await store.read(lambda reader: reader.query("SELECT id FROM delivery_payload")) == []


async def test_what_is_enqueued_in_a_transaction_that_fails_is_not_delivered(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    async with running(store, handler) as engine:

        def fail(tx: Transaction) -> None:
            engine.enqueue(tx, "work", ACCOUNT, REGION, b"")
            raise LookupError

        with pytest.raises(LookupError):
            await store.transact(fail)
        await accept(engine, store, b"kept")
        await engine.idle()
        assert [delivery.payload for delivery in handler.delivered] == [b"kept"]


async def test_a_delay_is_waited_for(store: Store, running: Running, clock: ManualClock) -> None:
    handler = ScriptedHandler()
    async with running(store, handler) as engine:
        await accept(engine, store, delay_s=60)
        await pass_time(clock, engine, 59)
        assert not handler.delivered
        await pass_time(clock, engine, 1)
        assert len(handler.delivered) == 1


async def test_retry_comes_after_the_time_that_the_handler_says(
    store: Store, running: Running, clock: ManualClock
) -> None:
    handler = ScriptedHandler(Retry(after_s=60), Retry(after_s=120), Done())
    async with running(store, handler) as engine:
        await accept(engine, store)
        await pass_time(clock, engine, 59)
        assert [delivery.attempt for delivery in handler.delivered] == [1]
        await pass_time(clock, engine, 1 + 119)
        assert [delivery.attempt for delivery in handler.delivered] == [1, 2]
        await pass_time(clock, engine, 1)
        assert [delivery.attempt for delivery in handler.delivered] == [1, 2, 3]
        assert await waiting(engine) == 0


async def test_a_retry_at_once_may_be_claimed_before_the_first_attempt_has_gone(store: Store, running: Running) -> None:
    handler = ScriptedHandler(Retry(after_s=0), Retry(after_s=0), Done())
    async with running(store, handler, concurrency=4) as engine:
        await asyncio.gather(*(accept(engine, store, max_attempts=100) for _ in range(10)))
        await engine.idle()
        assert len(handler.delivered) == 12
        assert await waiting(engine) == 0


async def test_what_the_handler_raises_is_a_retry(
    store: Store, running: Running, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    handler = ScriptedHandler(LookupError("no"), Done())
    async with running(store, handler) as engine:
        await accept(engine, store)
        await pass_time(clock, engine, 2)
        assert [delivery.detail for delivery in handler.delivered] == [b"", b"no"]
        assert "the handler of work failed" in caplog.text


async def test_after_the_last_attempt_it_is_dead(store: Store, running: Running, clock: ManualClock) -> None:
    handler = ScriptedHandler(Retry(after_s=1, detail=b"one"), Retry(after_s=1, detail=b"two"))
    async with running(store, handler) as engine:
        await accept(engine, store, b"letter", max_attempts=2)
        await pass_time(clock, engine, 100)
        assert len(handler.delivered) == 2
        (letter,) = handler.buried
        assert (letter.reason, letter.attempt, letter.detail) == (RETRIES_EXHAUSTED, 2, b"two")
        assert letter.payload == b"letter"
        assert await waiting(engine) == 0


async def test_fail_makes_it_dead_at_once(store: Store, running: Running) -> None:
    handler = ScriptedHandler(Fail(b"no such function"))
    async with running(store, handler) as engine:
        await accept(engine, store)
        await engine.idle()
        assert [(letter.reason, letter.detail) for letter in handler.buried] == [(FAILED, b"no such function")]


async def test_uncounted_retries_leave_the_attempts_as_they_were(
    store: Store, running: Running, clock: ManualClock
) -> None:
    throttled = Retry(counted=False)
    handler = ScriptedHandler(throttled, throttled, throttled, Retry(after_s=1), Done())
    async with running(store, handler) as engine:
        await accept(engine, store, max_attempts=2)
        await pass_time(clock, engine, 1 + 2 + 4 + 1)
        seen = [(delivery.attempt, delivery.deferrals) for delivery in handler.delivered]
        assert seen == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 3)]


async def test_at_its_maximum_age_it_is_dead(store: Store, running: Running, clock: ManualClock) -> None:
    handler = ScriptedHandler(Retry(after_s=300, counted=False, detail=b"throttled"))
    async with running(store, handler) as engine:
        await accept(engine, store, max_age_s=1000)
        await pass_time(clock, engine, 999)
        assert len(handler.delivered) == 4
        assert not handler.buried
        await pass_time(clock, engine, 1)
        assert len(handler.delivered) == 4
        assert [(letter.reason, letter.attempt) for letter in handler.buried] == [(EVENT_AGE_EXCEEDED, 0)]


async def test_a_dead_letter_that_cannot_be_taken_is_tried_again_and_kept_at_last(
    store: Store, running: Running, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    handler = ScriptedHandler(Fail())
    handler.dead_outcomes = [Retry(after_s=60)]
    async with running(store, handler) as engine:
        await accept(engine, store)
        await pass_time(clock, engine, 8 * 60)
        assert len(handler.buried) == 9
        assert (await engine.status())[0].dead == 1
        await pass_time(clock, engine, 3600)
        assert len(handler.buried) == 10
        assert await waiting(engine) == 0
        assert "is dead and kept" in caplog.text
        [kept] = await engine.by_hand.list("dead")
        assert (kept.reason, kept.attempts) == (FAILED, 1)


async def test_done_may_change_more_in_the_transaction_that_forgets_it(store: Store, running: Running) -> None:
    await store.migrate("test", [Migration(1, ("CREATE TABLE done (name TEXT PRIMARY KEY)",))])

    def also(tx: Transaction) -> None:
        tx.execute("INSERT INTO done (name) VALUES ('a')")

    handler = ScriptedHandler(Done(also))
    async with running(store, handler) as engine:
        await accept(engine, store)
        await engine.idle()
        assert await store.read(lambda reader: reader.query("SELECT name FROM done")) == [("a",)]
        assert await waiting(engine) == 0


async def test_a_kind_is_worked_on_up_to_its_limit(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(store, handler, concurrency=5, target_concurrency=2) as engine:

        def fill(tx: Transaction) -> None:
            for number in range(40):
                engine.enqueue(tx, "work", ACCOUNT, REGION, b"", target=f"target-{number % 4}")

        await store.transact(fill)
        handler.gate.set()
        await engine.idle()
        assert len(handler.delivered) == 40
        assert handler.running_most <= 5


async def test_a_target_that_is_slow_leaves_room_for_the_others(store: Store, running: Running) -> None:
    class Slow(ScriptedHandler):
        async def deliver(self, delivery: Delivery) -> Outcome:
            if delivery.target == "slow":
                await gate.wait()
            return await super().deliver(delivery)

    gate = asyncio.Event()
    handler = Slow()
    async with running(store, handler, concurrency=8, target_concurrency=4) as engine:

        def fill(tx: Transaction) -> None:
            for _ in range(50):
                engine.enqueue(tx, "work", ACCOUNT, REGION, b"", target="slow")
            for _ in range(50):
                engine.enqueue(tx, "work", ACCOUNT, REGION, b"", target="quick")

        await store.transact(fill)
        while sum(delivery.target == "quick" for delivery in handler.delivered) < 50:
            await asyncio.sleep(0)
        assert not any(delivery.target == "slow" for delivery in handler.delivered)
        gate.set()
        await engine.idle()
        assert len(handler.delivered) == 100


async def test_what_was_in_flight_at_a_crash_is_taken_up_at_the_next_start(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(store, handler) as engine:
        await accept(engine, store, b"taken up")
        while not handler.delivered:
            await asyncio.sleep(0)
        crash()
    handler.gate = None
    async with running(store, handler) as engine:
        await engine.idle()
        assert [(delivery.payload, delivery.attempt) for delivery in handler.delivered] == [
            (b"taken up", 1),
            (b"taken up", 2),
        ]


async def test_what_was_in_flight_at_a_crash_is_taken_up_by_another_node(
    open_again: Callable[[str], Awaitable[Store]], running: Running, clock: ManualClock
) -> None:
    one = await open_again("one")
    if not one.shared:
        pytest.skip("this store is one node's")
    two = await open_again("two")
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(one, handler) as engine:
        await accept(engine, one)
        while not handler.delivered:
            await asyncio.sleep(0)
        crash()
    handler.gate = None
    async with running(two, handler) as engine:
        await pass_time(clock, engine, LEASE_S - 1)
        assert len(handler.delivered) == 1
        await pass_time(clock, engine, 1 + RENEW_S)
        while len(handler.delivered) < 2:
            await asyncio.sleep(0)


async def test_a_lease_is_kept_as_long_as_the_work_takes(
    open_again: Callable[[str], Awaitable[Store]], running: Running, clock: ManualClock
) -> None:
    one = await open_again("one")
    if not one.shared:
        pytest.skip("this store is one node's")
    two = await open_again("two")
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(one, handler) as engine, running(two, handler):
        await accept(engine, one)
        while not handler.delivered:
            await asyncio.sleep(0)
        for _ in range(10):
            clock.advance(RENEW_S)
            renewed_ms = int((clock.wall() + LEASE_S) * 1000)
            while await two.read(lease_until_ms) < renewed_ms:
                await asyncio.sleep(0)
        assert len(handler.delivered) == 1
        handler.gate.set()


async def test_stop_hands_back_what_is_not_done(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(store, handler) as engine:
        await accept(engine, store)
        while not handler.delivered:
            await asyncio.sleep(0)
    handler.gate = None
    async with running(store, handler) as engine:
        await engine.idle()
    assert [delivery.attempt for delivery in handler.delivered] == [1, 1]


async def test_stop_waits_for_what_is_under_way(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(store, handler) as engine:
        await accept(engine, store)
        while not handler.delivered:
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(handler.gate.set)
        await engine.stop(timeout_s=60)
        assert await waiting(engine) == 0


async def test_two_engines_share_the_work(
    open_again: Callable[[str], Awaitable[Store]], running: Running, request: pytest.FixtureRequest
) -> None:
    one = await open_again("one")
    if not one.shared:
        pytest.skip("this store is one node's")
    two = await open_again("two")
    handler = ScriptedHandler()
    async with running(one, handler) as first, running(two, handler) as second:
        for _ in range(20):
            await asyncio.gather(accept(first, one), accept(second, two))
        await first.idle()
        await second.idle()
        while await waiting(first):
            await asyncio.sleep(0)
    assert len(handler.delivered) == 40
    assert len({delivery.id for delivery in handler.delivered}) == 40


async def test_reset_forgets_what_is_under_way(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(store, handler) as engine:
        await accept(engine, store)
        while not handler.delivered:
            await asyncio.sleep(0)
        await store.reset()
        await engine.reset()
        await engine.idle()
        assert await waiting(engine) == 0
        handler.gate = None
        await accept(engine, store, b"next")
        await engine.idle()
        assert [delivery.payload for delivery in handler.delivered] == [b"{}", b"next"]


async def test_a_store_that_is_away_is_waited_for(
    store: Store, running: Running, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    transact = type(store).transact
    failures = 3

    async def away(self: Store, fn: Callable[[Transaction], object]) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise StoreUnavailable("away")
        return await transact(self, fn)

    async with running(store, handler) as engine:
        await accept(engine, store)
        while not handler.delivered:
            await asyncio.sleep(0)
        monkeypatch.setattr(type(store), "transact", away)
        handler.gate.set()
        while failures or await waiting(engine):
            await asyncio.sleep(0)
            clock.advance(10)
        await engine.idle()
        assert len(handler.delivered) == 1


async def test_a_kind_must_be_registered(store: Store, running: Running) -> None:
    async with running(store, ScriptedHandler()) as engine:
        with pytest.raises(ValueError, match="no handler"):
            await accept(engine, store, kind="other")
        with pytest.raises(ValueError, match="registered already"):
            engine.register("work", ScriptedHandler())


async def test_a_payload_may_have_eight_mebibytes(store: Store, running: Running) -> None:
    async with running(store, ScriptedHandler()) as engine:
        await accept(engine, store, b"x" * 8 * 1024 * 1024)
        with pytest.raises(ValueError, match="too large"):
            await accept(engine, store, b"x" * (8 * 1024 * 1024 + 1))
        await engine.idle()
