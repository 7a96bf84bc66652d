"""Reads a queue with the function's role, and invokes the function with what it finds.

A message is deleted when the function has done it; else it comes back when the queue's visibility timeout is over, and
the queue's own redrive policy says when that is enough. So nothing is kept here, and a node that dies loses nothing.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.clock import Clock
from cloudlet.compute.function import Invocation, InvocationResult, TooManyRequests
from cloudlet.delivery.backoff import Backoff
from cloudlet.errors import CloudletError
from cloudlet.ids import Ids
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.event_sources import batch_failures, filters, growth, queue_records
from cloudlet.services.lambda_.event_sources.growth import Growth
from cloudlet.services.lambda_.event_sources.mapping import Mapping as EventSource
from cloudlet.services.lambda_.event_sources.queue_records import Record
from cloudlet.services.lambda_.event_sources.settings import QUEUE_BATCH

logger = logging.getLogger(__name__)

OK = "OK"
FAILED = "PROBLEM: Function call failed"
POLL_S = 20
"""No receive waits longer."""
AT_ONCE = 10
"""Messages of one receive, and of one deletion."""
AGAIN = Backoff(first_s=1.0, maximum_s=60.0)
"""After a receive that failed: the queue is gone, or the role may not read it."""
THROTTLED = Backoff(first_s=0.1, maximum_s=30.0)

Call = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Calls an operation of SQS for the mapping, as its function's role. Raises CloudletError."""
Invoke = Callable[[Invocation], Awaitable[InvocationResult]]
"""Runs the mapping's function. Raises ComputeError, ServiceError."""


@dataclass(slots=True)
class _Batch:
    records: list[Record]
    received: float


class QueuePoller:
    """One mapping at work on this node."""

    def __init__(
        self,
        mapping: EventSource,
        clock: Clock,
        ids: Ids,
        call: Call,
        invoke: Invoke,
        report: Callable[[str], None],
    ) -> None:
        """`report` is told how batches end: `OK`, or what the problem is."""
        self._mapping = mapping
        self._clock = clock
        self._ids = ids
        self._call = call
        self._invoke = invoke
        self._report = report
        source = mapping.source
        self._source = source
        self._url = f"https://sqs.{source.region}.amazonaws.com/{source.account}/{source.resource}"
        self._batch_size: int = mapping.setting("BatchSize") or QUEUE_BATCH
        self._window_s: int = mapping.setting("MaximumBatchingWindowInSeconds") or 0
        self._reports_failures = "ReportBatchItemFailures" in (mapping.setting("FunctionResponseTypes") or ())
        self._filters = filters.Matcher(mapping.setting("FilterCriteria"))
        self._is_fifo = source.resource.endswith(".fifo")
        self._growth = _growth(mapping, clock)
        self._batches: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Poll. Cancelled, it receives no more, and ends when what it has is done; cancelled again, it ends."""
        failures = 0
        try:
            while True:
                try:
                    await self._room()
                    batch = await self._collect()
                    failures = 0
                except Exception as error:  # a poller outlives whatever it meets: nobody begins another one
                    failures += 1
                    self._report(self._problem(error))
                    await self._clock.sleep(AGAIN.delay_s(failures, self._ids.fraction()))
                    continue
                if batch.records:
                    self._begin(batch)
        finally:
            if self._batches:
                await asyncio.wait(self._batches)

    def _problem(self, error: Exception) -> str:
        """What is to be seen of an error, in the mapping and in the log."""
        if isinstance(error, CloudletError):
            logger.info("%s cannot be polled: %s", self._mapping.arn, error)
            return f"PROBLEM: {error}"
        logger.error("polling for %s failed", self._mapping.arn, exc_info=error)
        return "PROBLEM: Internal error"

    def abandon(self) -> None:
        """Let what is under way be: its messages come back."""
        for task in self._batches:
            task.cancel()

    async def settled(self) -> None:
        """Wait for the batches that are under way now."""
        if self._batches:
            await asyncio.wait(tuple(self._batches))

    async def _room(self) -> None:
        """Wait until another batch may be begun."""
        while self._growth.is_full:
            self._growth.saturated()
            self._ended.clear()
            try:
                async with asyncio.timeout(1.0 / growth.MORE_PER_S):
                    await self._ended.wait()
            except TimeoutError:
                continue  # the limit may have grown meanwhile

    def _begin(self, batch: _Batch) -> None:
        self._growth.running += 1
        task = asyncio.create_task(self._work(batch), name=f"batch of {self._mapping.uuid}")
        self._batches.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._growth.running -= 1
        self._ended.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a batch of %s failed", self._mapping.arn, exc_info=error)
            self._report(FAILED)

    # -- receiving

    async def _collect(self) -> _Batch:
        """The next batch: what one receive gives, or with a window what comes until it is full or over."""
        batch = _Batch([], 0.0)
        try:
            await self._fill(batch)
        except BaseException:
            if batch.records:
                self._begin(batch)  # nobody else knows that these were received
            raise
        return batch

    async def _fill(self, batch: _Batch) -> None:
        size = 0
        until: float | None = None
        while len(batch.records) < self._batch_size and size < limits.SYNCHRONOUS_PAYLOAD_BYTES:
            left_s = POLL_S if until is None else max(0.0, until - self._clock.now())
            wait_s = min(POLL_S, int(left_s))
            found = await self._receive(min(AT_ONCE, self._batch_size - len(batch.records)), wait_s)
            now = self._clock.now()
            if found and until is None:
                batch.received, until = now, now + self._window_s
            batch.records += found
            size += sum(len(each["body"]) for each in found)
            if until is None or now >= until:
                break
            if not found and wait_s == 0:
                await self._clock.sleep_until(until)

    async def _receive(self, most: int, wait_s: int) -> list[Record]:
        answer = await self._call(
            "ReceiveMessage",
            {
                "QueueUrl": self._url,
                "MaxNumberOfMessages": most,
                "WaitTimeSeconds": wait_s,
                "AttributeNames": ["All"],
                "MessageAttributeNames": ["All"],
            },
        )
        messages = answer.get("Messages") or ()
        if not messages and wait_s:
            self._growth.starved()
        records = [queue_records.record(message, self._source, is_windowed=self._window_s > 0) for message in messages]
        wanted = await self._filters.chosen(records)
        if len(wanted) < len(records):
            kept = {each["messageId"] for each in wanted}
            await self._delete([each for each in records if each["messageId"] not in kept])
        return wanted

    # -- what is done with a batch

    async def _work(self, batch: _Batch) -> None:
        problem = ""
        for event, records in queue_records.events(batch.records):
            problem = await self._run(event, records, batch.received) or problem
            if problem and self._is_fifo:
                break  # what comes after a message that comes back waits for it
        self._report(problem or OK)

    async def _run(self, event: bytes, records: Sequence[Record], received: float) -> str:
        """Invoke the function once, and delete what it has done; what the problem was, if there was one."""
        trace = next((found for each in records if (found := each["attributes"].get("AWSTraceHeader"))), "")
        try:
            result = await self._invoked(event, trace, received)
        except CloudletError as error:
            logger.info("the function of %s could not be called: %s", self._mapping.arn, error)
            return FAILED
        if result.function_error:
            return FAILED
        failed: set[str] = set()
        if self._reports_failures:
            failed = batch_failures.failed(result.payload, [each["messageId"] for each in records])
        await self._delete([each for each in records if each["messageId"] not in failed])
        return FAILED if failed else ""

    async def _invoked(self, event: bytes, trace: str, received: float) -> InvocationResult:
        """Invoke it; when it is throttled, again and again while the messages are not about to come back."""
        attempts = 0
        while True:
            invocation = Invocation(
                request_id=self._ids.uuid(),
                payload=event,
                invoked_function_arn=self._mapping.ref.qualified_arn,
                trace_id=trace,
            )
            try:
                return await self._invoke(invocation)
            except TooManyRequests:
                attempts += 1
                self._growth.throttled()
                delay_s = THROTTLED.delay_s(attempts, self._ids.fraction())
                if self._clock.now() + delay_s > received + await self._patience_s():
                    raise
                await self._clock.sleep(delay_s)

    async def _patience_s(self) -> float:
        """How long a batch may wait for its function: half of the time for which its messages are invisible."""
        answer = await self._call(
            "GetQueueAttributes", {"QueueUrl": self._url, "AttributeNames": ["VisibilityTimeout"]}
        )
        return float(answer["Attributes"]["VisibilityTimeout"]) / 2

    async def _delete(self, records: Sequence[Record]) -> None:
        for begin in range(0, len(records), AT_ONCE):
            part = records[begin : begin + AT_ONCE]
            entries = [{"Id": str(index), "ReceiptHandle": each["receiptHandle"]} for index, each in enumerate(part)]
            answer = await self._call("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})
            for failure in answer.get("Failed", ()):
                logger.info("a message of %s could not be deleted: %s", self._source, failure["Message"])


def _growth(mapping: EventSource, clock: Clock) -> Growth:
    """How many batches at once the mapping's settings allow."""
    if pollers := mapping.setting("ProvisionedPollerConfig"):
        least, most = (pollers[name] * growth.PER_POLLER for name in ("MinimumPollers", "MaximumPollers"))
        return Growth(clock, most, least)
    maximum: int = (mapping.setting("ScalingConfig") or {}).get("MaximumConcurrency", growth.MAXIMUM)
    return Growth(clock, maximum)
