"""From inside a function, every way out is tried; and what a function may do, it can do.

All of it runs as root and as an ordinary user.
"""

import asyncio
import ctypes
import errno
import os
import platform
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cloudlet.compute.launcher.agent import syscall_numbers
from cloudlet.compute.sandbox import ExitStatus
from tests.support.python_image import ImageBench
from tests.support.sandboxes import Bench, RunningFunction, everybodys_folder, ordinary_launcher, root_launcher

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", params=["root", "ordinary user", "root, an image", "ordinary user, an image"])
def user(request: pytest.FixtureRequest) -> str:
    if request.param.startswith("root") and os.geteuid() != 0:
        pytest.skip("not root")
    return str(request.param)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(user: str) -> AsyncIterator[Bench]:
    with everybodys_folder() as folder:
        is_root = user.startswith("root")
        made: Any = root_launcher(folder / "state") if is_root else ordinary_launcher(folder / "state")
        if made is None:
            pytest.skip("no Python that an ordinary user can run (Debian: apt-get install python3), or no setpriv")
        launcher, runtime = made
        os.environ["CLOUDLET_TEST_SECRET"] = "of the node"
        try:
            await launcher.start()
            if user.endswith("image"):
                yield ImageBench(launcher, folder, is_root=is_root)
            else:
                yield Bench(launcher, folder, runtime, is_root=is_root)
        finally:
            del os.environ["CLOUDLET_TEST_SECRET"]
            await launcher.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared(bench: Bench) -> AsyncIterator[RunningFunction]:
    """A function that tests share which leave no trace in it."""
    yield await bench.start()
    await bench.close_functions()


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(bench: Bench) -> AsyncIterator[RunningFunction]:
    """A function for one test."""
    function = await bench.start()
    yield function
    await function.close()


CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return ctypes.get_errno() if result < 0 else 0
"""


class TestWhoFollows:
    """A sandbox that takes the place of another, in the same environment, has its /tmp; nobody else has."""

    async def test_it_has_the_files(self, bench: Bench) -> None:
        first = await bench.start(ephemeral_storage_mb=512)
        await first.run(
            """
            import os
            open("/tmp/x", "w").write("kept")
            os.mkdir("/tmp/folder", 0o700)
            answer = 1
            """
        )
        first.sandbox.kill()
        await first.sandbox.exited
        stranger = await bench.start()
        second = await bench.start_spec(
            bench.spec(first.sandbox.spec.code, follows=first.sandbox.spec.sandbox_id, ephemeral_storage_mb=512)
        )
        await first.close()
        assert await stranger.run("import os; answer = os.listdir('/tmp')") == []
        found = await second.run(
            """
            import os
            open("/tmp/x", "a").write(" and written to")
            open("/tmp/folder/y", "w").close()
            sizes = os.statvfs("/tmp")
            flags = [line.split()[3] for line in open("/proc/self/mounts") if line.split()[1] == "/tmp"]
            answer = [open("/tmp/x").read(), sizes.f_blocks * sizes.f_frsize, flags]
            """
        )
        assert found[:2] == ["kept and written to", 512 * 1024 * 1024]
        assert len(found[2]) == 1
        assert {"rw", "nosuid", "nodev"} <= set(found[2][0].split(","))

    async def test_a_third_has_them_too(self, bench: Bench) -> None:
        before = await bench.start()
        await before.run("open('/tmp/x', 'w').write('0'); answer = 1")
        for count in range(1, 4):
            before.sandbox.kill()
            await before.sandbox.exited
            spec = bench.spec(before.sandbox.spec.code, follows=before.sandbox.spec.sandbox_id)
            after = await bench.start_spec(spec)
            await before.close()
            assert await after.run(f"answer = open('/tmp/x').read(); open('/tmp/x', 'w').write('{count}')") == str(
                count - 1
            )
            before = after

    async def test_nothing_is_left_for_who_comes_later(self, bench: Bench) -> None:
        first = await bench.start()
        await first.run("open('/tmp/x', 'w').write('secret'); answer = 1")
        await first.close()
        late = await bench.start_spec(bench.spec(first.sandbox.spec.code, follows=first.sandbox.spec.sandbox_id))
        assert await late.run("import os; answer = os.listdir('/tmp')") == []


class TestWhoItIs:
    async def test_it_has_no_rights(self, shared: RunningFunction) -> None:
        status = await shared.run(
            """
            with open("/proc/self/status") as file:
                answer = dict(line.rstrip("\\n").split(":\\t", 1) for line in file if ":\\t" in line)
            """
        )
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert status["Uid"].split() == ["993"] * 4
        assert status["Gid"].split() == ["990"] * 4

    async def test_it_has_the_name_that_it_has_on_aws(self, shared: RunningFunction) -> None:
        assert await shared.run("import getpass; answer = getpass.getuser()") == "sbx_user1051"
        assert await shared.run("import os; answer = os.getcwd()") == "/var/task"

    async def test_the_folders_belong_to_root(self, bench: Bench, shared: RunningFunction) -> None:
        source = "import os; answer = {p: os.stat(p).st_uid for p in ('/opt', '/tmp', '/var/task', '/etc', '/usr')}"
        owners = await shared.run(source)
        if bench.is_root:
            assert set(owners.values()) == {0}
        modes = await shared.run("import os; answer = [oct(os.stat(p).st_mode) for p in ('/tmp', '/var/task', '/opt')]")
        assert modes == ["0o41777", "0o40755", "0o40755"]

    async def test_the_limits_are_those_of_aws(self, shared: RunningFunction) -> None:
        limits = await shared.run(
            "import resource as r; answer = [r.getrlimit(l) for l in"
            " (r.RLIMIT_NOFILE, r.RLIMIT_NPROC, r.RLIMIT_MEMLOCK, r.RLIMIT_STACK, r.RLIMIT_AS, r.RLIMIT_CORE)]"
        )
        core = 1 if Path("/proc/sys/kernel/core_pattern").read_text()[0] in "|@" else 10737418240
        assert limits == [[1024, 1024], [742, 742], [65536, 65536], [8388608, -1], [-1, -1], [core, core]]


class TestOtherProcesses:
    async def test_it_sees_its_own_only(self, shared: RunningFunction) -> None:
        pids = await shared.run("import os; answer = sorted(int(p) for p in os.listdir('/proc') if p.isdigit())")
        assert pids == [1, 2]

    async def test_its_first_process_is_closed_to_it(self, shared: RunningFunction) -> None:
        refused = await shared.run(
            """
            import os
            answer = []
            for name in ("mem", "environ", "root", "cwd", "fd/0", "ns/user", "maps"):
                try:
                    path = f"/proc/1/{name}"
                    os.readlink(path) if "/" in name else open(path).read(1)
                except OSError:
                    answer.append(name)
            """
        )
        assert refused == ["mem", "environ", "root", "cwd", "fd/0", "ns/user", "maps"]

    async def test_it_cannot_signal_processes_of_the_host(self, shared: RunningFunction) -> None:
        error = await shared.run(
            f"""
            import os
            try:
                os.kill({os.getpid()}, 0)
            except OSError as error:
                answer = error.errno
            """
        )
        assert error == errno.ESRCH

    async def test_killing_everything_reaches_its_own_processes_only(self, fresh: RunningFunction) -> None:
        await fresh.run(
            """
            import os, signal, subprocess
            process = subprocess.Popen(["sleep", "1000"])
            os.kill(-1, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            try:
                os.kill(1, signal.SIGKILL)
            except PermissionError:
                pass
            """
        )
        assert await fresh.run("answer = 'alive'") == "alive"

    async def test_nothing_is_left_when_it_ends(self, bench: Bench) -> None:
        function = await bench.start()
        marker = secrets.token_hex(8)
        await function.run(
            f"""
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open("/proc/self/comm")
                    os.execv("/bin/sleep", ["{marker}", "1000"])
                os._exit(0)
            os.wait()
            while not any(open(f"/proc/{{p}}/cmdline").read().startswith("{marker}")
                          for p in os.listdir("/proc") if p.isdigit()):
                time.sleep(0.01)
            """
        )
        assert marker in command_lines()
        await function.close()
        assert marker not in command_lines()


def command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


class TestFiles:
    async def test_the_root_holds_nothing_of_the_host(self, bench: Bench, shared: RunningFunction) -> None:
        (bench.folder / "secret").write_text("of the node")
        found = await shared.run(
            f"""
            import os
            paths = ["/etc/shadow", "/etc/ssh", "/etc/hostname", "/root/.ssh", "/root/.bashrc", "/var/log", "/var/lib",
                     "/boot", "/srv", "/mnt", "/media", "/sys/fs", "/sys/kernel", "/run/dbus", "/var/run",
                     {str(bench.folder)!r}, {str(bench.folder / "secret")!r}, {__file__!r}]
            answer = [path for path in paths if os.path.exists(path)]
            """
        )
        assert found == []

    async def test_its_users_are_its_own(self, shared: RunningFunction) -> None:
        users = await shared.run("answer = [line.split(':')[0] for line in open('/etc/passwd')]")
        assert users == ["root", "sbx_user1051", "nobody"]

    @pytest.mark.parametrize(
        "path",
        ["/", "/var/task", "/opt", "/usr", "/usr/bin", "/etc", "/var/runtime", "/var/rapid", "/dev", "/proc", "/sys",
         "/var/lang/bin", "/root", "/home"],
    )  # fmt: skip
    async def test_it_can_write_nowhere_but_in_tmp(self, shared: RunningFunction, path: str) -> None:
        refused = await shared.run(
            f"""
            try:
                open("{path}/new", "w")
            except OSError as error:
                answer = error.errno
            """
        )
        assert refused in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)

    async def test_it_cannot_change_its_code(self, shared: RunningFunction) -> None:
        refused = await shared.run(
            """
            import os
            answer = []
            for attempt in (lambda: open("/var/task/function.py", "a"), lambda: os.unlink("/var/task/function.py"),
                            lambda: os.chmod("/var/task/function.py", 0o777), lambda: os.rename("/var/task", "/tmp/x")):
                try:
                    attempt()
                except OSError as error:
                    answer.append(error.errno)
            """
        )
        assert len(refused) == 4

    async def test_tmp_is_its_own_and_empty(self, bench: Bench, fresh: RunningFunction) -> None:
        await fresh.run("open('/tmp/secret', 'w').write('mine')")
        other = await bench.start()
        assert await other.run("import os; answer = os.listdir('/tmp')") == []
        assert await fresh.run("answer = open('/tmp/secret').read()") == "mine"
        await other.close()

    async def test_it_cannot_find_the_code_of_others(self, bench: Bench, shared: RunningFunction) -> None:
        name = f"private_{secrets.token_hex(8)}.txt"
        other = await bench.start(files={name: "secret"})
        found = await shared.run(
            f"""
            import os
            answer = [folder for folder, folders, files in os.walk("/") if "{name}" in files
                      and not folder.startswith("/proc")]
            """
        )
        assert found == []
        assert await other.run(f"answer = open('/var/task/{name}').read()") == "secret"
        await other.close()

    async def test_tmp_has_the_size_that_was_asked_for(self, bench: Bench) -> None:
        function = await bench.start(ephemeral_storage_mb=24)
        answer = await function.run(
            """
            written = 0
            try:
                with open("/tmp/file", "wb", buffering=0) as file:
                    while written < 64:
                        written += file.write(bytes(1024 * 1024)) / 1024 / 1024
            except OSError as error:
                answer = [error.errno, written]
            """
        )
        assert answer == [errno.ENOSPC, 24]
        await function.close()

    async def test_there_is_no_shared_memory_by_name_as_on_aws(self, shared: RunningFunction) -> None:
        answer = await shared.run(
            """
            import multiprocessing, multiprocessing.shared_memory, os
            answer = [os.path.exists("/dev/shm")]
            for make in (multiprocessing.Lock, multiprocessing.Queue, lambda: multiprocessing.Pool(1),
                         lambda: multiprocessing.shared_memory.SharedMemory(create=True, size=4096)):
                try:
                    make()
                except OSError:
                    answer.append("refused")
            """
        )
        assert answer == [False, *["refused"] * 4]

    async def test_devices_are_the_harmless_ones(self, shared: RunningFunction) -> None:
        entries = await shared.run("import os; answer = sorted(os.listdir('/dev'))")
        assert entries == sorted(["fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"])
        made = await shared.run(
            """
            import os, stat
            answer = []
            for kind, device in ((stat.S_IFBLK, (8, 0)), (stat.S_IFCHR, (1, 1)), (stat.S_IFCHR, (5, 1))):
                try:
                    os.mknod("/tmp/device", kind | 0o666, os.makedev(*device))
                    answer.append("made")
                except PermissionError:
                    pass
            """
        )
        assert made == []

    async def test_set_user_id_programs_give_nothing(self, fresh: RunningFunction) -> None:
        answer = await fresh.run(
            """
            import os, shutil, subprocess
            shutil.copy("/usr/bin/id", "/tmp/id")
            os.chmod("/tmp/id", 0o6755)
            answer = [subprocess.run([program, "-u"], capture_output=True, text=True).stdout.strip()
                      for program in ("/tmp/id", "/usr/bin/id")]
            """
        )
        assert answer == ["993", "993"]


class TestDescriptorsAndEnvironment:
    async def test_no_descriptor_of_the_launcher_is_open(self, bench: Bench) -> None:
        function = await bench.start(
            """
            import os
            found = {}
            for fd in os.listdir("/proc/self/fd"):
                try:
                    found[int(fd)] = os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
                except OSError:
                    pass
            handler = lambda event, context: found
            """
        )
        assert await function.invoke() == {"0": "/dev/null", "1": "pipe", "2": "pipe", "3": "pipe"}
        await function.close()

    async def test_the_environment_is_what_was_asked_for(self, bench: Bench) -> None:
        function = await bench.start(environment={"MINE": "1"})
        inside = await function.run("import os; answer = dict(os.environ)")
        assert "CLOUDLET_TEST_SECRET" not in inside
        expected = set(function.sandbox.spec.environment) | {"AWS_LAMBDA_RUNTIME_API", "AWS_ENDPOINT_URL"}
        assert set(inside) == expected
        assert inside["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
        assert inside["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
        leaked = await function.run("answer = 'TEST_SECRET' in open('/proc/self/environ').read()")
        assert leaked is False
        await function.close()

    async def test_its_memory_holds_nothing_of_earlier_functions(self, bench: Bench) -> None:
        """A sandbox begins as a copy of its zygote: that must never have seen another function's variables."""
        secret = secrets.token_hex(16)
        for _ in range(3):
            other = await bench.start(environment={"THEIR_SECRET": secret})
            await other.close()
        function = await bench.start()
        found = await function.run(
            f"""
            import re
            first, second = {secret[:16].encode()!r}, {secret[16:].encode()!r}  # never joined in this process
            answer = []
            with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
                for line in maps:
                    start, end = (int(place, 16) for place in line.split()[0].split("-"))
                    if "r" not in line.split()[1] or "[v" in line:
                        continue
                    memory.seek(start)
                    block = memory.read(end - start)
                    if any(block.startswith(second, found.end()) for found in re.finditer(first, block)):
                        answer.append(line)
            """
        )
        assert found == []
        await function.close()


@pytest.fixture(scope="module")
def host_server() -> Iterator[int]:
    """A server on the host's loopback, and one behind an abstract name."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0cloudlet-test-{os.getpid()}")
        local.listen()
        yield server.getsockname()[1]


class TestNetwork:
    async def test_it_has_the_loopback_interface_only(self, shared: RunningFunction) -> None:
        assert await shared.run("import socket; answer = [name for _, name in socket.if_nameindex()]") == ["lo"]

    async def test_the_hosts_loopback_is_another(self, shared: RunningFunction, host_server: int) -> None:
        with socket.create_connection(("127.0.0.1", host_server)):  # it is there, outside
            pass
        refused = await shared.run(
            f"""
            import socket
            try:
                socket.create_connection(("127.0.0.1", {host_server}), 1)
            except OSError as error:
                answer = error.errno
            """
        )
        assert refused == errno.ECONNREFUSED

    async def test_the_hosts_abstract_sockets_are_others(self, shared: RunningFunction, host_server: int) -> None:
        refused = await shared.run(
            f"""
            import socket
            try:
                socket.socket(socket.AF_UNIX).connect("\\0cloudlet-test-{os.getpid()}")
            except OSError as error:
                answer = error.errno
            """
        )
        assert refused == errno.ECONNREFUSED

    async def test_there_is_no_way_to_other_machines(self, shared: RunningFunction) -> None:
        refused = await shared.run(
            """
            import socket
            answer = []
            for address in ("10.255.255.53", "192.0.2.1", "169.254.169.254"):
                try:
                    socket.create_connection((address, 80), 1)
                except OSError as error:
                    answer.append(error.errno)
            """
        )
        assert refused == [errno.ENETUNREACH] * 3

    @pytest.mark.parametrize(
        ("family", "kind", "expected"),
        [
            ("AF_PACKET", "SOCK_RAW", errno.EAFNOSUPPORT),
            ("AF_INET", "SOCK_RAW", errno.EPERM),
            ("AF_INET6", "SOCK_RAW", errno.EPERM),
            ("AF_VSOCK", "SOCK_STREAM", errno.EAFNOSUPPORT),
            ("AF_ALG", "SOCK_SEQPACKET", errno.EAFNOSUPPORT),
        ],
    )
    async def test_odd_sockets_are_refused(
        self, shared: RunningFunction, family: str, kind: str, expected: int
    ) -> None:
        refused = await shared.run(
            f"""
            import socket
            try:
                socket.socket(socket.{family}, socket.{kind}, 1 if "{family}" == "AF_INET" else 0)
            except OSError as error:
                answer = error.errno
            """
        )
        assert refused in (expected, errno.EPROTONOSUPPORT)

    async def test_netlink_can_only_ask_for_routes(self, shared: RunningFunction) -> None:
        source = "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(); answer = 1"
        assert await shared.run(source) == 1
        refused = await shared.run(
            """
            import socket
            try:
                socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
            except OSError as error:
                answer = error.errno
            """
        )
        assert refused == errno.EPROTONOSUPPORT


FORBIDDEN = [
    "mount", "umount2", "pivot_root", "chroot", "ptrace", "unshare", "setns", "bpf", "keyctl", "add_key",
    "request_key", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "kexec_load", "init_module",
    "finit_module", "delete_module", "open_by_handle_at", "name_to_handle_at", "process_vm_readv", "process_vm_writev",
    "pidfd_getfd", "open_tree", "move_mount", "fsopen", "fsmount", "mount_setattr", "swapon", "reboot", "sethostname",
    "settimeofday", "clock_settime", "syslog", "quotactl", "acct", "kcmp", "move_pages", "fanotify_init",
]  # fmt: skip


class TestKernel:
    @pytest.mark.parametrize("name", FORBIDDEN)
    async def test_a_powerful_call_is_refused(self, shared: RunningFunction, name: str) -> None:
        number = syscall_numbers.denied(platform.machine())[name]
        assert await shared.run(f"{CALL}\nanswer = call({number}, 0, 0, 0, 0, 0)") == errno.EPERM

    async def test_namespaces_cannot_be_made_by_clone(self, shared: RunningFunction) -> None:
        clone = syscall_numbers.checked(platform.machine())["clone"]
        for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000):
            assert await shared.run(f"{CALL}\nanswer = call({clone}, {flag | 17}, 0, 0, 0, 0)") == errno.EPERM

    async def test_clone3_and_unknown_calls_do_not_exist(self, shared: RunningFunction) -> None:
        assert await shared.run(f"{CALL}\nanswer = [call(435, 0, 0), call(900), call(2000)]") == [errno.ENOSYS] * 3

    async def test_users_cannot_be_changed(self, shared: RunningFunction) -> None:
        refused = await shared.run(
            """
            import os
            answer = []
            for attempt in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]),
                            lambda: os.setresuid(0, 0, 0), lambda: os.chown("/tmp", 0, 0), lambda: os.nice(-5)):
                try:
                    attempt()
                except OSError as error:
                    answer.append(error.errno)
            """
        )
        assert len(refused) == 6
        assert set(refused) <= {errno.EPERM, errno.EINVAL}  # EINVAL: this user is nobody's number in here

    async def test_the_kernels_settings_cannot_be_changed(self, shared: RunningFunction) -> None:
        refused = await shared.run(
            """
            answer = []
            for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
                         "/proc/sys/kernel/hostname", "/proc/self/oom_score_adj", "/proc/self/mem"):
                try:
                    open(path, "w")
                except OSError as error:
                    answer.append(error.errno)
            """
        )
        assert len(refused) == 6

    async def test_shared_memory_of_the_host_is_not_there(self, shared: RunningFunction) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        key = int.from_bytes(os.urandom(3), "big") | 1
        segment = libc.shmget(key, 4096, 0o1666)
        assert segment >= 0
        try:
            number = syscall_numbers.allowed(platform.machine())["shmget"]
            assert await shared.run(f"{CALL}\nanswer = call({number}, {key}, 4096, 0)") == errno.ENOENT
        finally:
            libc.shmctl(segment, 0, None)

    async def test_the_host_name_is_its_own(self, shared: RunningFunction) -> None:
        assert await shared.run("import socket; answer = socket.gethostname()") != socket.gethostname()


class TestResources:
    async def test_a_fork_bomb_is_limited(self, bench: Bench) -> None:
        function = await bench.start(memory_mb=2048)
        count = await function.run(
            """
            import os, signal
            children = []
            try:
                while len(children) < 5000:
                    child = os.fork()
                    if child == 0:
                        signal.pause()
                    children.append(child)
            except OSError:
                pass
            answer = len(children)
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            """
        )
        assert 100 < count < 1024
        await function.close()

    async def test_memory_is_limited(self, bench: Bench) -> None:
        function = await bench.start(memory_mb=128)
        source = """
            try:
                block = bytearray(1024 * 1024 * 1024)
                for place in range(0, len(block), 4096):
                    block[place] = 1
            except MemoryError:
                answer = "refused"
            """
        if function.sandbox.limits_memory:
            with pytest.raises(EOFError) as end:
                await function.run(source)
            assert end.value.args == (ExitStatus(code=None, signal=9, out_of_memory=True),)
        else:
            assert await function.run(source) == "refused"
        await function.close()

    async def test_files_in_tmp_are_not_memory(self, bench: Bench) -> None:
        function = await bench.start(memory_mb=64, ephemeral_storage_mb=512)
        size = await function.run(
            """
            import os
            with open("/tmp/file", "wb") as file:
                for _ in range(200):
                    file.write(bytes(1024 * 1024))
            answer = os.path.getsize("/tmp/file") // 1024 // 1024
            """
        )
        assert size == 200
        assert function.sandbox.memory_peak_bytes() < 120 * 1024 * 1024
        await function.close()

    async def test_the_most_memory_used_is_known(self, bench: Bench) -> None:
        function = await bench.start(memory_mb=512)
        before = function.sandbox.memory_peak_bytes()
        await function.run("block = bytearray(100 * 1024 * 1024)\nfor i in range(0, len(block), 4096): block[i] = 1")
        grown = function.sandbox.memory_peak_bytes() - before
        assert 90 * 1024 * 1024 < grown < 130 * 1024 * 1024
        await function.close()

    async def test_no_more_files_than_on_aws_can_be_open(self, fresh: RunningFunction) -> None:
        count = await fresh.run(
            """
            files = []
            try:
                while True:
                    files.append(open("/dev/null"))
            except OSError:
                answer = len(files)
            del files
            """
        )
        assert 1000 < count < 1024


class TestWhatWorks:
    async def test_threads_and_processes(self, fresh: RunningFunction) -> None:
        answer = await fresh.run(
            """
            import concurrent.futures, multiprocessing, subprocess, threading
            values = []
            threads = [threading.Thread(target=values.append, args=(n,)) for n in range(20)]
            [t.start() for t in threads]
            [t.join() for t in threads]
            shell = subprocess.run("echo $((6*7)) | cat", shell=True, capture_output=True, text=True).stdout.strip()
            context = multiprocessing.get_context("fork")
            ours, theirs = context.Pipe()
            process = context.Process(target=lambda: theirs.send("hello"))
            process.start()
            message = ours.recv()
            process.join()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                squares = list(pool.map(lambda n: n * n, range(5)))
            answer = [len(values), shell, message, squares, process.exitcode]
            """
        )
        assert answer == [20, "42", "hello", [0, 1, 4, 9, 16], 0]

    async def test_sockets(self, shared: RunningFunction) -> None:
        answer = await shared.run(
            """
            import asyncio, socket
            async def talk():
                async def echo(reader, writer):
                    writer.write(await reader.readline())
                    await writer.drain()
                    writer.close()
                server = await asyncio.start_server(echo, "localhost", 0)
                port = server.sockets[0].getsockname()[1]
                reader, writer = await asyncio.open_connection("localhost", port)
                writer.write(b"over tcp\\n")
                line = await reader.readline()
                writer.close()
                server.close()
                return line.decode().strip()
            a, b = socket.socketpair()
            a.send(b"x")
            answer = [asyncio.run(talk()), b.recv(1).decode(), socket.getaddrinfo("localhost", 80)[0][4][0]]
            """
        )
        assert answer[:2] == ["over tcp", "x"]
        assert answer[2] in ("127.0.0.1", "::1")

    async def test_memory_maps_files_and_databases(self, fresh: RunningFunction) -> None:
        answer = await fresh.run(
            """
            import hashlib, mmap, os, select, signal, sqlite3, ssl, tempfile, time
            shared = mmap.mmap(-1, 1 << 20)
            shared[:5] = b"hello"
            memory = os.memfd_create("x")
            os.write(memory, b"y")
            with tempfile.NamedTemporaryFile() as file:
                with sqlite3.connect(file.name) as database:
                    database.execute("pragma journal_mode=wal")
                    database.execute("create table t (a)")
                    database.execute("insert into t values (1)")
                    rows = database.execute("select * from t").fetchall()
            epoll = select.epoll()
            ssl.create_default_context()
            time.sleep(0.001)
            os.sched_yield()
            os.mkfifo("/tmp/fifo")
            answer = [shared[:5].decode(), rows, os.cpu_count() > 0, hashlib.sha256(b"").hexdigest()[:4]]
            """
        )
        assert answer == ["hello", [[1]], True, "e3b0"]

    async def test_a_process_of_its_own_can_be_watched_and_killed(self, shared: RunningFunction) -> None:
        answer = await shared.run(
            """
            import subprocess
            process = subprocess.Popen(["sleep", "1000"])
            process.kill()
            answer = process.wait()
            """
        )
        assert answer == -9

    async def test_orphans_leave_no_zombies(self, fresh: RunningFunction) -> None:
        states = await fresh.run(
            """
            import os, time
            for _ in range(5):
                if os.fork() == 0:
                    if os.fork() == 0:
                        os._exit(0)
                    os._exit(0)
                os.wait()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline and len([p for p in os.listdir("/proc") if p.isdigit()]) > 2:
                time.sleep(0.01)
            answer = sorted(p for p in os.listdir("/proc") if p.isdigit())
            """
        )
        assert states == ["1", "2"]


async def test_many_at_once_are_apart(bench: Bench) -> None:
    functions = await asyncio.gather(*[bench.start() for _ in range(8)])
    writes = [function.run(f"open('/tmp/me', 'w').write('{n}')") for n, function in enumerate(functions)]
    await asyncio.gather(*writes)
    assert await asyncio.gather(*[function.run("answer = open('/tmp/me').read()") for function in functions]) == [
        str(n) for n in range(8)
    ]
    await asyncio.gather(*[function.close() for function in functions])
