"""Snapshots as the launcher has them: taken from a sandbox that offers itself, and handed to those that become it.

    sandbox --description--> --a byte: now-->  launcher --fork--> writer: /proc/<pid>/mem -> file in memory
                                                         <--where its parts are--
The kernel says which process has sent the byte. The file and what was in the sandbox's /tmp are all that is kept: the
sandbox itself can end. A snapshot is good for forks of the zygote that it comes from, and ends with that.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
from typing import Any, Callable, NamedTuple

from . import checkpoint_writer, messages, syscalls
from .launches import Launch
from .links import ZygoteLink

_CREDENTIALS = struct.Struct("iII")
_BESIDES_BYTES = 256 * 1024 * 1024
"""A snapshot may be so much larger than the function's memory: what the zygote has brought is in it, too."""


class Snapshot(NamedTuple):
    """What is kept."""

    zygote: ZygoteLink
    file: int
    json: tuple[int, int]
    """Where its description is in the file, and how long that is."""
    files: int | None
    """The /tmp that belongs to it, where anything is in it."""


class _Offer:
    """A sandbox that is to become a snapshot."""

    def __init__(self, launch: Launch, zygote: ZygoteLink, line: socket.socket) -> None:
        self.launch = launch
        self.zygote = zygote
        self.line = line
        self.description = b""
        """As JSON, and read by the writer only: it is the function's to choose."""
        self.file: int | None = None
        self.writer: int | None = None
        """The process that writes the file (a pidfd)."""

    def close(self) -> None:
        self.line.close()
        if self.writer is not None:
            try:
                signal.pidfd_send_signal(self.writer, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(self.writer)
            self.writer = None
        if self.file is not None:
            os.close(self.file)
            self.file = None


class Desk:
    """All snapshots of a launcher, and those that are being taken."""

    def __init__(
        self,
        handle: Callable[[int, int, Callable[[], None]], None],
        forget: Callable[[int], None],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        """`handle` and `forget` are of the launcher's loop; `tell` sends to the node."""
        self._handle = handle
        self._forget = forget
        self._tell = tell
        self._offers: dict[str, _Offer] = {}
        self._kept: dict[str, Snapshot] = {}

    def provide(
        self, launch: Launch, zygote: ZygoteLink, ours: list[tuple[str, int]]
    ) -> tuple[dict[str, Any], list[tuple[str, int]]]:
        """What a sandbox is told and given when it is to become a snapshot, or to wake up from one.

        Adds to `ours` what is to be closed once it is sent. Raises OSError.
        """
        wanted = launch.request["snapshot"]
        if wanted == "take":
            ours.append(("snapshot", self._expect(launch, zygote)))
            return {"take": True}, []
        if not wanted:
            return {}, []
        snapshot = self._find(wanted, zygote)
        shared = [("snapshot", snapshot.file)]
        if snapshot.files is not None and not launch.request["follows"]:
            shared.append(("files", snapshot.files))
        return {"json": snapshot.json}, shared

    def _expect(self, launch: Launch, zygote: ZygoteLink) -> int:
        """A sandbox will offer itself; the descriptor that it does so on, for it to be handed over and closed."""
        ours, theirs = messages.pair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        offer = self._offers[launch.id] = _Offer(launch, zygote, ours)
        self._handle(ours.fileno(), select.EPOLLIN, lambda: self._offered(offer))
        return theirs.detach()

    def _find(self, name: str, zygote: ZygoteLink) -> Snapshot:
        """Raises OSError when it is gone."""
        found = self._kept.get(name)
        if found is None or found.zygote is not zygote:
            raise OSError("the snapshot is gone")
        return found

    def drop(self, name: str) -> None:
        """It is needed no more."""
        snapshot = self._kept.pop(name, None)
        if snapshot is not None:
            os.close(snapshot.file)
            if snapshot.files is not None:
                os.close(snapshot.files)

    def zygote_ended(self, zygote: ZygoteLink) -> None:
        """Nothing can become its snapshots any more."""
        for name, snapshot in list(self._kept.items()):
            if snapshot.zygote is zygote:
                self.drop(name)
                self._tell({"t": "snapshot lost", "id": name})

    def launch_ended(self, launch: Launch) -> None:
        """If it had offered itself, that is over."""
        offer = self._offers.pop(launch.id, None)
        if offer is not None:
            self._forget(offer.line.fileno())
            offer.close()

    def _offered(self, offer: _Offer) -> None:
        """The description first, then a byte of the very process."""
        try:
            room = socket.CMSG_SPACE(_CREDENTIALS.size)
            data, ancillary, _flags, _address = offer.line.recvmsg(messages.MAX_MESSAGE_BYTES, room)
            if not data:  # all its processes have ended: that is told as the sandbox's end
                self.launch_ended(offer.launch)
                return
            if not offer.description:
                offer.description = data
                return
            self._take(offer, _sender(ancillary))
        except (OSError, ValueError) as error:
            self._fail(offer, str(error))

    def _fail(self, offer: _Offer, error: str) -> None:
        self.launch_ended(offer.launch)
        self._tell({"t": "snapshot", "id": offer.launch.id, "error": error})

    def _take(self, offer: _Offer, pid: int) -> None:
        """Have it written by a process that may take its time."""
        offer.file = os.memfd_create("snapshot", os.MFD_CLOEXEC | getattr(os, "MFD_ALLOW_SEALING", 2))
        process = os.pidfd_open(pid)
        ours, theirs = messages.pair()
        writer = os.fork()
        if writer == 0:
            ours.close()
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            _write(process, offer, theirs)
        os.close(process)
        theirs.close()
        offer.writer = os.pidfd_open(writer)
        self._forget(offer.line.fileno())
        offer.line.close()
        offer.line = ours
        self._handle(ours.fileno(), select.EPOLLIN, lambda: self._written(offer))

    def _written(self, offer: _Offer) -> None:
        received = messages.receive(offer.line)
        answer: dict[str, Any] = received[0] if received is not None else {"error": "the snapshot's writer has ended"}
        if "error" in answer or offer.file is None:
            self._fail(offer, answer["error"])
            return
        try:
            files = _kept_files(offer.launch.temporary)
        except OSError as error:
            self._fail(offer, str(error))
            return
        file, offer.file = offer.file, None
        self._kept[offer.launch.id] = Snapshot(offer.zygote, file, (answer["at"], answer["bytes"]), files)
        self.launch_ended(offer.launch)
        size = os.fstat(file).st_blocks * 512
        self._tell({"t": "snapshot", "id": offer.launch.id, "size_bytes": size})


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid: int = _CREDENTIALS.unpack(content[: _CREDENTIALS.size])[0]
            return pid
    raise OSError("nobody knows who offers itself")


def outer_pid(pidfd: int) -> int:
    """The number of a process in /proc, which the launcher has from outside of its own namespace. Raises OSError."""
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    raise OSError("the process is not to be seen")


def _check_is_of(launch: Launch, process: int, pid: int) -> None:
    """Raises OSError unless this process is the sandbox's.

    Whoever has sent the byte may have ended since, and its number may be another's. Once `pid` is seen to be in the
    sandbox's own user namespace, and `process` to be alive after that, what was opened before is the sandbox's.
    """
    kit = launch.kit
    if kit is None or kit.user is None:
        raise OSError("the sandbox has no namespaces of its own")
    if os.stat(f"/proc/{pid}/ns/user").st_ino != os.fstat(kit.user).st_ino:
        raise OSError("the process is not one of the sandbox")
    signal.pidfd_send_signal(process, 0)


def _write(process: int, offer: _Offer, line: socket.socket) -> None:
    """In a fork of the launcher. Does not return."""
    try:
        if offer.file is None:
            raise ValueError("nothing is offered")
        pid = outer_pid(process)
        limit = offer.launch.limits.memory_bytes + _BESIDES_BYTES
        writer = checkpoint_writer.Writer(pid, outer_pid(offer.zygote.process), offer.file, limit)
        _check_is_of(offer.launch, process, pid)
        at, size = writer.write(json.loads(offer.description))
        messages.send(line, {"at": at, "bytes": size})
    except BaseException as error:  # whatever it is, the launcher must hear of it
        messages.send(line, {"error": f"{error.__class__.__name__}: {error}"})
    finally:
        os._exit(0)


def _kept_files(temporary: int | None) -> int | None:
    """A hold on the /tmp, unless it is empty. Raises OSError."""
    if temporary is None:
        return None
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=temporary)
    if os.listdir(folder):
        return folder
    os.close(folder)
    return None
