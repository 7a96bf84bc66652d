"""The shutdown phase of an environment with extensions.

    SIGTERM to the runtime --gone, or its share of the time is over: SIGKILL--> SHUTDOWN to the external extensions
    --all gone, or the time is over--> SIGKILL to all that is left

An environment without extensions has no such phase: it is killed at once.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
"""

import asyncio
import signal
from typing import Any, Final

from cloudlet.clock import Clock
from cloudlet.compute.extension_host import ExtensionHost
from cloudlet.compute.sandbox import Sandbox
from cloudlet.compute.supervisor import RUNTIME

SPINDOWN: Final = "spindown"
TIMEOUT: Final = "timeout"
FAILURE: Final = "failure"

EXTERNAL_LIMIT_S: Final = 2.0
"""With external extensions, for all of it."""
RUNTIME_SHARE_S: Final = 0.3
"""Of it, for the runtime."""
INTERNAL_LIMIT_S: Final = 0.5
"""With internal extensions only."""
FLUSH_LIMIT_S: Final = 0.1
"""Of it, for what subscribers have not been sent yet."""


async def shut_down(beside: ExtensionHost, sandbox: Sandbox, clock: Clock, reason: str) -> None:
    """Let all that runs in the sandbox end by itself, if it does so in its time. What is left is the caller's."""
    beside.is_ending = True
    if beside.supervisor is None:
        sandbox.terminate()
        await asyncio.wait([sandbox.exited], timeout=INTERNAL_LIMIT_S)
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + EXTERNAL_LIMIT_S
    wall_deadline = clock.wall() + EXTERNAL_LIMIT_S
    await _end_runtime(beside, sandbox, loop.time() + RUNTIME_SHARE_S)
    await beside.flush(FLUSH_LIMIT_S)
    told, others = beside.extensions.shut_down(beside.shutdown_event(reason, wall_deadline))
    for extension in others:
        beside.supervisor.send_signal(beside.number_of(extension), signal.SIGKILL)
    await _gone(beside, sandbox, {beside.number_of(extension) for extension in told}, deadline)


async def _end_runtime(beside: ExtensionHost, sandbox: Sandbox, deadline: float) -> None:
    assert beside.supervisor is not None, "without a supervisor"
    if RUNTIME in beside.alive:
        beside.supervisor.send_signal(RUNTIME, signal.SIGTERM)
        await _gone(beside, sandbox, {RUNTIME}, deadline)
        if RUNTIME in beside.alive:
            beside.supervisor.send_signal(RUNTIME, signal.SIGKILL)


async def _gone(beside: ExtensionHost, sandbox: Sandbox, numbers: set[int], deadline: float) -> None:
    """Until all these processes are gone, or the loop's clock shows `deadline`."""

    async def watch() -> None:
        while numbers & beside.alive:
            beside.ended.clear()
            await beside.ended.wait()

    watching = asyncio.ensure_future(watch())
    try:
        left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        both: list[asyncio.Future[Any]] = [watching, sandbox.exited]
        await asyncio.wait(both, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
