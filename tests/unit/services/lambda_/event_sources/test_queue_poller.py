"""A poller over a queue of a few lines, and a function that does what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
import pytest

from cloudlet.clock import PlatformClock
from cloudlet.compute.function import Invocation, InvocationResult, TooManyRequests
from cloudlet.errors import AccessDenied
from cloudlet.ids import Ids
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.event_sources.mapping import ENABLED
from cloudlet.services.lambda_.event_sources.mapping import Mapping as EventSource
from cloudlet.services.lambda_.event_sources.queue_poller import FAILED, OK, QueuePoller

ARN = "arn:aws:sqs:us-east-1:111111111111:q"


class Queue:
    """Hands out what it has once; says what was deleted. It knows no visibility timeout."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.deleted: list[str] = []
        self.error: Exception | None = None
        self.changed = asyncio.Event()
        self.polls = 0

    def put(self, *bodies: str) -> None:
        self.bodies += bodies
        self.changed.set()

    async def call(self, operation: str, params: Mapping[str, Any]) -> Any:
        if self.error is not None:
            raise self.error
        if operation == "GetQueueAttributes":
            return {"Attributes": {"VisibilityTimeout": "30"}}
        if operation == "DeleteMessageBatch":
            self.deleted += [entry["ReceiptHandle"] for entry in params["Entries"]]
            return {}
        assert operation == "ReceiveMessage"
        assert 0 <= params["WaitTimeSeconds"] <= 20
        self.polls += 1
        while not self.bodies and params["WaitTimeSeconds"]:
            self.changed.clear()
            await self.changed.wait()
        taken, self.bodies = self.bodies[: params["MaxNumberOfMessages"]], self.bodies[params["MaxNumberOfMessages"] :]
        return {"Messages": [{"MessageId": b, "ReceiptHandle": b, "Body": b, "MD5OfBody": ""} for b in taken]}


class World:
    """One mapping."""

    def __init__(self, clock: PlatformClock) -> None:
        self.clock = clock
        self.queue = Queue()
        self.batches: list[list[str]] = []
        self.results: asyncio.Queue[str] = asyncio.Queue()
        self.answer: Callable[[list[str]], Awaitable[InvocationResult]] = self._done
        self.task: asyncio.Task[None] | None = None

    async def _done(self, _bodies: list[str]) -> InvocationResult:
        return InvocationResult(b"null")

    async def _invoke(self, invocation: Invocation) -> InvocationResult:
        bodies = [record["body"] for record in orjson.loads(invocation.payload)["Records"]]
        self.batches.append(bodies)
        return await self.answer(bodies)

    def start(self, arn: str = ARN, **settings: Any) -> QueuePoller:
        mapping = EventSource(
            "111111111111", "us-east-1", "uuid", "fn", "", arn, ENABLED, 1, orjson.dumps(settings).decode(), "{}", "", 0
        )
        self.poller = QueuePoller(mapping, self.clock, Ids(), self.queue.call, self._invoke, self.results.put_nowait)
        self.task = asyncio.create_task(self.poller.run())
        return self.poller

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(PlatformClock())
    yield made
    made.poller.abandon()
    await made.stop()


async def test_what_is_done_is_deleted(world: World) -> None:
    world.queue.put("a", "b")
    world.start()
    assert await world.results.get() == OK
    assert world.batches == [["a", "b"]]
    assert world.queue.deleted == ["a", "b"]


async def test_what_fails_is_not(world: World) -> None:
    async def fail(_bodies: list[str]) -> InvocationResult:
        return InvocationResult(b"{}", "Unhandled")

    world.answer = fail
    world.queue.put("a")
    world.start()
    assert await world.results.get() == FAILED
    assert world.queue.deleted == []


async def test_only_what_the_function_says_has_failed_stays(world: World) -> None:
    async def partly(_bodies: list[str]) -> InvocationResult:
        return InvocationResult(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}')

    world.answer = partly
    world.queue.put("a", "b", "c")
    world.start(FunctionResponseTypes=["ReportBatchItemFailures"])
    assert await world.results.get() == FAILED
    assert world.queue.deleted == ["a", "c"]


async def test_what_it_says_counts_for_nothing_where_nobody_asked(world: World) -> None:
    async def partly(_bodies: list[str]) -> InvocationResult:
        return InvocationResult(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}')

    world.answer = partly
    world.queue.put("a", "b")
    world.start()
    assert await world.results.get() == OK
    assert world.queue.deleted == ["a", "b"]


async def test_a_filter_takes_away_what_is_not_wanted(world: World) -> None:
    world.queue.put('{"a": 1}', '{"a": 2}', "text")
    world.start(FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [2]}}'}]})
    assert await world.results.get() == OK
    assert world.batches == [['{"a": 2}']]
    assert sorted(world.queue.deleted) == sorted(['{"a": 1}', "text", '{"a": 2}'])


async def test_a_window_gathers(world: World) -> None:
    world.start(BatchSize=25, MaximumBatchingWindowInSeconds=5)
    world.queue.put(*[str(number) for number in range(12)])
    while world.queue.polls < 3:
        await asyncio.sleep(0)
    assert world.batches == []
    world.queue.put("late")
    while world.queue.polls < 4:
        await asyncio.sleep(0)
    world.queue.put(*["x"] * 12)
    assert await world.results.get() == OK
    [batch] = world.batches
    assert len(batch) == 25
    assert len(world.queue.deleted) == 25


async def test_a_window_may_be_longer_than_any_receive(world: World) -> None:
    world.start(BatchSize=25, MaximumBatchingWindowInSeconds=300)
    world.queue.put(*[str(number) for number in range(12)])
    while world.queue.polls < 3:
        await asyncio.sleep(0)
    assert world.batches == []
    world.queue.put(*["x"] * 13)
    assert await world.results.get() == OK
    assert [len(batch) for batch in world.batches] == [25]


async def test_what_nobody_thought_of_ends_no_poller(world: World) -> None:
    world.queue.error = RuntimeError("unthought of")
    world.start()
    assert await world.results.get() == "PROBLEM: Internal error"
    world.queue.error = None
    world.queue.put("a")
    await world.clock.advance(60)
    while (result := await world.results.get()) != OK:
        assert result == "PROBLEM: Internal error"
    assert world.batches == [["a"]]


@pytest.mark.parametrize(("arn", "invoked"), [(ARN, 3), (f"{ARN}.fifo", 1)])
async def test_a_batch_too_large_for_one_event_keeps_the_order_of_a_fifo_queue(
    world: World, monkeypatch: pytest.MonkeyPatch, arn: str, invoked: int
) -> None:
    async def fail(_bodies: list[str]) -> InvocationResult:
        return InvocationResult(b"{}", "Unhandled")

    monkeypatch.setattr(limits, "SYNCHRONOUS_PAYLOAD_BYTES", 500)
    world.answer = fail
    world.queue.put(*[letter * 300 for letter in "abc"])
    world.start(arn)
    assert await world.results.get() == FAILED
    assert [batch[0][0] for batch in world.batches] == ["a", "b", "c"][:invoked]


async def test_no_more_batches_at_once_than_allowed(world: World) -> None:
    release = asyncio.Event()

    async def wait(_bodies: list[str]) -> InvocationResult:
        await release.wait()
        return InvocationResult(b"null")

    world.answer = wait
    world.queue.put(*[str(number) for number in range(6)])
    world.start(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    while len(world.batches) < 2:
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(world.batches) == 2
    release.set()
    for _ in range(6):
        assert await world.results.get() == OK
    assert len(world.batches) == 6


async def test_a_throttled_batch_is_tried_again_while_its_messages_are_invisible(world: World) -> None:
    left = [TooManyRequests("ConcurrentInvocationLimitExceeded"), TooManyRequests("ConcurrentInvocationLimitExceeded")]

    async def throttled(_bodies: list[str]) -> InvocationResult:
        if left:
            raise left.pop()
        return InvocationResult(b"null")

    world.answer = throttled
    world.queue.put("a")
    world.start()
    assert await world.results.get() == OK
    assert world.batches == [["a"]] * 3


async def test_a_queue_that_cannot_be_read_is_tried_again(world: World) -> None:
    world.queue.error = AccessDenied("no")
    world.start()
    assert await world.results.get() == "PROBLEM: no"
    world.queue.error = None
    world.queue.put("a")
    await world.clock.advance(120)
    assert await world.results.get() == OK


async def test_who_is_stopped_receives_no_more_and_ends_what_it_has(world: World) -> None:
    release = asyncio.Event()

    async def wait(_bodies: list[str]) -> InvocationResult:
        await release.wait()
        return InvocationResult(b"null")

    world.answer = wait
    world.queue.put("a")
    world.start()
    while not world.batches:
        await asyncio.sleep(0)
    assert world.task is not None
    world.task.cancel()
    world.queue.put("b")
    release.set()
    await asyncio.wait([world.task])
    assert world.queue.deleted == ["a"]
    assert world.queue.bodies == ["b"]


async def test_what_a_stopped_window_has_gathered_is_worked_on(world: World) -> None:
    world.start(BatchSize=25, MaximumBatchingWindowInSeconds=300)
    world.queue.put("a")
    while world.queue.polls < 2:
        await asyncio.sleep(0)
    await world.stop()
    assert world.batches == [["a"]]
    assert world.queue.deleted == ["a"]
