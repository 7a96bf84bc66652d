"""What this machine can do for functions, what is missing, and the command that mends it.

Nothing is guessed from versions or files where it can be tried: namespaces are made, and a sandbox is run.
"""

import asyncio
import os
import platform
import re
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cloudlet.compute.function import ComputeError
from cloudlet.compute.launcher.agent import cgroup_v1, cgroups, checkpoint_code, landlock, syscall_numbers
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import CUSTOM_RUNTIMES, Runtimes
from cloudlet.compute.sandbox import SandboxSpec

State = Literal["ok", "limited", "missing"]

_PROBE_TIMEOUT_S = 20.0
_OTHER_PLACES = "/usr/sbin:/usr/local/sbin"
"""An ordinary user's PATH often has not."""
_WANTED_DESCRIPTORS = 8192
_NAMESPACES = "Isolation by namespaces"
_NAMESPACES_PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
from agent import identity, syscalls
kinds = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC
who = "as root"
try:
    syscalls.unshare(kinds)
except PermissionError:
    who = "as an ordinary user"
    identity.become_root_of_own_namespace()
    syscalls.unshare(kinds)
print(who)
"""

_IMAGES_PROBE = """
import os, stat, sys
sys.path.insert(0, sys.argv[1])
from agent import identity, syscalls
os.chdir(sys.argv[2])
for folder in ("lower/folder/old", "upper/folder", "merged"):
    os.makedirs(folder)
open("lower/gone", "w").close()
try:
    os.mknod("upper/gone", stat.S_IFCHR, 0)
except PermissionError:
    open("upper/gone", "w").close()
    os.setxattr("upper/gone", "user.overlay.whiteout", b"y")
    os.setxattr("upper", "user.overlay.opaque", b"x")
os.setxattr("upper/folder", "user.overlay.opaque", b"y")
try:
    syscalls.unshare(syscalls.CLONE_NEWNS)
except PermissionError:
    identity.become_root_of_own_namespace()
    syscalls.unshare(syscalls.CLONE_NEWNS)
syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
syscalls.mount("overlay", "merged", "overlay", syscalls.MS_RDONLY, "lowerdir=upper:lower,userxattr")
assert os.listdir("merged") == ["folder"] and not os.listdir("merged/folder"), "deleted files show through"
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    remedy: str = ""
    """The command that mends it, or what else to do; empty where there is nothing to do."""


def _sysctl(name: str) -> str | None:
    try:
        return (Path("/proc/sys") / name.replace(".", "/", 1).replace(".", "/")).read_text().strip()
    except OSError:
        return None


def namespaces() -> Finding:
    """Make every kind of namespace that a sandbox needs, in a process of its own."""
    launcher = Path(__file__).parent / "launcher"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _NAMESPACES_PROBE, str(launcher)],
        capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False,
    )  # fmt: skip
    if result.returncode == 0:
        return Finding(_NAMESPACES, "ok", result.stdout.strip())
    reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
    return Finding(_NAMESPACES, "missing", reason, _namespaces_remedy())


def _namespaces_remedy() -> str:
    settings = (
        ("user.max_user_namespaces", "0", "15000"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    )
    for name, bad, good in settings:
        if _sysctl(name) == bad:
            return f"sudo sysctl -w {name}={good}"
    if _is_container():
        return "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    return "cloudlet up --isolation process (functions then share this machine's files and network)"


def _is_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def control_groups() -> Finding:
    """Which controllers this user may use, and of which version."""
    name = "Control groups (limits of memory and processes)"
    first = set(cgroup_v1.usable())
    if "memory" in first:
        return Finding(name, "ok", f"version 1: {', '.join(sorted(first))}")
    second: set[str] = set()
    for tree in cgroups.mounted():
        if not tree.controllers and any(os.access(folder, os.W_OK) for folder in (tree.own, tree.top)):
            second |= set(Path(tree.own, "cgroup.controllers").read_text().split())
    if "memory" in second:
        return Finding(name, "ok", f"version 2: {', '.join(sorted(second & {'memory', 'pids', 'cpu'}))}")
    remedy = "systemd-run --user --scope -p Delegate=yes cloudlet up"
    detail = "none that this user may use: each process is limited instead"
    return Finding(name, "limited", detail, remedy if shutil.which("systemd-run") else "run the node as root")


def seccomp() -> Finding:
    """The kernel's filter of system calls, and our table for this kind of machine."""
    name = "System call filter (seccomp)"
    if platform.machine() not in syscall_numbers.ARCHITECTURES:
        return Finding(name, "missing", f"there is no table of calls for {platform.machine()}")
    if _sysctl("kernel.seccomp.actions_avail") is None and not Path("/proc/sys/kernel/seccomp").exists():
        return Finding(name, "missing", "the kernel has none", "use a kernel with CONFIG_SECCOMP_FILTER")
    return Finding(name, "ok", f"{len(syscall_numbers.allowed(platform.machine()))} calls allowed")


def landlock_rules() -> Finding:
    """Landlock, the second wall around files."""
    version = landlock.version()
    if version:
        return Finding("Landlock", "ok", f"version {version}")
    remedy = "add landlock to the kernel's lsm= boot parameter (Linux 5.13 or newer)"
    return Finding("Landlock", "limited", "not in this kernel: files are protected by mounts alone", remedy)


def overlay() -> Finding:
    """overlayfs, which merges several layers."""
    filesystems = Path("/proc/filesystems").read_text().split()
    if "overlay" in filesystems:
        return Finding("overlayfs (functions with several layers)", "ok", "in the kernel")
    return Finding("overlayfs (functions with several layers)", "missing", "not in the kernel", "sudo modprobe overlay")


def images() -> Finding:
    """Lay two layers over each other, as a container image's are, one of which says that something is gone."""
    name = "Container images"
    with tempfile.TemporaryDirectory(prefix="cloudlet-doctor-") as folder:
        launcher = str(Path(__file__).parent / "launcher")
        probe = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _IMAGES_PROBE, launcher, folder],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    if probe.returncode == 0:
        return Finding(name, "ok", "layers can be mounted over each other")
    reason = probe.stderr.strip().rpartition("\n")[2] or f"status {probe.returncode}"
    remedy = "Linux 5.11 or newer; 6.8 where files lie on an overlay themselves (or in a container: a volume)"
    return Finding(name, "limited", f"layers cannot be mounted over each other: {reason}", remedy)


def descriptors() -> Finding:
    """How many files may be open: a sandbox takes about eight in the node."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _WANTED_DESCRIPTORS:
        return Finding("Open files", "ok", f"{hard}")
    return Finding("Open files", "limited", f"{hard}: some {hard // 10} sandboxes", f"ulimit -n {_WANTED_DESCRIPTORS}")


def python_snapshots() -> Finding:
    """SnapStart of Python functions."""
    name = "SnapStart of Python"
    if checkpoint_code.is_supported():
        return Finding(name, "ok", "snapshots are taken and restored by the launcher")
    return Finding(name, "limited", f"not on {platform.machine()}: SnapStart is refused when a version is published")


def criu() -> Finding:
    """CRIU (https://criu.org), which SnapStart of other languages than Python would need."""
    name = "CRIU (SnapStart of Java and Node.js)"
    program = shutil.which("criu") or shutil.which("criu", path=_OTHER_PLACES)
    found = f"{program}, {_version(program)}" if program else "not found"
    return Finding(name, "limited", f"{found}; there is none yet of these languages, with or without it")


def _version(program: str) -> str:
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "which does not run"
    version = re.search(r"\d+(\.\d+)*", answer.stdout)
    return version[0] if version else "of an unknown version"


def internet() -> Finding:
    """Whether functions reach more than the node."""
    return Finding("Functions' way to the internet", "limited", "none yet: functions reach this node only")


def runtimes(found: Runtimes) -> Iterable[Finding]:
    """Every interpreter that functions can use, and those that bring their own runtime."""
    interpreters = found.interpreters()
    if not found.interpreters("python"):
        yield Finding("Python runtimes", "missing", "no Python from 3.9 on was found", "pyenv install 3.13")
    for name, interpreter in interpreters.items():
        detail = f"{interpreter.version}, {interpreter.executable} ({interpreter.found_by})"
        if found.is_prepared(name):
            lacks = found.lacks(name)
            yield Finding(name, "limited", f"{detail}; has {lacks}") if lacks else Finding(name, "ok", detail)
        else:
            yield Finding(name, "ok", f"{detail}; prepared at first use, or by: cloudlet runtimes prepare {name}")
    yield Finding(", ".join(CUSTOM_RUNTIMES), "ok", "bring their own runtime")


async def sandbox() -> Finding:
    """Run one, as a function of a custom runtime would be."""
    name = "A sandbox"
    with tempfile.TemporaryDirectory(prefix="cloudlet-doctor-") as folder:
        code = Path(folder, "code")
        code.mkdir()
        bootstrap = code / "bootstrap"
        bootstrap.write_text("#!/bin/sh\nexit 42\n")
        for path in (Path(folder), code, bootstrap):
            path.chmod(0o755)
        launcher = SandboxLauncher(Runtimes(Path(folder, "runtimes"), interpreters={}), Path(folder, "state"))
        spec = SandboxSpec(secrets.token_hex(16), CUSTOM_RUNTIMES[0], "", code, (), {"PATH": "/usr/bin:/bin"}, 128, 512)
        try:
            await launcher.prepare(spec.runtime)
            started = time.perf_counter()
            made = await launcher.launch(spec)
            status = await made.exited
            duration_ms = (time.perf_counter() - started) * 1000
            made.close()
        except ComputeError as error:
            return Finding(name, "missing", str(error), "cloudlet up --isolation process")
        finally:
            await launcher.close()
    if status.code != 42:
        return Finding(name, "missing", f"its program ended with {status} in place of 42", "report this as an error")
    return Finding(name, "ok", f"made, run and removed in {duration_ms:.1f} ms")


PROBES: tuple[Callable[[], Finding], ...] = (
    namespaces, control_groups, seccomp, landlock_rules, overlay, images, descriptors, python_snapshots, criu,
    internet,
)  # fmt: skip


def examine(found: Runtimes) -> list[Finding]:
    """Everything, in the order in which a person would want to read it. Takes about a second."""
    return [asyncio.run(sandbox()), *(probe() for probe in PROBES), *runtimes(found)]
