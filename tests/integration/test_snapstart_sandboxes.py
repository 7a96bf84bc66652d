"""Snapshots of real sandboxes, as root and as an ordinary user: what a restored process has, and what it has not."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute import snap_start
from cloudlet.compute.function import SNAP_START, FunctionVersion
from cloudlet.compute.launcher.agent import checkpoint_code
from tests.support.compute_engine import Engine
from tests.support.extension_scripts import extensions
from tests.support.sandboxes import everybodys_folder, ordinary_launcher, root_launcher

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not checkpoint_code.is_supported(), reason="SnapStart of Python needs an x86-64 machine"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["root", "ordinary user"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("not root")
    with everybodys_folder() as folder:
        made: Any = root_launcher(folder / "s") if request.param == "root" else ordinary_launcher(folder / "s")
        if made is None:
            pytest.skip("no Python that an ordinary user can run (Debian: apt-get install python3), or no setpriv")
        launcher, runtime = made
        async with Engine(launcher, folder, runtime) as engine:
            yield engine


def snapped(engine: Engine, source: str, **changes: Any) -> FunctionVersion:
    """A published version of a function with this init phase; its handler evaluates the event."""
    whole = f"{source}\ndef handler(event, context):\n    return eval(event, globals())\n"
    settings: dict[str, Any] = {"initialization_type": SNAP_START, "version": "1", "timeout_s": 30, "memory_mb": 512}
    return engine.function(whole, **(settings | changes))


async def ask(engine: Engine, function: FunctionVersion, expression: str) -> Any:
    result = await engine.run(function, json.dumps(expression).encode())
    assert not result.function_error, result.payload
    return orjson.loads(result.payload)


async def test_memory_is_what_it_was(engine: Engine) -> None:
    source = """
import hashlib, os, mmap, random
large = bytearray(os.urandom(1 << 20)) * 60
small = [str(n) * 3 for n in range(100_000)]
shared = mmap.mmap(-1, 1 << 20)
shared[:4] = b"many"
random.seed(1)
def digest():
    return hashlib.sha256(large + "".join(small).encode() + shared[:]).hexdigest()
before = digest()
"""
    function = snapped(engine, source)
    assert await ask(engine, function, "[before == digest(), shared[:4].decode()]") == [True, "many"]
    # More can be had, and all of it can be written to.
    more = "large.extend(bytes(1 << 20)) or small.append('x') or len(large) + len([str(n) for n in range(200_000)])"
    assert await ask(engine, function, more) == (61 << 20) + 200_000


async def test_it_is_a_whole_process(engine: Engine) -> None:
    source = """
import concurrent.futures, mmap, os, signal, subprocess, threading
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append("usr1"))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.umask(0o027)
os.chdir("/tmp")
lock = threading.RLock()
counter = mmap.mmap(-1, 1)
counter[0] = 1

def facts():
    with lock, concurrent.futures.ThreadPoolExecutor(2) as pool:
        threads = list(pool.map(lambda n: n * n, range(5)))
    os.kill(os.getpid(), signal.SIGUSR1)
    child = os.fork()
    if child == 0:
        counter[0] += 1
        os._exit(9)
    return {
        "threads": threads,
        "heard": heard[-1],
        "blocked": [int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "umask": os.umask(0o027),
        "folder": os.getcwd(),
        "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
        "counter": counter[0],
        "program": subprocess.run(["/bin/sh", "-c", "echo $$ told"], capture_output=True, text=True).stdout.split()[1],
        "thread id": threading.get_native_id() == os.getpid() == threading.main_thread().native_id,
    }
"""
    assert await ask(engine, snapped(engine, source), "facts()") == {
        "threads": [0, 1, 4, 9, 16],
        "heard": "usr1",
        "blocked": [signal.SIGUSR2],
        "umask": 0o027,
        "folder": "/tmp",
        "child": 9,
        "counter": 2,
        "program": "told",
        "thread id": True,
    }


async def test_descriptors_are_made_again(engine: Engine) -> None:
    source = """
import os, select, socket
with open("/tmp/text", "w") as file:
    file.write("0123456789")
reading = open("/tmp/text")
reading.seek(4)
appending = open("/tmp/log", "a")
appending.write("from init\\n")
appending.flush()
random_bytes = open("/dev/urandom", "rb", buffering=0)
pipe = os.pipe()
again = os.dup(pipe[1])
high = os.dup2(pipe[0], 900)
one, other = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
client = socket.create_connection(address)
poll = select.epoll()
poll.register(other, select.EPOLLIN)

def facts():
    os.write(again, b"through the pipe")
    one.send(b"to the other")
    appending.write("from the handler")
    appending.flush()
    try:
        client.send(b"x")
        lost = "no"
    except OSError:
        lost = "yes"
    with socket.create_connection(address) as new:
        accepted = listener.accept()[0].getsockname() == address
    return {
        "reading": reading.read(),
        "log": open("/tmp/log").read(),
        "random": len(random_bytes.read(5)),
        "pipe": os.read(900, 100).decode(),
        "poll": poll.poll(1) == [(other.fileno(), select.EPOLLIN)],
        "pair": other.recv(100).decode(),
        "lost": lost,
        "accepted": accepted,
    }
"""
    assert await ask(engine, snapped(engine, source), "facts()") == {
        "reading": "456789",
        "log": "from init\nfrom the handler",
        "random": 5,
        "pipe": "through the pipe",
        "poll": True,
        "pair": "to the other",
        "lost": "yes",
        "accepted": True,
    }


async def test_environments_of_one_snapshot_are_apart(engine: Engine) -> None:
    """Own processes, own files, own pipes; and nothing of the snapshot itself is within reach."""
    source = """
import ctypes, os, time
state = ["first"]
pipe = os.pipe()
os.mkdir("/tmp/folder", 0o700)
with open("/tmp/folder/secret", "w") as file:
    file.write("of init")
os.chmod("/tmp/folder/secret", 0o600)
os.symlink("/etc/passwd", "/tmp/link")

def change():
    state[0] = "changed"
    os.write(pipe[1], b"changed")
    with open("/tmp/folder/secret", "w") as file:
        file.write("changed")
    time.sleep(3)
    return "changed"

def look():
    os.set_blocking(pipe[0], False)
    try:
        inside = os.read(pipe[0], 10).decode()
    except BlockingIOError:
        inside = ""
    kept = [line for line in open("/proc/self/maps") if "snapshot" in line]
    return {
        "state": state,
        "pipe": inside,
        "secret": open("/tmp/folder/secret").read(),
        "link": os.readlink("/tmp/link"),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "descriptors": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                        if os.path.exists(f"/proc/self/fd/{fd}") and "memfd" in os.readlink(f"/proc/self/fd/{fd}")],
        "private": all(line.split()[1][3] == "p" for line in kept),
        "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
    }
"""
    function = snapped(engine, source)
    changing = asyncio.ensure_future(ask(engine, function, "change()"))
    assert await ask(engine, function, "look()") == {
        "state": ["first"],
        "pipe": "",
        "secret": "of init",
        "link": "/etc/passwd",
        "processes": [1, 2],
        "descriptors": [],
        "private": True,
        "capabilities": ["0000000000000000"],
    }
    assert await changing == "changed"


async def test_threads_of_the_init_phase_are_missed_in_the_log(engine: Engine) -> None:
    source = """
import threading, time
thread = threading.Thread(target=time.sleep, args=(1000,), name="ticker", daemon=True)
thread.start()
"""
    function = snapped(engine, source)
    assert await ask(engine, function, "[thread.is_alive(), threading.active_count()]") == [False, 1]
    assert any("1 thread(s) that the init phase has started (ticker)" in line for line in engine.logs.messages)


@pytest.mark.parametrize(
    ("files", "variables", "told"),
    [
        ({"configparser.py": ""}, {}, "modules of its own in place of Python's or the runtime's: configparser"),
        ({}, {"PYTHONHASHSEED": "1"}, "variables that Python or the dynamic loader reads when it starts"),
        ({}, {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}, "the variable AWS_LAMBDA_EXEC_WRAPPER"),
    ],
    ids=["module", "variable", "wrapper"],
)
async def test_what_needs_an_interpreter_of_its_own_is_refused(
    engine: Engine, files: dict[str, str], variables: dict[str, str], told: str
) -> None:
    code = {"app.py": "def handler(event, context): pass\n", **files}
    function = engine.function(code, initialization_type=SNAP_START, environment=variables)
    with pytest.raises(snap_start.SnapshotFailed, match=told):
        await engine.run(function)


async def test_an_after_restore_hook_has_a_limit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    function = snapped(
        engine,
        "import time\nfrom snapshot_restore_py import register_after_restore\nregister_after_restore(time.sleep, 60)",
    )
    monkeypatch.setattr(snap_start, "RESTORE_LIMIT_S", 0.5)
    with pytest.raises(snap_start.RestoreTimedOut):
        await engine.run(function)
    assert engine.logs.messages[-1].endswith("\tStatus: timeout\n")


async def test_a_lost_snapshot_is_taken_again(engine: Engine) -> None:
    function = snapped(engine, "import os\nmade = os.urandom(8).hex()")
    first = await ask(engine, function, "made")
    assert engine.launcher._process is not None  # type: ignore[attr-defined]
    engine.launcher._process.kill()  # type: ignore[attr-defined]
    while engine.manager.environments:
        await asyncio.sleep(0)
    again = await ask(engine, function, "made")
    assert again != first
    engine.front_end.retire(function.function_arn)
    assert await ask(engine, function, "made") not in (first, again)


async def test_an_extension_hears_of_the_restore(engine: Engine) -> None:
    collector = """
import http.server, threading
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
seen = []
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            if event["type"].startswith("platform."):
                print("collector heard", json.dumps(event), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 8080), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
register("INVOKE", "SHUTDOWN")
subscribe = {"schemaVersion": "2022-12-13", "types": ["platform"], "buffering": {"timeoutMs": 25},
             "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080"}}
call("PUT", "/2022-07-01/telemetry", subscribe)
while next_event()["eventType"] != "SHUTDOWN":
    pass
"""
    function = snapped(engine, "ready = True", layers=extensions(engine, collector=collector))
    assert await ask(engine, function, "ready") is True
    await engine.logs.wait_for("platform.report")
    heard = [
        json.loads(line.partition("heard ")[2])
        for line in engine.logs.messages
        if line.startswith("collector heard") and function.name
    ]
    types = [event["type"] for event in heard]
    restored = types[types.index("platform.restoreStart") :]
    assert [kind for kind in restored if "restore" in kind] == [
        "platform.restoreStart",
        "platform.restoreRuntimeDone",
        "platform.restoreReport",
    ]
    report = heard[types.index("platform.report")]["record"]["metrics"]
    assert report["restoreDurationMs"] > 0
    assert report["billedRestoreDurationMs"] >= 0
    assert "initDurationMs" not in report


async def test_a_snapshot_ends_with_its_zygote_and_is_taken_again(engine: Engine) -> None:
    function = snapped(engine, "import os\nmade = os.urandom(8).hex()")
    first = await ask(engine, function, "made")
    [environment] = [each for each in engine.manager._pool_of if each.function == function]  # type: ignore[attr-defined]
    os.kill(_parent(environment._runtime.process.sandbox.pid), signal.SIGKILL)  # type: ignore[attr-defined]
    while engine.launcher.has_snapshot(environment._preparation.snapshot):  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    while engine.manager.environments:
        await asyncio.sleep(0)
    assert await ask(engine, function, "made") != first


def _parent(pid: int) -> int:
    """The process that has forked `pid`."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
