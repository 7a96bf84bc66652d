"""Invocations that wait for a debugger: `cloudlet invoke --debug PORT`.

Such an invocation has an execution environment of its own, with a debugger beside its interpreter; no timeout is
counted. Whoever has begun it asks for it again and again: it ends when nobody does.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cloudlet.compute.debugging import MORE_MEMORY_MB, TIMEOUT_S, Debuggers, DebugSession
from cloudlet.compute.function import ComputeError, FunctionVersion, Invocation, InvocationResult
from cloudlet.compute.runtimes import debuggers
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import payload
from cloudlet.services.lambda_.engines import Compute
from cloudlet.services.lambda_.errors import InvalidParameterValue, ResourceNotFound
from cloudlet.services.lambda_.invocation import api_error, check_size
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.routes import Routes

POLL_S: Final = 10.0
"""How long a question may wait for news."""
ABANDONED_S: Final = 60.0
"""Without a question for so long, nobody is there any more."""
MAX_SESSIONS: Final = 16
MAX_PORT: Final = 65535
_WRAPPER: Final = "AWS_LAMBDA_EXEC_WRAPPER"


@dataclass(slots=True)
class _Debugged:
    """One invocation that is debugged."""

    session: DebugSession
    run: "asyncio.Task[InvocationResult]"
    asked: float


class Debugging:
    """Begins, watches and ends such invocations."""

    def __init__(self, platform: Platform, compute: Compute, routes: Routes, sessions: Debuggers) -> None:
        self._platform = platform
        self._compute = compute
        self._routes = routes
        self._sessions = sessions
        self._debugged: dict[str, _Debugged] = {}

    async def begin(self, ref: FunctionRef, event: bytes, port: int) -> Mapping[str, Any]:
        """Invoke the function; a debugger can connect to `port` of this machine (0 for any).

        Raises ResourceNotFound, InvalidParameterValue, ServiceError.
        """
        if not 0 <= port <= MAX_PORT:
            raise InvalidParameterValue(f"{port} is not a port.")
        check_size(event, "RequestResponse")
        payload.check(event)
        context = RequestContext(Principal.root(ref.account), ref.region, "", operation="Invoke")
        route = await self._routes.find(context, ref.qualified_arn, "")
        identifier = self._platform.ids.hex(32)
        function = debugged(route.pick(self._platform.ids), identifier)
        await self._end_abandoned()
        if len(self._debugged) >= MAX_SESSIONS:
            raise InvalidParameterValue(f"{MAX_SESSIONS} functions are being debugged: that is as many as can be.")
        session = DebugSession(port)
        try:
            await session.open()
        except OSError as error:
            raise InvalidParameterValue(f"The port {port} cannot be had: {error}") from error
        invocation = Invocation(self._platform.ids.uuid(), event or b"{}", route.invoked_arn, tail_log=True)
        self._sessions[function.environment_id] = session
        run = asyncio.create_task(self._run(function, invocation, session), name=f"debugged {ref.name}")
        self._debugged[identifier] = _Debugged(session, run, self._now())
        return {"id": identifier, "port": session.port}

    async def look(self, identifier: str) -> Mapping[str, Any]:
        """What has come of it, after a while at most: `waiting`, `attached`, or `done` with the result.

        Raises ResourceNotFound, ServiceError where the invocation could not be run.
        """
        found = self._debugged.get(identifier)
        if found is None:
            raise _not_debugged()
        found.asked = self._now()
        waits: set[asyncio.Future[Any]] = {found.run}
        attached = None
        if not found.session.attached.is_set():
            attached = asyncio.ensure_future(found.session.attached.wait())
            waits.add(attached)
        await asyncio.wait(waits, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        if attached is not None:
            attached.cancel()
        if not found.run.done():
            return {"state": "attached" if found.session.attached.is_set() else "waiting"}
        if self._debugged.pop(identifier, None) is None:  # ended, or told to another who asks, meanwhile
            raise _not_debugged()
        try:
            result = await found.run
        except ComputeError as error:
            raise api_error(error) from error
        return {
            "state": "done",
            "payload": result.payload.decode(errors="replace"),
            "function_error": result.function_error,
            "log": result.log_tail.decode(errors="replace"),
        }

    async def end(self, identifier: str) -> None:
        """Kill it. Nothing, when it has ended."""
        if (found := self._debugged.pop(identifier, None)) is not None:
            found.session.kill()
            found.run.cancel()
            await asyncio.gather(found.run, return_exceptions=True)

    async def close(self) -> None:
        """Kill all."""
        for identifier in list(self._debugged):
            await self.end(identifier)

    async def _run(self, function: FunctionVersion, invocation: Invocation, session: DebugSession) -> InvocationResult:
        watch = asyncio.create_task(self._watch(session))
        try:
            return await self._compute.invoke(function, invocation)
        finally:
            watch.cancel()
            self._sessions.pop(function.environment_id, None)
            await session.close()

    async def _watch(self, session: DebugSession) -> None:
        """End the session's function when nobody asks for it any more."""
        while True:
            await asyncio.sleep(ABANDONED_S)
            for found in self._debugged.values():
                if found.session is session and self._now() - found.asked > ABANDONED_S:
                    session.kill()

    async def _end_abandoned(self) -> None:
        for identifier, found in list(self._debugged.items()):
            if found.run.done() and self._now() - found.asked > ABANDONED_S:
                await self.end(identifier)

    def _now(self) -> float:
        return self._platform.clock.monotonic()


def _not_debugged() -> ResourceNotFound:
    return ResourceNotFound("Nothing is being debugged under this id.")


def debugged(function: FunctionVersion, identifier: str) -> FunctionVersion:
    """`function` as it runs with a debugger, in an environment of its own. Raises InvalidParameterValue."""
    if function.image is not None or not function.runtime.startswith(("python", "nodejs")):
        kind = function.runtime if function.image is None else "container image"
        raise InvalidParameterValue(f"Functions of the kind {kind} cannot be debugged: Python and Node.js can.")
    variables = {**function.environment, _WRAPPER: debuggers.WRAPPER}
    if own := function.environment.get(_WRAPPER):
        variables[debuggers.WRAPPED] = own
    return replace(
        function,
        environment_id=f"{function.environment_id}.debug.{identifier}",
        environment=variables,
        layers=(*function.layers, f"{debuggers.PREFIX}{function.runtime}"),
        timeout_s=TIMEOUT_S,
        memory_mb=function.memory_mb + MORE_MEMORY_MB,
        initialization_type="on-demand",
    )
