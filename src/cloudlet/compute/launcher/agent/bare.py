"""Isolation by what is left where there are no namespaces (`--isolation process`): the launcher's side of it.

Sandboxes are processes of the host, in its network and among its files. As root, each has a user of its own, when
the interpreter and the code can be reached by another user at all; no rights, the system call filter, Landlock and
the control groups are as in a sandbox with namespaces. It is for machines that allow no more, and for nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
from typing import Any

from . import identity, network, syscalls, zygote
from .cgroups import Group
from .host import Kit, Provision, cores_leave_the_sandbox

_PREFIX = "cloudlet-sandboxes-"
_VAR_TASK, _VAR_RUNTIME, _OPT = "/var/task", "/var/runtime", "/opt"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/sys/devices/system")


class Bare:
    """Makes what sandboxes without namespaces need."""

    is_short = False

    def __init__(self, instance: int) -> None:
        self._base = identity.Users.detect(instance).base if os.geteuid() == 0 else None
        self._next_slot = 1
        self._cores_leave = cores_leave_the_sandbox()
        _remove_leftovers()
        self._temporary = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        os.chmod(self._temporary, 0o711)

    def refill(self) -> None:
        """Nothing is made ahead."""

    def take(self) -> Kit:
        """Two ports of the loopback, and a number that no other sandbox has. Raises OSError."""
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        return Kit(network.make_shared(), slot, None)

    def take_after(self, kit: Kit) -> Kit:
        """The number of `kit`, and other ports. Raises OSError."""
        return kit._replace(network=network.make_shared())

    def make_socket(self, kit: Kit) -> socket.socket:
        """In the host's network, as all that such a sandbox has. Raises OSError."""
        return kit.network.make_socket(None)

    def give_back(self, kit: Kit, sandbox_id: str) -> None:
        """Remove its files."""
        kit.network.close()
        shutil.rmtree(self._folder(sandbox_id), ignore_errors=True)

    def _folder(self, sandbox_id: str) -> str:
        return os.path.join(self._temporary, sandbox_id)

    def provide(self, kit: Kit, request: dict[str, Any]) -> Provision:
        """Its folder for temporary files, its user, and the host's paths in place of AWS's. Raises OSError."""
        runtime, code = request["runtime"], request["code"]
        folder = self._folder(request["id"])
        if request.get("follows"):
            os.rename(self._folder(request["follows"]), folder)
        else:
            os.mkdir(folder, 0o700)
        uid = self._base + kit.slot if self._base is not None else None
        needed = [code, *request["layers"], *runtime.get("folders", ())]
        if uid is not None and all(map(is_public, needed)):
            os.chown(folder, uid, uid)
        else:
            uid = None
        places = {
            "task": code,
            "layers": list(reversed(request["layers"])),
            "runtime": runtime.get("folder", _VAR_RUNTIME),
            "interpreter": runtime.get("executable", ""),
            "temporary": folder,
        }
        spec = {
            "uid": uid,
            "cores_leave": self._cores_leave,
            "places": places,
            "readable": [*_SYSTEM, code, *request["layers"], *runtime.get("folders", ()), places["runtime"]],
            "environment": {**translated(request["environment"], places), "TMPDIR": folder},
        }
        return Provision(spec, [], [])

    def become_zygote(self, runtime: dict[str, Any], connection: int) -> None:
        """Start its interpreter; this very process serves runtimes that bring none. Raises OSError."""
        if "root" in runtime or "layers" in runtime:
            raise OSError("what comes from a container image needs isolation by namespaces")
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        settings = {
            "kind": runtime["kind"],
            "language": runtime.get("settings", {}),
            "runtime": runtime.get("folder", ""),
            "pid_namespace": None,
        }
        if runtime["kind"] == "python":
            os.set_inheritable(connection, True)
            parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            boot = f"import sys; sys.path[0] = {parent!r}; from agent.zygote import main; sys.exit(main())"
            command = [runtime["executable"], "-s", "-S", "-c", boot, str(connection), json.dumps(settings)]
            os.execve(command[0], command, runtime["environment"])
        os._exit(zygote.run(connection, settings))

    def sweep(self, kit: Kit, group: Group | None) -> None:
        """Kill what is in its control group, and all of its user's. Where there is neither, its zygote has swept."""
        if group is not None:
            group.kill()
        if self._base is not None:
            _kill_all_of(self._base + kit.slot)

    def close(self) -> None:
        """Remove all temporary files."""
        shutil.rmtree(self._temporary, ignore_errors=True)


def _remove_leftovers() -> None:
    """The folders of launchers that could not remove them."""
    parent = tempfile.gettempdir()
    for name in os.listdir(parent):
        pid = name[len(_PREFIX) :].partition("-")[0]
        if name.startswith(_PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)


def _kill_all_of(uid: int) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def is_public(path: str) -> bool:
    """True when every user can read what is at `path`."""
    current = os.path.realpath(path)
    wanted = 0o005
    while True:
        if os.stat(current).st_mode & wanted != wanted:
            return False
        if current == "/":
            return True
        current, wanted = os.path.dirname(current), 0o001


def translated(environment: dict[str, str], places: dict[str, Any]) -> dict[str, str]:
    """The platform's own variables with the host's paths in place of AWS's.

    Not the path of libraries, unless the function brings some: it is read at an interpreter's start only.
    """

    def path(value: str) -> str:
        entries = []
        for entry in value.split(":"):
            for place, real in (
                (_VAR_TASK, [places["task"]]),
                (_VAR_RUNTIME, [places["runtime"]]),
                (_OPT, places["layers"]),
            ):
                if entry == place or entry.startswith(place + "/"):
                    entries += [folder + entry[len(place) :] for folder in real]
                    break
            else:
                entries.append(entry)
        return ":".join(entries)

    names = ["LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "PYTHONPATH", "NODE_PATH", "RUBYLIB", "GEM_PATH", "PATH", "PWD"]
    if os.path.isdir(f"{places['task']}/lib") or places["layers"]:
        names.append("LD_LIBRARY_PATH")
    return {name: path(environment[name]) for name in names if name in environment}


def take_over() -> Bare:
    """Nothing to become."""
    return Bare(os.getpid())
