"""Which environment runs an invocation: an idle one, one that becomes free, or a new one, whichever is ready first.

Each function version has a pool. An invocation takes the idle environment that was used last (so that the others age
and can be reaped), and waits when there is none; for every one that waits a new environment is started, so a burst goes
wide. Who waits longest gets the first environment that is ready, a new one or one that was given back:

    submit --idle one--> begin
       \\--none--> waiting --new environment ready | another invocation over--> begin

No lock and no slot is held while waiting, and only launching (never an init phase or an invocation) is limited:
functions that call other functions wait for nothing that waits for them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Coroutine
from typing import Any, Final, Protocol

from cloudlet.clock import Clock
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.counting import ACCOUNT_LIMIT
from cloudlet.compute.function import ComputeError, FunctionVersion, SandboxFailure, TooManyRequests
from cloudlet.compute.host import State
from cloudlet.compute.launch_gate import LaunchGate
from cloudlet.compute.placement import Charge, NoRoom, Placement
from cloudlet.compute.pool import ManagedEnvironment, Pool, PoolKey, pool_key

LAUNCHES_AT_ONCE: Final = 16
"""More would only make each of them slower."""
PRESSURE_CHECK_S: Final = 1.0
ENDINGS_LIMIT_S: Final = 3.0
"""More than a shutdown phase ever takes; then the node does not wait for it any more."""
GRACE_S: Final = 0.02
"""An environment that has answered is given this time to come back, before another is started in its place.

A runtime asks for its next invocation some 100 microseconds after its answer; a caller who invokes again at once is
faster, and must still meet the same environment.
"""

logger = logging.getLogger(__name__)


class EnvironmentMaker(Protocol):
    """What makes environments on one worker (`worker.Worker`)."""

    async def create(self, function: FunctionVersion, owner: "WorkerManager") -> ManagedEnvironment:
        """A new environment, not yet initialised. Raises ComputeError."""


class WorkerManager:
    """Tracks the environments of all functions on this node."""

    def __init__(
        self,
        placement: Placement[EnvironmentMaker],
        clock: Clock,
        idle_timeout_s: float,
        freeze_after_s: float | None = None,
    ) -> None:
        """`freeze_after_s`: stop environments that have been idle for so long (None: never)."""
        self._placement = placement
        self._clock = clock
        self._idle_timeout_s = idle_timeout_s
        self._freeze_after_s = freeze_after_s
        self._pools: dict[PoolKey, Pool] = {}
        self._pool_of: dict[ManagedEnvironment, Pool] = {}
        self._charges: dict[ManagedEnvironment, Charge[EnvironmentMaker]] = {}
        self._idle: dict[ManagedEnvironment, None] = {}
        """All idle environments, the least recently used first."""
        self._gate = LaunchGate(LAUNCHES_AT_ONCE)
        self._launching: set[ManagedEnvironment] = set()
        self._starting = 0
        self._for_room: deque[asyncio.Future[None]] = deque()
        self._some_idle = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        """Environments whose extensions are told of the end."""
        self._is_closed = False

    # -- what the front end asks for

    def submit(self, function: FunctionVersion, active: ActiveInvocation) -> None:
        """Run an invocation as soon as an environment is ready for it."""
        pool = self._pools.get(pool_key(function))
        if pool is None:
            pool = self._pool(function)
        idle = pool.idle
        if idle:
            now = self._clock.now()
            while idle:
                environment = idle.pop()
                del self._idle[environment]
                if environment.is_usable(now):
                    environment.begin(active)
                    return
                self._discard(environment)
        pool.waiting.append(active)
        self._want(pool)

    def forget(self, function: FunctionVersion, active: ActiveInvocation) -> bool:
        """Take back an invocation that still waits. False when it runs or is over: then it goes on."""
        pool = self._pools.get(pool_key(function))
        if pool is None or active not in pool.waiting:
            return False
        pool.waiting.remove(active)
        self._drop_if_empty(pool)
        return True

    def prewarm(self, function: FunctionVersion, count: int) -> None:
        """Start `count` environments ahead of invocations."""
        pool = self._pool(function)
        pool.prewarming += count
        self._want(pool)

    def retire(self, function_arn: str, keep: Collection[str]) -> None:
        """Let no environment of this function serve another invocation but those of the environment ids in `keep`.

        Idle ones end now, busy ones with their invocation; who waits already is still served.
        """
        for pool in list(self._pools.values()):
            if pool.function.environment_id not in keep and pool.function.function_arn == function_arn:
                pool.is_retired = True
                pool.prewarming = 0
                while pool.idle:
                    self._end_idle(pool.idle[-1])
                self._drop_if_empty(pool)

    async def start(self) -> None:
        """Begin to reap."""
        self._spawn(self._reap_by_age(), "compute reaper")
        self._spawn(self._watch_idle(), "compute memory")

    async def close(self) -> None:
        """Kill everything. Invocations that run or wait fail."""
        self._is_closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pool in list(self._pools.values()):
            if pool.grace is not None:
                pool.grace.cancel()
            while pool.waiting:
                pool.waiting.popleft().fail(SandboxFailure("The node is stopping."))
            for environment in list(pool.environments):
                self._discard(environment)
        self._pools.clear()
        self._idle.clear()
        if self._endings:
            _, late = await asyncio.wait(self._endings, timeout=ENDINGS_LIMIT_S)
            for task in late:
                task.cancel()

    @property
    def environments(self) -> int:
        """How many environments have started, idle and busy."""
        return len(self._pool_of)

    @property
    def idle(self) -> int:
        """How many of them wait for an invocation."""
        return len(self._idle)

    # -- what environments tell (EnvironmentOwner)

    def environment_launched(self, environment: ManagedEnvironment) -> None:
        """The launcher is free for another one."""
        if environment in self._launching:
            self._launching.discard(environment)
            self._gate.leave()

    def environment_answered(self, environment: ManagedEnvironment) -> None:
        """Its invocation is over, and it will wait for the next in a moment."""
        self._pool_of[environment].finishing.add(environment)

    def environment_idle(self, environment: ManagedEnvironment) -> None:
        """It waits for an invocation; who is next?"""
        pool = self._pool_of[environment]
        pool.finishing.discard(environment)
        charge = self._charges[environment]
        if environment.peak_bytes > charge.bytes:
            charge.settle(environment.peak_bytes)
        if environment.is_usable(self._clock.now()):
            self._offer(pool, environment)
        else:
            self._discard(environment)
            self._want(pool)

    def environment_dead(self, environment: ManagedEnvironment) -> None:
        """It is of no use any more."""
        pool = self._pool_of.get(environment)
        if environment in self._idle:
            self._end_idle(environment)
        else:
            self._discard(environment)
        if pool is not None:
            self._want(pool)

    # -- starting

    def _pool(self, function: FunctionVersion) -> Pool:
        key = pool_key(function)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(function)
        return pool

    def _want(self, pool: Pool) -> None:
        """See to it that enough environments of `pool` start."""
        while pool.wanted > 0 and not self._is_closed:
            pool.starting += 1
            self._starting += 1
            self._spawn(self._bring_up(pool), f"start {pool.function.name}")
        if pool.finishing and pool.grace is None and len(pool.waiting) > pool.starting:
            pool.grace = asyncio.get_running_loop().call_later(GRACE_S, self._grace_over, pool)
        self._drop_if_empty(pool)

    def _grace_over(self, pool: Pool) -> None:
        """Wait no longer for those that had answered."""
        pool.grace = None
        pool.finishing.clear()
        self._want(pool)

    async def _bring_up(self, pool: Pool) -> None:
        """Start one environment for `pool`, and give it to who waits longest."""
        environment: ManagedEnvironment | None = None
        try:
            charge = await self._room(pool)
            try:
                environment = await charge.worker.maker.create(pool.function, self)
            except BaseException:
                charge.release()
                raise
            self._charges[environment] = charge
            await self._launch(pool, environment)
        except Exception as error:
            self._start_over(pool)
            if not isinstance(error, ComputeError):
                logger.exception("an environment of %s could not be started", pool.function.function_arn)
                error = SandboxFailure("The execution environment could not be started.")
            if pool.waiting:
                pool.waiting.popleft().fail(error)
            else:
                pool.prewarming = max(0, pool.prewarming - 1)
        except asyncio.CancelledError:
            self._start_over(pool)
            if environment is not None:
                self._discard(environment)
            raise
        else:
            self._start_over(pool)
            if environment.state in (State.READY, State.FAILED):
                self._started(pool, environment)
                return
        if environment is not None:
            self._discard(environment)
        self._want(pool)

    async def _launch(self, pool: Pool, environment: ManagedEnvironment) -> None:
        """The init phase, once it is this pool's turn; nothing, when by then nobody needs it any more."""
        await self._gate.enter(pool)
        self._launching.add(environment)
        try:
            if pool.wanted >= 0:
                await environment.initialize()
        finally:
            self.environment_launched(environment)

    async def _room(self, pool: Pool) -> Charge[EnvironmentMaker]:
        """Room for another environment: reap idle ones, wait for those that start (they settle soon), or refuse."""
        while True:
            try:
                return self._placement.place(pool.function, self._clock.now())
            except NoRoom:
                oldest = next(iter(self._idle), None)
                if oldest is not None:
                    self._end_idle(oldest)
                    continue
                if self._starting <= len(self._for_room) + 1:
                    raise TooManyRequests(ACCOUNT_LIMIT) from None
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._for_room.append(turn)
            await turn

    def _start_over(self, pool: Pool) -> None:
        """One start less is under way, whatever came of it."""
        pool.starting -= 1
        self._starting -= 1
        self._wake_for_room()

    def _started(self, pool: Pool, environment: ManagedEnvironment) -> None:
        self._charges[environment].settle(environment.peak_bytes)
        self._pool_of[environment] = pool
        pool.environments.add(environment)
        if not pool.waiting:
            pool.prewarming = max(0, pool.prewarming - 1)
        self._offer(pool, environment, is_new=True)
        self._want(pool)

    # -- giving, keeping and ending

    def _offer(self, pool: Pool, environment: ManagedEnvironment, is_new: bool = False) -> None:
        """Give an environment to who waits longest, or keep it for later: a new one is the least recently used."""
        if pool.waiting:
            environment.begin(pool.waiting.popleft())
        elif pool.is_retired or not (environment.state is State.READY or environment.is_reset):
            self._discard(environment)
            self._drop_if_empty(pool)
        else:
            environment.idle_since = self._clock.now()
            pool.idle.insert(0 if is_new else len(pool.idle), environment)
            self._idle[environment] = None
            if not self._some_idle.is_set():
                self._some_idle.set()
            if self._for_room:
                self._wake_for_room()

    def _end_idle(self, environment: ManagedEnvironment) -> None:
        """End an environment that waits for an invocation."""
        del self._idle[environment]
        pool = self._pool_of[environment]
        pool.idle.remove(environment)
        self._discard(environment)
        self._drop_if_empty(pool)

    def _discard(self, environment: ManagedEnvironment) -> None:
        """End an environment that is not among the idle ones."""
        pool = self._pool_of.pop(environment, None)
        if pool is not None:
            pool.environments.discard(environment)
            pool.finishing.discard(environment)
        charge = self._charges.pop(environment, None)
        ending = environment.shut_down()
        if ending is None:
            if charge is not None:
                charge.release()
            self._wake_for_room()
            return

        def ended(task: asyncio.Task[None]) -> None:
            self._endings.discard(task)
            environment.close()
            if charge is not None:
                charge.release()
            self._wake_for_room()

        task = asyncio.create_task(ending, name="environment shutdown")
        self._endings.add(task)
        task.add_done_callback(ended)

    def _wake_for_room(self) -> None:
        """Memory may have become free: the first who waits for it looks again."""
        while self._for_room:
            turn = self._for_room.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _drop_if_empty(self, pool: Pool) -> None:
        if pool.is_empty:
            self._pools.pop(pool_key(pool.function), None)

    async def _reap_by_age(self) -> None:
        while True:
            await self._some_idle.wait()
            oldest = next(iter(self._idle), None)
            if oldest is None:
                self._some_idle.clear()
                continue
            due = oldest.idle_since + self._idle_timeout_s
            await self._clock.sleep_until(due)
            now = self._clock.now()
            while (oldest := next(iter(self._idle), None)) and oldest.idle_since + self._idle_timeout_s <= now:
                self._end_idle(oldest)

    async def _watch_idle(self) -> None:
        """Reap under memory pressure, least recently used first; freeze who is idle for long."""
        while True:
            await self._some_idle.wait()
            # The machine's memory is real, and so is this wait: not by the platform's clock.
            await asyncio.sleep(PRESSURE_CHECK_S)
            while not self._placement.has_room() and (oldest := next(iter(self._idle), None)):
                self._end_idle(oldest)
            if self._freeze_after_s is not None:
                before = self._clock.now() - self._freeze_after_s
                for environment in self._idle:
                    if environment.idle_since > before:
                        break
                    environment.freeze()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
