"""Without namespaces (`--isolation process`): what is left still holds."""

import asyncio
import errno
import os
import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cloudlet.compute.launcher.agent import bare, landlock
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes
from cloudlet.compute.sandbox import ExitStatus
from tests.support.sandboxes import PREPARED, Bench, everybodys_folder, everybodys_interpreter

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def module_bench() -> AsyncIterator[Bench]:
    """As root, with a Python that other users can run, where there is one: then every sandbox has its own user."""
    interpreter = everybodys_interpreter()
    known = {interpreter.name: interpreter} if interpreter is not None else None
    with everybodys_folder() as folder:
        launcher = SandboxLauncher(Runtimes(folder / "runtimes", interpreters=known), folder / "state", "process")
        name = interpreter.name if interpreter is not None else next(iter(Runtimes(PREPARED).interpreters("python")))
        await launcher.start()
        yield Bench(launcher, folder, name, is_root=os.geteuid() == 0 and interpreter is not None)
        await launcher.close()


async def test_functions_run_each_with_its_own_runtime_api(bench: Bench) -> None:
    functions = [await bench.start() for _ in range(3)]
    source = "import os; answer = os.environ['AWS_LAMBDA_RUNTIME_API']"
    addresses = await asyncio.gather(*[function.run(source) for function in functions])
    assert len(set(addresses)) == 3
    own = {"{}:{}".format(*function.sandbox.runtime_api.getsockname()) for function in functions}
    assert own == set(addresses)


async def test_they_have_no_rights(bench: Bench) -> None:
    function = await bench.start()
    status = await function.run(
        "answer = dict(line.rstrip('\\n').split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)"
    )
    assert {int(status[kind], 16) for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_as_root_each_has_a_user_of_its_own(bench: Bench) -> None:
    if not bench.is_root:
        pytest.skip("one user cannot become many")
    functions = [await bench.start() for _ in range(2)]
    users = [await function.run("import os; answer = os.getuid()") for function in functions]
    assert len({0, *users}) == 3


async def test_a_fresh_interpreter_runs_too(bench: Bench) -> None:
    function = await bench.start(environment={"PYTHONHASHSEED": "0"})
    assert await function.run(
        "import sys, os; answer = [sys.flags.hash_randomization, sys.path[0] == os.getcwd()]"
    ) == [
        0,
        True,
    ]


async def test_files_of_the_host_are_closed(bench: Bench) -> None:
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    function = await bench.start()
    refused = await function.run(
        """
        import os
        answer = []
        for attempt in (lambda: os.listdir("/boot"), lambda: os.listdir("/home"), lambda: os.listdir("/root"),
                        lambda: open("/var/task", "w"), lambda: open(os.getcwd() + "/new", "w")):
            try:
                attempt()
            except OSError as error:
                answer.append(error.errno)
        """
    )
    assert len(refused) == 5
    assert set(refused) <= {errno.EACCES, errno.ENOENT, errno.EISDIR}


async def test_temporary_files_have_a_folder_that_is_removed(bench: Bench) -> None:
    function = await bench.start()
    folder = await function.run("import tempfile; answer = tempfile.gettempdir(); open(answer + '/x', 'w').close()")
    assert (Path(folder) / "x").exists()
    await function.close()
    await bench.start()  # what was asked of the launcher before is done by then
    assert not Path(folder).exists()


async def test_a_sandbox_that_follows_another_has_its_temporary_files(bench: Bench) -> None:
    first = await bench.start()
    await first.run("import tempfile; open(tempfile.gettempdir() + '/x', 'w').write('kept'); answer = 1")
    first.sandbox.kill()
    await first.sandbox.exited
    spec = bench.spec(first.sandbox.spec.code, follows=first.sandbox.spec.sandbox_id)
    second = await bench.start_spec(spec)
    folder, content = await second.run(
        "import tempfile; folder = tempfile.gettempdir(); answer = [folder, open(folder + '/x').read()]"
    )
    assert content == "kept"
    await first.close()
    assert Path(folder).exists()
    await second.close()
    await bench.start()
    assert not Path(folder).exists()


async def test_a_kill_ends_what_it_has_started(bench: Bench) -> None:
    function = await bench.start()
    marker = secrets.token_hex(8)
    await function.run(
        f"""
        import os, time
        for daemon in (False, True):
            if os.fork() == 0:
                if daemon:
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                os.execv("/bin/sleep", ["{marker}", "1000"])
        def count():
            return sum(open(f"/proc/{{p}}/cmdline").read().startswith("{marker}") for p in os.listdir("/proc")
                       if p.isdigit() and os.path.exists(f"/proc/{{p}}/cmdline"))
        while count() < 2:
            time.sleep(0.01)
        """
    )
    other = await bench.start()
    function.sandbox.kill()
    assert await function.sandbox.exited == ExitStatus(None, signal.SIGKILL)
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if marker in read(path)]
    assert found == []
    assert await other.run("answer = 'alive'") == "alive"


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


async def test_the_paths_of_the_platform_are_translated() -> None:
    places = {"task": "/data/code", "layers": ["/data/b", "/data/a"], "runtime": "/data/runtime"}
    environment = {
        "LAMBDA_TASK_ROOT": "/var/task", "PYTHONPATH": "/var/runtime:/var/task/more", "PATH": "/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/opt/lib", "MINE": "/var/task",
    }  # fmt: skip
    assert bare.translated(environment, places) == {
        "LAMBDA_TASK_ROOT": "/data/code",
        "PYTHONPATH": "/data/runtime:/data/code/more",
        "PATH": "/bin:/data/b/bin:/data/a/bin",
        "LD_LIBRARY_PATH": "/data/b/lib:/data/a/lib",
    }


async def test_what_every_user_can_read(tmp_path: Path) -> None:
    assert bare.is_public("/usr")
    closed = tmp_path / "closed"
    (closed / "open").mkdir(parents=True)
    (closed / "open").chmod(0o755)
    closed.chmod(0o700)
    assert not bare.is_public(str(closed / "open"))
