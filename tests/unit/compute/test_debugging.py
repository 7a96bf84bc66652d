"""Connections of debuggers end in sandboxes."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from cloudlet.compute import debugging
from cloudlet.compute.debugging import DebugSession
from tests.support.compute_world import ScriptedSandbox, sandbox_spec


class Sandbox(ScriptedSandbox):
    """One in the host's network, or without any."""

    is_gone = False

    async def new_socket(self) -> socket.socket:
        if self.is_gone:
            raise OSError("the sandbox has ended")
        return socket.socket()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox(sandbox_spec())
    yield made
    made.close()


@pytest.fixture
async def session() -> AsyncIterator[DebugSession]:
    made = DebugSession(0)
    await made.open()
    yield made
    await made.close()


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A debugger that answers in capitals."""
    while data := await reader.read(100):
        writer.write(data.upper())
    writer.close()


async def test_what_a_debugger_says_reaches_the_sandbox_and_back(
    session: DebugSession, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await asyncio.start_server(shout, "127.0.0.1", 0) as inner:
        monkeypatch.setattr(debugging, "INNER_PORT", inner.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
        writer.write(b"hello")  # before there is a sandbox
        assert not session.attached.is_set()
        session.launched(sandbox)
        assert await reader.readexactly(5) == b"HELLO"
        assert session.attached.is_set()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_debugger_may_come_before_the_sandbox_listens(
    session: DebugSession, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    monkeypatch.setattr(debugging, "INNER_PORT", port)
    monkeypatch.setattr(debugging, "AGAIN_S", 0.001)
    session.launched(sandbox)
    reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
    writer.write(b"wait")
    async with await asyncio.start_server(shout, "127.0.0.1", port):
        assert await reader.readexactly(4) == b"WAIT"
        writer.close()
        await writer.wait_closed()


async def test_a_sandbox_that_has_ended_has_no_debugger(session: DebugSession, sandbox: Sandbox) -> None:
    sandbox.is_gone = True
    session.launched(sandbox)
    reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
    assert await reader.read() == b""
    writer.close()


async def test_a_closed_session_listens_no_more(sandbox: Sandbox) -> None:
    session = DebugSession(0)
    await session.open()
    port = session.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await session.close()
    await session.close()
    with pytest.raises(OSError, match=str(port)):
        await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b""
    writer.close()


async def test_killing_it_kills_the_sandbox(session: DebugSession, sandbox: Sandbox) -> None:
    session.kill()  # nothing is there yet
    session.launched(sandbox)
    session.kill()
    assert (await sandbox.exited).signal
