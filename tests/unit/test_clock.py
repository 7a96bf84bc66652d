import asyncio

import pytest

from cloudlet.clock import PlatformClock, now_ms

DAY_S = 86400.0


async def test_sleepers_wake_in_order_each_at_its_moment() -> None:
    clock = PlatformClock()
    start = clock.now()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, duration_s: float) -> None:
        await clock.sleep(duration_s)
        woken.append((name, clock.now() - start))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sleeper("third", 3 * DAY_S))
        tasks.create_task(sleeper("first", DAY_S))
        tasks.create_task(sleeper("second", 2 * DAY_S))
        await asyncio.sleep(0)
        await clock.advance(30 * DAY_S)

    assert [name for name, _ in woken] == ["first", "second", "third"]
    assert [round(after / DAY_S) for _, after in woken] == [1, 2, 3]
    assert round((clock.now() - start) / DAY_S) == 30


async def test_a_loop_fires_each_period_while_time_moves() -> None:
    clock = PlatformClock()
    fired: list[float] = []

    async def every_hour() -> None:
        while True:
            await clock.sleep(3600.0)
            fired.append(clock.now())

    task = asyncio.create_task(every_hour())
    await asyncio.sleep(0)
    await clock.advance(10 * 3600.0 + 1)
    task.cancel()
    assert len(fired) == 10


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = PlatformClock()
    task = asyncio.create_task(clock.sleep(DAY_S))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await clock.advance(2 * DAY_S)
    assert task.cancelled()


async def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    clock = PlatformClock()
    await clock.sleep_until(clock.now() - 1)


async def test_a_sleep_ends_by_itself() -> None:
    await PlatformClock().sleep(0.001)


async def test_time_does_not_move_back() -> None:
    with pytest.raises(ValueError, match="back"):
        await PlatformClock().advance(-1)


def test_the_offset_moves_the_platform_and_not_the_host() -> None:
    clock = PlatformClock(offset_s=DAY_S)
    assert round(clock.now() - clock.wall()) == round(DAY_S)
    assert clock.offset_s == DAY_S
    assert now_ms(clock) // 1000 >= int(clock.wall() + DAY_S)


async def test_time_waits_for_those_who_take_part() -> None:
    clock = PlatformClock()
    start, released = clock.now(), asyncio.Event()
    did: list[tuple[str, int]] = []

    def note(what: str) -> None:
        did.append((what, round(clock.now() - start)))

    async def work() -> None:
        for delay_s in (60, 120):
            await clock.sleep(delay_s)
            busy.clear()
            note("begins")
            await released.wait()  # no sleep of the platform's clock: nothing but taking part makes time wait
            note("stored")
            asyncio.get_running_loop().call_soon(busy.set)

    busy = asyncio.Event()
    busy.set()

    async def settled() -> None:
        if not busy.is_set():
            released.set()
        await busy.wait()

    end = clock.add_participant(settled)
    task = asyncio.create_task(work())
    await clock.advance(1800)
    await task
    assert did == [("begins", 60), ("stored", 60), ("begins", 180), ("stored", 180)]
    assert round(clock.now() - start) == 1800
    end()


async def test_time_goes_on_when_somebody_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cloudlet.clock.SETTLE_LIMIT_S", 0.01)
    clock = PlatformClock()
    asked: list[float] = []

    async def never() -> None:
        asked.append(clock.now())
        await asyncio.Event().wait()

    async def failing() -> None:
        raise LookupError

    clock.add_participant(failing)
    clock.add_participant(never)
    task = asyncio.create_task(clock.sleep(60))
    await clock.advance(3600)
    await task
    assert len(asked) == 1
    assert "time goes on" in caplog.text
    assert "a participant of the clock failed" in caplog.text


async def test_who_sleeps_loosely_wakes_once_for_all_the_time_that_is_moved() -> None:
    clock = PlatformClock()
    woke: list[tuple[str, float]] = []
    start = clock.now()

    async def loosely() -> None:
        while True:
            await clock.sleep_loosely_until(clock.now() + 3600)
            woke.append(("loose", round(clock.now() - start)))

    async def strictly() -> None:
        await clock.sleep(7200)
        woke.append(("strict", round(clock.now() - start)))

    tasks = [asyncio.create_task(loosely()), asyncio.create_task(strictly())]
    await asyncio.sleep(0)
    await clock.advance(86_400)
    assert woke == [("strict", 7200), ("loose", 7200), ("loose", 86_400)]
    await clock.advance(3599)
    assert len(woke) == 3
    await clock.advance(2)
    assert woke[3:] == [("loose", 90_001)]
    for task in tasks:
        task.cancel()
