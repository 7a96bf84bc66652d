"""Invocations that wait for a debugger."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudlet.compute.debugging import TIMEOUT_S, DebugSession
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult
from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import debugging
from cloudlet.services.lambda_.names import FunctionRef
from tests.support.lambda_world import ACCOUNT, FakeCompute, World

REF = FunctionRef(ACCOUNT, "us-east-1", "fn")


class SlowCompute(FakeCompute):
    """Answers once `answered` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = asyncio.Event()

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> InvocationResult:
        self.ran.append((function, invocation))
        self.ran_one.set()
        await self.answered.wait()
        return InvocationResult(b"5", log_tail=b"END\n")


@pytest.fixture
async def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowCompute]:
    compute = SlowCompute()
    monkeypatch.setattr(world.service.debugging, "_compute", compute)
    await world.create(Environment={"Variables": {"KEY": "value"}}, Timeout=2, MemorySize=256)
    yield compute
    await world.service.debugging.close()


async def test_it_runs_in_an_environment_of_its_own_without_a_timeout(world: World, slow: SlowCompute) -> None:
    begun = await world.service.debugging.begin(REF, b'{"a":1}', 0)
    await slow.ran_one.wait()
    [(function, invocation)] = slow.ran
    assert (function.timeout_s, function.memory_mb) == (TIMEOUT_S, 256 + 512)
    assert function.layers == ("debugger:python3.12",)
    assert function.environment == {"KEY": "value", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/cloudlet-debug"}
    assert function.environment_id.endswith(begun["id"])
    assert (invocation.payload, invocation.tail_log) == (b'{"a":1}', True)
    slow.answered.set()
    assert await world.service.debugging.look(begun["id"]) == {
        "state": "done",
        "payload": "5",
        "function_error": "",
        "log": "END\n",
    }
    with pytest.raises(ServiceError):
        await world.service.debugging.look(begun["id"])


async def test_who_asks_is_told_what_there_is_after_a_while(
    world: World, slow: SlowCompute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debugging, "POLL_S", 0.001)
    begun = await world.service.debugging.begin(REF, b"", 0)
    assert await world.service.debugging.look(begun["id"]) == {"state": "waiting"}
    session = next(iter(world.service.debugging._sessions.values()))
    session.attached.set()
    assert await world.service.debugging.look(begun["id"]) == {"state": "attached"}


async def test_who_asks_while_it_is_ended_is_told_that_it_is_gone(world: World, slow: SlowCompute) -> None:
    begun = await world.service.debugging.begin(REF, b"", 0)
    asking = [asyncio.create_task(world.service.debugging.look(begun["id"])) for _ in range(2)]
    await slow.ran_one.wait()
    await world.service.debugging.end(begun["id"])
    for each in asking:
        with pytest.raises(ServiceError, match="Nothing is being debugged"):
            await each


async def test_a_port_is_free_again_afterwards(world: World, slow: SlowCompute) -> None:
    first = await world.service.debugging.begin(REF, b"", 0)
    with pytest.raises(ServiceError, match="cannot be had"):
        await world.service.debugging.begin(REF, b"", first["port"])
    await world.service.debugging.end(first["id"])
    again = await world.service.debugging.begin(REF, b"", first["port"])
    assert again["port"] == first["port"]


async def test_only_so_many_at_once(world: World, slow: SlowCompute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugging, "MAX_SESSIONS", 1)
    await world.service.debugging.begin(REF, b"", 0)
    with pytest.raises(ServiceError, match="as many as can be"):
        await world.service.debugging.begin(REF, b"", 0)


async def test_a_function_that_nobody_asks_for_any_more_is_ended(
    world: World, slow: SlowCompute, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = asyncio.Event()
    monkeypatch.setattr(debugging, "ABANDONED_S", 0.001)
    monkeypatch.setattr(DebugSession, "kill", lambda _: killed.set())
    await world.service.debugging.begin(REF, b"", 0)
    await killed.wait()


async def test_a_functions_own_wrapper_is_kept(world: World, slow: SlowCompute) -> None:
    await world.create("wrapped", Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
    await world.service.debugging.begin(FunctionRef(ACCOUNT, "us-east-1", "wrapped"), b"", 0)
    await slow.ran_one.wait()
    assert slow.ran[0][0].environment == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/cloudlet-debug",
        "CLOUDLET_DEBUG_WRAPPED": "/var/task/wrap",
    }


@pytest.mark.parametrize(
    ("name", "event", "port", "code"),
    [
        ("fn", b"{", 0, "InvalidRequestContentException"),
        ("fn", b"", 70000, "InvalidParameterValueException"),
        ("fn", b"", -1, "InvalidParameterValueException"),
        ("none", b"", 0, "ResourceNotFoundException"),
        ("shell", b"", 0, "InvalidParameterValueException"),
    ],
)
async def test_what_cannot_be_debugged_is_refused(
    world: World, slow: SlowCompute, name: str, event: bytes, port: int, code: Any
) -> None:
    await world.create("shell", Runtime="provided.al2023")
    with pytest.raises(ServiceError) as caught:
        await world.service.debugging.begin(FunctionRef(ACCOUNT, "us-east-1", name), event, port)
    assert caught.value.code == code
