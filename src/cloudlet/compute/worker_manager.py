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
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from typing import Any, Final

from cloudlet.clock import Clock
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.counting import ACCOUNT_LIMIT
from cloudlet.compute.endings import Endings
from cloudlet.compute.environment_launches import EnvironmentLaunches, EnvironmentMaker
from cloudlet.compute.function import ComputeError, FunctionVersion, SandboxFailure, TooManyRequests
from cloudlet.compute.host import State
from cloudlet.compute.placement import Charge, Placement
from cloudlet.compute.pool import ManagedEnvironment, Pool, PoolKey, pool_key
from cloudlet.compute.provisioning import INITIALIZATION_TYPE, InitFailed
from cloudlet.compute.reaping import Reaper
from cloudlet.compute.room import Room
from cloudlet.compute.scaling import ScalingRate

GRACE_S: Final = 0.02
"""An environment that has answered is given this time to come back, before another is started in its place.

A runtime asks for its next invocation some 100 microseconds after its answer; a caller who invokes again at once is
faster, and must still meet the same environment.
"""

logger = logging.getLogger(__name__)


class WorkerManager:
    """Tracks the environments of all functions on this node."""

    def __init__(
        self,
        placement: Placement[EnvironmentMaker],
        clock: Clock,
        idle_timeout_s: float,
        freeze_after_s: float | None = None,
        scaling_rate: int = 0,
    ) -> None:
        """`freeze_after_s`: stop who is idle for so long. `scaling_rate`: new ones of a function in 10 s (0: any)."""
        self._clock = clock
        self._placement = placement
        self._scaling = ScalingRate(scaling_rate, clock)
        self._pools: dict[PoolKey, Pool] = {}
        self._pool_of: dict[ManagedEnvironment, Pool] = {}
        self._reaper = Reaper(clock, idle_timeout_s, freeze_after_s, placement.has_room, self._end_idle)
        self._idle = self._reaper.idle
        """All idle ones but those that are provisioned, the least recently used first."""
        self._room = Room(placement, clock, self._end_oldest)
        self._launches = EnvironmentLaunches(placement, self._room, self)
        self._charges = self._launches.charges
        self._endings = Endings(self._room.wake)
        self._tasks: set[asyncio.Task[None]] = set()
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
                self._idle.pop(environment, None)
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
        self._spawn(self._reaper.by_age(), "compute reaper")
        self._spawn(self._reaper.by_need(), "compute memory")

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
        await self._endings.close()

    @property
    def environments(self) -> int:
        """How many environments have started, idle and busy."""
        return len(self._pool_of)

    @property
    def idle(self) -> int:
        """How many of them wait for an invocation."""
        return sum(len(pool.idle) for pool in self._pools.values())

    # -- what snapshots need

    def reserve(self, function: FunctionVersion) -> Charge[EnvironmentMaker]:
        """Room for something that takes part in no waiting. Raises TooManyRequests."""
        return self._room.take_now(function)

    # -- what provisioning asks for (Starter)

    async def start_provisioned(self, function: FunctionVersion, lost: Callable[[], None]) -> ManagedEnvironment:
        """Start an environment that stays; `lost` is called when it ends. Raises InitFailed, ComputeError."""
        pool = self._pool(function)
        pool.provisioning += 1
        self._room.starting += 1
        environment: ManagedEnvironment | None = None
        try:
            provisioned = replace(function, initialization_type=INITIALIZATION_TYPE)
            environment = await self._launches.make(pool, provisioned, always=True)
            assert environment is not None
            await self._launches.launch(environment)
            if environment.state is not State.READY:
                raise InitFailed("The function's init phase failed.")
        except BaseException:
            if environment is not None:
                self._discard(environment)
            raise
        finally:
            pool.provisioning -= 1
            self._room.starting -= 1
            self._room.wake()
            self._drop_if_empty(pool)
        pool.provisioned[environment] = lost
        self._keep(pool, environment)
        return environment

    def release_provisioned(self, environment: ManagedEnvironment) -> None:
        """It need not stay: it ends, when it is idle, or else becomes one like others."""
        pool = self._pool_of.get(environment)
        if pool is not None and pool.provisioned.pop(environment, None) is not None and environment in pool.idle:
            self._end_idle(environment)

    # -- what environments tell (EnvironmentOwner)

    def environment_launched(self, environment: ManagedEnvironment) -> None:
        """The launcher is free for another one."""
        self._launches.launched(environment)

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
        if environment in self._idle or (pool is not None and pool.keeps_idle(environment)):
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
            if not self._scaling.take(pool.function.function_arn):
                self._refuse(pool)
                break
            pool.starting += 1
            self._room.starting += 1
            self._spawn(self._bring_up(pool), f"start {pool.function.name}")
        if pool.finishing and pool.grace is None and len(pool.waiting) > pool.starting:
            pool.grace = asyncio.get_running_loop().call_later(GRACE_S, self._grace_over, pool)
        self._drop_if_empty(pool)

    def _refuse(self, pool: Pool) -> None:
        """The function grows too fast: those who came last are not waited for."""
        after_s = self._scaling.retry_after_s(pool.function.function_arn)
        pool.prewarming = 0
        while pool.waiting and pool.wanted > 0:
            pool.waiting.pop().fail(TooManyRequests(ACCOUNT_LIMIT, after_s))

    def _grace_over(self, pool: Pool) -> None:
        """Wait no longer for those that had answered."""
        pool.grace = None
        pool.finishing.clear()
        self._want(pool)

    async def _bring_up(self, pool: Pool) -> None:
        """Start one environment for `pool`, and give it to who waits longest."""
        environment: ManagedEnvironment | None = None
        try:
            environment = await self._launches.make(pool, pool.function)
            if environment is not None:
                await self._launches.launch(environment)
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
            if environment is not None and environment.state in (State.READY, State.FAILED):
                self._started(pool, environment)
                return
        if environment is not None:
            self._discard(environment)
        self._want(pool)

    def _start_over(self, pool: Pool) -> None:
        """One start less is under way, whatever came of it."""
        pool.starting -= 1
        self._room.starting -= 1
        self._room.wake()

    def _started(self, pool: Pool, environment: ManagedEnvironment) -> None:
        if not pool.waiting:
            pool.prewarming = max(0, pool.prewarming - 1)
        self._keep(pool, environment)

    def _keep(self, pool: Pool, environment: ManagedEnvironment) -> None:
        """Have a new environment among those of its pool."""
        self._pools.setdefault(pool_key(pool.function), pool)
        self._charges[environment].settle(environment.peak_bytes)
        self._pool_of[environment] = pool
        pool.environments.add(environment)
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
            if not pool.add_idle(environment, is_new):
                self._reaper.add(environment)
            self._room.wake()

    def _end_oldest(self) -> bool:
        """End the environment that has been idle for longest, or give up what is kept for new ones.

        False when there is none.
        """
        oldest = next(iter(self._idle), None)
        if oldest is not None:
            self._end_idle(oldest)
            return True
        return any(worker.maker.make_room() for worker in self._placement.workers)

    def _end_idle(self, environment: ManagedEnvironment) -> None:
        """End an environment that waits for an invocation."""
        self._idle.pop(environment, None)
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
            if (lost := pool.provisioned.pop(environment, None)) is not None:
                lost()
        self._endings.end(environment, self._charges.pop(environment, None))

    def _drop_if_empty(self, pool: Pool) -> None:
        if pool.is_empty:
            self._pools.pop(pool_key(pool.function), None)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
