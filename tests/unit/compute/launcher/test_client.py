"""The life of sandboxes and of the launcher itself, with shell scripts as runtimes."""

import asyncio
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.function import RuntimeMissing, SandboxFailure
from cloudlet.compute.launcher import client
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.launcher.sandbox import LaunchedSandbox
from cloudlet.compute.runtimes import Runtimes
from cloudlet.compute.sandbox import ExitStatus
from tests.support.sandboxes import Bench, everybodys_folder, write_files

pytestmark = pytest.mark.asyncio(loop_scope="module")
CUSTOM: dict[str, Any] = {"runtime": "provided.al2023"}


async def start(bench: Bench, script: str, **changes: Any) -> LaunchedSandbox:
    """A sandbox whose bootstrap is this shell script."""
    code = bench.package({"bootstrap": f"#!/bin/sh\n{script}\n"})
    return await bench.launcher.launch(bench.spec(code, **CUSTOM, **changes))


async def read_all(fd: int) -> bytes:
    """Everything until the other end is closed."""
    loop = asyncio.get_running_loop()
    found, ended = b"", loop.create_future()

    def read() -> None:
        nonlocal found
        data = os.read(fd, 65536)
        found += data
        if not data:
            loop.remove_reader(fd)
            ended.set_result(None)

    loop.add_reader(fd, read)
    await ended
    return found


async def read_some(fd: int) -> bytes:
    """What comes first."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(fd, readable.set_result, None)
    await readable
    loop.remove_reader(fd)
    return os.read(fd, 65536)


class TestEnds:
    @pytest.mark.parametrize(
        ("script", "status"),
        [
            ("exit 0", ExitStatus(0, None)),
            ("exit 42", ExitStatus(42, None)),
            ("kill -SEGV $$", ExitStatus(None, signal.SIGSEGV)),
            ("kill -TERM $$", ExitStatus(None, signal.SIGTERM)),
        ],
    )
    async def test_the_exit_status_is_told(self, bench: Bench, script: str, status: ExitStatus) -> None:
        sandbox = await start(bench, script)
        assert await sandbox.exited == status
        sandbox.close()

    async def test_a_kill_ends_the_whole_tree(self, bench: Bench) -> None:
        sandbox = await start(bench, "setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ; echo up; wait")
        assert await read_some(sandbox.output) == b"up\n"
        sandbox.kill()
        assert await sandbox.exited == ExitStatus(None, signal.SIGKILL)
        assert await read_all(sandbox.output) == b""  # nobody has the other end any more
        sandbox.close()

    async def test_what_is_left_ends_with_the_runtime(self, bench: Bench) -> None:
        sandbox = await start(bench, "setsid sleep 1000 & exit 3")
        assert await sandbox.exited == ExitStatus(3, None)
        assert await read_all(sandbox.output) == b""
        sandbox.close()

    async def test_a_frozen_sandbox_can_be_killed(self, bench: Bench) -> None:
        sandbox = await start(bench, "while :; do :; done")
        sandbox.freeze()
        sandbox.kill()
        assert (await sandbox.exited).signal == signal.SIGKILL
        sandbox.close()

    async def test_it_goes_on_after_it_has_been_frozen(self, bench: Bench) -> None:
        sandbox = await start(bench, "read line </proc/self/stat; echo done; exit 5")
        sandbox.freeze()
        sandbox.thaw()
        assert (await sandbox.exited).code == 5
        sandbox.close()

    async def test_closing_kills_and_may_be_done_twice(self, bench: Bench) -> None:
        sandbox = await start(bench, "sleep 1000")
        sandbox.close()
        sandbox.close()
        sandbox.kill()
        assert (await sandbox.exited).signal == signal.SIGKILL
        assert sandbox.memory_peak_bytes() >= 0

    async def test_nothing_of_it_stays_in_this_process(self, bench: Bench) -> None:
        async def one() -> None:
            sandbox = await start(bench, "exit 0")
            await sandbox.exited
            sandbox.close()

        await one()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            await one()
        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestCustomRuntime:
    async def test_its_output_and_environment(self, bench: Bench) -> None:
        sandbox = await start(bench, "echo out; echo err >&2; env; pwd; id -un", environment={"MINE": "yes"})
        output = (await read_all(sandbox.output)).decode().splitlines()
        assert output[:2] == ["out", "err"]
        assert output[-2:] == ["/var/task", "sbx_user1051"]
        assert "MINE=yes" in output
        assert "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001" in output
        assert sandbox.telemetry is None
        sandbox.close()

    async def test_the_bootstrap_may_be_in_a_layer(self, bench: Bench) -> None:
        lower = bench.package({"bootstrap": "#!/bin/sh\necho lower\n", "only/lower": "1"})
        upper = bench.package({"bootstrap": "#!/bin/sh\necho upper; ls /opt/only; cat /opt/both\n", "both": "upper"})
        lowest = bench.package({"only/lowest": "1", "both": "lowest"})
        spec = bench.spec(bench.package({"nothing": ""}), layers=(lowest, lower, upper), **CUSTOM)
        sandbox = await bench.launcher.launch(spec)
        assert (await read_all(sandbox.output)).decode().splitlines() == ["upper", "lower", "lowest", "upper"]
        sandbox.close()

    async def test_one_layer_is_mounted_as_it_is(self, bench: Bench) -> None:
        layer = bench.package({"bootstrap": "#!/bin/sh\ncat /opt/data\n", "data": "of the layer"})
        sandbox = await bench.launcher.launch(bench.spec(bench.package({"x": ""}), layers=(layer,), **CUSTOM))
        assert await read_all(sandbox.output) == b"of the layer"
        sandbox.close()

    async def test_without_a_bootstrap_it_says_so(self, bench: Bench) -> None:
        sandbox = await bench.launcher.launch(bench.spec(bench.package({"x": ""}), **CUSTOM))
        assert await sandbox.exited == ExitStatus(127, None)
        assert b"Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]" in os.read(sandbox.output, 999)
        sandbox.close()

    async def test_a_bootstrap_that_is_no_program(self, bench: Bench) -> None:
        code = bench.package({"bootstrap": "echo"})
        sandbox = await bench.launcher.launch(bench.spec(code, **CUSTOM))
        assert await sandbox.exited == ExitStatus(126, None)
        sandbox.close()


class TestFailures:
    async def test_code_that_is_not_there(self, bench: Bench) -> None:
        with pytest.raises(SandboxFailure, match="No such file"):
            await bench.launcher.launch(bench.spec(bench.folder / "missing", **CUSTOM))

    async def test_a_runtime_that_is_not_there(self, bench: Bench) -> None:
        with pytest.raises(RuntimeMissing, match="no runtime cobol85"):
            await bench.launcher.launch(bench.spec(bench.folder, runtime="cobol85"))

    async def test_settings_that_are_too_large(self, bench: Bench) -> None:
        with pytest.raises(SandboxFailure, match="too large"):
            await start(bench, "exit 0", environment={"LARGE": "x" * 200_000})

    async def test_after_a_failure_the_next_works(self, bench: Bench) -> None:
        with pytest.raises(SandboxFailure):
            await bench.launcher.launch(bench.spec(bench.folder / "missing", **CUSTOM))
        sandbox = await start(bench, "exit 0")
        assert (await sandbox.exited).code == 0
        sandbox.close()

    async def test_a_launch_that_is_given_up_leaves_nothing(self, bench: Bench) -> None:
        marker = secrets.token_hex(8)
        launch = asyncio.create_task(start(bench, f"exec -a {marker} sleep 1000; sleep 1000 {marker}"))
        await asyncio.sleep(0)
        launch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launch
        sandbox = await start(bench, "exit 0")  # answered after the other, in order
        await sandbox.exited
        sandbox.close()
        assert not any(marker in line for line in command_lines())


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return found


def processes_of(state: Path) -> list[int]:
    """The launcher's own processes: they have its state folder among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(state).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return sorted(found)


def number_inside(pid: int) -> int:
    """The number that a process has in the launcher's namespace: 1 for the launcher, more for zygotes, 0 outside."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:  # it was there for a moment only
        return 0
    numbers = status.partition("NSpid:")[2].splitlines()[0].split()
    return int(numbers[1]) if len(numbers) > 1 else 0


class TestLaunches:
    async def test_a_sandbox_that_nobody_waits_for_any_more_is_ended(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who asked was cancelled while the request was being sent, which was sent all the same."""
        launcher, take = bench.launcher, bench.launcher._take
        ended = asyncio.get_running_loop().create_future()
        given: list[int] = []

        def take_unexpected(message: dict[str, Any], descriptors: list[int]) -> None:
            launcher._launches.pop(message["id"])
            given.extend(descriptors)
            take(message, descriptors)
            ended.set_result([Path(f"/proc/self/fd/{fd}").exists() for fd in descriptors])

        monkeypatch.setattr(launcher, "_take", take_unexpected)
        starting = asyncio.create_task(start(bench, "sleep 1000"))
        assert not any(await ended)
        assert given
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting


class TestSockets:
    async def test_one_that_comes_when_nobody_waits_any_more_is_closed(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = await start(bench, "sleep 1000")
        take, launcher = bench.launcher._take_socket, bench.launcher
        came: list[socket.socket] = []

        def take_and_cancel(message: dict[str, Any], descriptors: list[int]) -> None:
            future = launcher._sockets[message["number"]]
            take(message, descriptors)
            came.append(future.result())
            waiting.cancel()

        monkeypatch.setattr(launcher, "_take_socket", take_and_cancel)
        waiting = asyncio.create_task(sandbox.new_socket())
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [made.fileno() for made in came] == [-1]
        sandbox.close()


class TestLauncherProcess:
    async def test_it_ends_when_it_is_closed(self) -> None:
        with everybodys_folder() as folder:
            launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
            bench = Bench(launcher, folder, "provided.al2023", is_root=True)
            sandbox = await start(bench, "sleep 1000")
            assert processes_of(folder)
            await launcher.close()
            await launcher.close()
            assert sandbox.exited.done()
            assert processes_of(folder) == []
            with pytest.raises(SandboxFailure, match="closed"):
                await start(bench, "exit 0")
            sandbox.close()

    async def test_one_that_is_closed_while_it_waits_for_a_dead_one_is_not_started(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with everybodys_folder() as folder:
            launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
            await launcher.start()
            launcher._lose()  # as if it had died
            began, may_end = threading.Event(), threading.Event()
            end = client._end

            def end_slowly(process: subprocess.Popen[bytes]) -> None:
                began.set()
                may_end.wait()
                end(process)

            monkeypatch.setattr(client, "_end", end_slowly)
            starting = asyncio.create_task(launcher.start())
            await asyncio.to_thread(began.wait)
            closing = asyncio.create_task(launcher.close())
            await asyncio.sleep(0)
            may_end.set()
            await closing
            with pytest.raises(SandboxFailure, match="closed"):
                await starting
            assert processes_of(folder) == []

    async def test_a_machine_that_does_not_isolate_is_told_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The launcher as `nobody` of a user namespace that may have no further ones."""
        with everybodys_folder() as folder:
            launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
            command = launcher.command

            def forbidden(connection: int) -> list[str]:
                return ["unshare", "--user", "sh", "-c", 'exec "$@"', "sh", *command(connection)]

            monkeypatch.setattr(launcher, "command", forbidden)
            for _ in range(2):
                with pytest.raises(SandboxFailure, match=r"does not let the launcher isolate .* --isolation process"):
                    await launcher.start()
            await launcher.close()

    async def test_its_death_is_its_sandboxes_death_and_another_is_started(self) -> None:
        with everybodys_folder() as folder:
            launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
            bench = Bench(launcher, folder, "provided.al2023", is_root=True)
            first = await start(bench, "setsid sleep 1000 & sleep 1000")
            for pid in sorted(processes_of(folder), key=number_inside):
                with suppress(ProcessLookupError):  # the first one's death takes the others along
                    os.kill(pid, signal.SIGKILL)
            assert await first.exited == ExitStatus(None, signal.SIGKILL)
            assert await read_all(first.output) == b""
            second = await start(bench, "exit 9")
            assert (await second.exited).code == 9
            first.close()
            second.close()
            await launcher.close()

    @pytest.mark.parametrize("frozen", [False, True])
    async def test_a_zygotes_death_is_noticed_and_another_is_started(self, frozen: bool) -> None:
        with everybodys_folder() as folder:
            launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
            bench = Bench(launcher, folder, "provided.al2023", is_root=True)
            first = await start(bench, "sleep 1000")
            if frozen:
                first.freeze()
            for pid in processes_of(folder):
                if number_inside(pid) > 1:
                    os.kill(pid, signal.SIGKILL)
            assert await first.exited == ExitStatus(None, signal.SIGKILL)
            assert await read_all(first.output) == b""
            second = await start(bench, "exit 9")
            assert (await second.exited).code == 9
            first.close()
            second.close()
            await launcher.close()

    async def test_when_its_process_is_killed_its_control_groups_are_removed(self) -> None:
        with everybodys_folder() as folder:
            launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
            bench = Bench(launcher, folder, "provided.al2023", is_root=True)
            sandbox = await start(bench, "while :; do :; done")
            freezer = Path(sandbox._group.get("freezer", "/nowhere/nothing/x"))
            sandbox.freeze()
            (inner,) = [pid for pid in processes_of(folder) if number_inside(pid) == 1]
            os.kill(inner, signal.SIGKILL)
            assert (await sandbox.exited).signal == signal.SIGKILL
            await launcher.close()
            assert processes_of(folder) == []
            assert not freezer.parent.parent.exists()
            sandbox.close()

    async def test_all_ends_with_a_node_that_is_killed(self) -> None:
        with everybodys_folder() as folder:
            code = write_files(folder / "code", {"bootstrap": "#!/bin/sh\nsetsid sleep 1000 & echo up; sleep 1000\n"})
            node = subprocess.Popen(
                [sys.executable, "-c", NODE, str(folder), str(code)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            assert node.stdout is not None
            sandbox_pid = int(await asyncio.to_thread(node.stdout.readline))
            launcher = processes_of(folder / "state")
            watched = [os.pidfd_open(pid) for pid in (sandbox_pid, *launcher)]
            node.kill()
            for pidfd in watched:
                await asyncio.to_thread(select.select, [pidfd], [], [], 30)
                os.close(pidfd)
            assert processes_of(folder / "state") == []
            node.communicate()


NODE = """
import asyncio, sys
from pathlib import Path
from cloudlet.compute.launcher import client
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes
from cloudlet.compute.sandbox import SandboxSpec

async def main(folder, code):
    launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters={}), folder / "state")
    spec = SandboxSpec("0" * 32, "provided.al2", "", code, (), {"PATH": "/usr/bin:/bin"}, 128, 512)
    sandbox = await launcher.launch(spec)
    print(sandbox.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""
