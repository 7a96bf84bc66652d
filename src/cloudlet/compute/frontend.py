"""The front end: where an invocation enters the engine. Counts it, finds it an environment, waits for its result."""

import asyncio
from collections.abc import Collection
from functools import partial

from cloudlet.clock import Clock
from cloudlet.compute import lineage
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.counting import Counted, Counting
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult, SandboxFailure, TooManyRequests
from cloudlet.compute.meter import Measured, Meter, NoMeter, Outcome
from cloudlet.compute.worker import Worker
from cloudlet.compute.worker_manager import WorkerManager
from cloudlet.ids import Ids


class FrontEnd:
    """Runs functions."""

    def __init__(
        self,
        counting: Counting,
        manager: WorkerManager,
        workers: Collection[Worker],
        clock: Clock,
        ids: Ids,
        meter: Meter | None = None,
    ) -> None:
        self.counting = counting
        self._meter = meter or NoMeter()
        self._manager = manager
        self._workers = workers
        self._clock = clock
        self._ids = ids
        self._running = 0
        self._is_draining = False
        self._all_done = asyncio.Event()

    async def start(self) -> None:
        """Be ready to run functions. Raises SandboxFailure when this machine cannot isolate as configured."""
        for worker in self._workers:
            await worker.start()
        await self._manager.start()

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> InvocationResult:
        """Run one invocation, synchronously. An error of the function is a result.

        A caller that is cancelled while an environment is still looked for takes the invocation back; later it runs on.

        Raises TooManyRequests, RuntimeMissing, SandboxFailure.
        """
        if self._is_draining:
            raise SandboxFailure("The node is stopping.")
        try:
            slot = self.counting.acquire(function, is_event=invocation.is_event)
        except TooManyRequests:
            self._meter.throttled(function, invocation)
            raise
        measured = self._meter.begin(function, invocation, slot)
        self._running += 1
        if not invocation.trace_id:
            invocation.trace_id, _ = lineage.entered(self._trace_id(), function.function_arn)
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        active = ActiveInvocation(invocation, future, partial(self._ended, slot, measured))
        self._manager.submit(function, active)
        try:
            return await future
        except asyncio.CancelledError:
            if self._manager.forget(function, active):
                active.abandon()
            raise

    async def prepare(self, function: FunctionVersion) -> None:
        """Make the first launch of `function` a fast one; with SnapStart, take its snapshot. Raises ComputeError."""
        for worker in self._workers:
            await worker.prepare(function, self._manager.reserve)

    def prewarm(self, function: FunctionVersion, count: int = 1) -> None:
        """Start environments ahead of their first invocation. A failure shows in the function's log only."""
        if not self._is_draining:
            self._manager.prewarm(function, count)

    def retire(self, function_arn: str, keep: Collection[str] = ()) -> None:
        """The function's code or configuration changed, or it is gone.

        Environments with other ids than those of `keep` take no invocation any more and end when they are done.
        """
        self._manager.retire(function_arn, keep)
        for worker in self._workers:
            worker.retire(function_arn, keep)

    async def drain(self, timeout_s: float) -> None:
        """Take no new invocation, let those that run finish for at most `timeout_s`, then end everything."""
        self._is_draining = True
        if self._running:
            self._all_done.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._all_done.wait()
            except TimeoutError:
                pass
        await self._manager.close()
        for worker in self._workers:
            await worker.close()

    @property
    def running(self) -> int:
        """How many invocations run or wait for an environment."""
        return self._running

    def _ended(self, slot: Counted, measured: Measured, outcome: Outcome) -> None:
        slot.release()
        measured.end(outcome)
        self._running -= 1
        if self._is_draining and not self._running:
            self._all_done.set()

    def _trace_id(self) -> str:
        """The X-Ray header of an invocation that came without one; not sampled.

        https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
        """
        random = self._ids.hex(40)
        return f"Root=1-{int(self._clock.wall()):08x}-{random[:24]};Parent={random[24:]};Sampled=0"
