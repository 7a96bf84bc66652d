"""A sandbox with its runtime: its end is told once, and after all that it had said."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.extension import Poller
from cloudlet.compute.function import SandboxFailure
from cloudlet.compute.runtime_process import KILLED, Closer, RuntimeProcess
from cloudlet.compute.sandbox import ExitStatus
from tests.support.compute_world import ScriptedLauncher, sandbox_spec


class Heard:
    """What the environment is told."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def runtime_ready(self) -> None:
        self.events.append("ready")

    def runtime_answered(self, payload: bytes, is_error: bool) -> None:
        self.events.append((payload, is_error))

    def runtime_answer_too_large(self) -> None:
        self.events.append("too large")

    def extension_calls(self, request: ApiRequest, poller: Poller) -> None:
        """There are no extensions here."""

    def runtime_init_failed(self, payload: bytes, error_type: str) -> None:
        self.events.append(error_type)

    def runtime_exited(self, status: ExitStatus) -> None:
        self.events.append(status)


@pytest.fixture
async def launcher() -> AsyncIterator[ScriptedLauncher]:
    launcher = ScriptedLauncher()
    yield launcher
    await launcher.close()


async def test_an_exit_is_told(launcher: ScriptedLauncher) -> None:
    heard = Heard()
    process = RuntimeProcess(heard)
    await process.launch(launcher, sandbox_spec(), None)
    launcher.launched[0].exit(3)
    assert await process.gone == ExitStatus(3, None)
    assert heard.events == [ExitStatus(3, None)]
    assert process.has_exited
    process.close()


async def test_an_exit_is_told_after_the_last_message(launcher: ScriptedLauncher) -> None:
    heard = Heard()
    process = RuntimeProcess(heard)
    await process.launch(launcher, sandbox_spec(), None)
    sandbox = launcher.launched[0]
    runtime = await sandbox.connect()
    sandbox.connected.clear()
    while not process.api.is_connected:
        await asyncio.sleep(0)
    sandbox.exit(1)
    runtime.poll()
    runtime.close()
    await process.gone
    assert heard.events == ["ready", ExitStatus(1, None)]
    process.close()


async def test_ending_is_quiet(launcher: ScriptedLauncher) -> None:
    heard = Heard()
    process = RuntimeProcess(heard)
    await process.launch(launcher, sandbox_spec(), None)
    assert await process.end() == ExitStatus(None, 9)
    assert heard.events == []
    process.close()


async def test_nothing_is_told_after_closing(launcher: ScriptedLauncher) -> None:
    heard = Heard()
    process = RuntimeProcess(heard)
    await process.launch(launcher, sandbox_spec(), None)
    process.close()
    process.close()
    assert await process.gone == KILLED
    assert launcher.launched[0].is_closed
    assert heard.events == []


async def test_a_sandbox_that_comes_too_late_is_given_back(launcher: ScriptedLauncher) -> None:
    process = RuntimeProcess(Heard())
    process.close()
    with pytest.raises(SandboxFailure):
        await process.launch(launcher, sandbox_spec(), None)
    assert launcher.launched[0].is_closed


async def test_the_platform_is_served_while_the_sandbox_lives(launcher: ScriptedLauncher) -> None:
    served: list[socket.socket | str] = []

    async def serve(listening: socket.socket) -> Closer:
        served.append(listening)
        return lambda: served.append("closed")

    process = RuntimeProcess(Heard())
    await process.launch(launcher, sandbox_spec(), serve)
    assert served == [launcher.launched[0].platform]
    process.close()
    process.close()
    assert served[1:] == ["closed"]


async def test_an_exit_that_the_launcher_could_not_tell_is_a_kill(launcher: ScriptedLauncher) -> None:
    heard = Heard()
    process = RuntimeProcess(heard)
    await process.launch(launcher, sandbox_spec(), None)
    launcher.launched[0].exited.set_exception(SandboxFailure("the launcher has ended"))
    assert await process.gone == KILLED
    process.close()
