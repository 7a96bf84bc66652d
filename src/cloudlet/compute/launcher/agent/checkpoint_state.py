"""What belongs to a process besides its memory: descriptors, signals, its folder. Described, and made again elsewhere.

Files are opened again where they were. Pipes, pairs of local sockets, event descriptors and polls are made anew, so
that no two environments share one. A connection to anywhere is lost, as on AWS: in its place is a socket that has none,
of which every library finds out at its next use. What is none of these cannot be kept, and is refused by name.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-best-practices.html#snapstart-networking
"""

from __future__ import annotations

import array
import base64
import ctypes
import fcntl
import os
import select
import signal
import socket
import stat
import zlib
from typing import Any, Callable, Iterable, List, Tuple

from . import checkpoint_code

_ACTION_BYTES = 32
_LAST_SIGNAL = 64
_UNCHANGEABLE = (signal.SIGKILL, signal.SIGSTOP)
_MADE_ONCE = os.O_CREAT | os.O_EXCL | os.O_TRUNC
_PROBE = b"\0"
_LARGEST_UNNAMED = 64 * 1024 * 1024
_LARGEST_PACKED = 48 * 1024
"""All of the description has to go through one packet."""
_HIGH = 512
"""Descriptors that exist for the time of a restore only are moved above this number where they are in the way."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class CannotBeKept(RuntimeError):
    """The process has something that another one cannot have."""


def describe(ours: Iterable[int]) -> dict[str, Any]:
    """This process. `ours` are descriptors that a sandbox has of its own. Raises CannotBeKept."""
    return {
        "descriptors": _descriptors(frozenset(ours)),
        "signals": _signals().hex(),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "folder": os.getcwd(),
        "umask": _umask(),
    }


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _signals() -> bytes:
    """The kernel's actions of all signals."""
    actions = ctypes.create_string_buffer(_ACTION_BYTES * _LAST_SIGNAL)
    call = ctypes.c_long(checkpoint_code.number("rt_sigaction"))
    for number in range(1, _LAST_SIGNAL + 1):
        place = ctypes.byref(actions, _ACTION_BYTES * (number - 1))
        _libc.syscall(call, ctypes.c_int(number), None, place, ctypes.c_size_t(8))
    return actions.raw


def signal_entries(actions: int) -> list[bytes]:
    """System calls that set these signals' actions, which lie at the address `actions`."""
    return [
        checkpoint_code.entry("rt_sigaction", number, actions + _ACTION_BYTES * (number - 1), 0, 8)
        for number in range(1, _LAST_SIGNAL + 1)
        if number not in _UNCHANGEABLE
    ]


# -- descriptors

Made = Tuple[List[int], List[int]]
"""New descriptors, and the numbers that they are to have."""


def _descriptors(ours: frozenset[int]) -> list[dict[str, Any]]:
    found = []
    for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # it was the listing's own
            continue
        if number not in ours:
            found.append({**_described(number, target), "fd": number, "inherited": os.get_inheritable(number)})
    _find_pairs([each for each in found if each["kind"] == "pair"])
    return found


def _described(number: int, target: str) -> dict[str, Any]:
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    common = {"flags": flags & ~_MADE_ONCE, "target": target}
    if target.startswith("pipe:"):
        return {**common, "kind": "pipe"}
    if target.startswith("socket:"):
        return {**common, **_socket(number)}
    if target == "anon_inode:[eventpoll]":
        return {**common, "kind": "poll", "watched": _watched(number)}
    if target == "anon_inode:[eventfd]":
        return {**common, "kind": "event", "count": int(_information(number, "eventfd-count:")[0][1], 16)}
    mode = os.fstat(number).st_mode
    is_plain = stat.S_ISREG(mode)
    if (is_plain or stat.S_ISDIR(mode) or stat.S_ISCHR(mode)) and os.path.exists(target):
        return {**common, "kind": "file", "offset": os.lseek(number, 0, os.SEEK_CUR) if is_plain else 0}
    if is_plain and target.endswith(" (deleted)") and (content := _unnamed_content(number)) is not None:
        return {**common, "kind": "unnamed", "offset": os.lseek(number, 0, os.SEEK_CUR), "content": content}
    raise CannotBeKept(
        f"SnapStart: the function has file descriptor {number} ({target}) open after its init phase, which Cloudlet "
        "cannot restore. Close it in a before-snapshot hook."
    )


def _unnamed_content(number: int) -> str | None:
    """What is in a file that has no name (any more); None when that is too much to keep."""
    size = os.fstat(number).st_size
    if size > _LARGEST_UNNAMED:
        return None
    with open(f"/proc/self/fd/{number}", "rb") as file:
        packed = base64.b64encode(zlib.compress(file.read(), 1)).decode()
    return packed if len(packed) <= _LARGEST_PACKED else None


def _information(number: int, name: str) -> list[list[str]]:
    with open(f"/proc/self/fdinfo/{number}") as file:
        return [line.split() for line in file if line.startswith(name)]


def _watched(number: int) -> list[list[int]]:
    """Of a poll: descriptors, events, and the word that goes with them."""
    # tfd:        7 events:     2019 data:                7  pos:...
    return [[int(words[1]), int(words[3], 16), int(words[5], 16)] for words in _information(number, "tfd:")]


def _socket(number: int) -> dict[str, Any]:
    with socket.socket(fileno=os.dup(number)) as known:
        common = {"family": int(known.family), "type": int(known.type)}
        if known.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return {**common, "kind": "listener", "address": known.getsockname()}
        is_nameless = known.family == socket.AF_UNIX and not known.getsockname()
        try:
            peer: Any = known.getpeername()
        except OSError:
            peer = None
        return {**common, "kind": "pair" if is_nameless and peer in ("", b"") else "connection"}


def _find_pairs(found: list[dict[str, Any]]) -> None:
    """Tell which local sockets are each other's ends: what is sent into one comes out of the other."""
    left = list(found)
    while left:
        one = left.pop()
        with socket.socket(fileno=os.dup(one["fd"])) as end:
            other = _other_end(end, left)
        if other is None:
            one["kind"] = "connection"
        else:
            left.remove(other)
            one["peer"], other["peer"] = other["fd"], one["fd"]


def _other_end(end: socket.socket, candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    waiting = {each["fd"] for each in candidates if _is_readable(each["fd"])}
    try:
        end.send(_PROBE, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        return None
    for each in candidates:
        if each["fd"] not in waiting and _is_readable(each["fd"]):
            with socket.socket(fileno=os.dup(each["fd"])) as received:
                received.recv(1, socket.MSG_DONTWAIT)
            return each
    return None


def _is_readable(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


# -- and again


def recreate(description: dict[str, Any]) -> None:
    """Make the descriptors, and be in the folder. What has their numbers is replaced."""
    os.chdir(description["folder"])
    os.umask(description["umask"])
    listed, numbers = description["descriptors"], taken(description)
    made: dict[int, int] = {}
    for each in listed:
        if each["fd"] not in made and each["kind"] != "poll":
            for fd, number in zip(*_MAKERS[each["kind"]](each, listed)):
                made.setdefault(number, raised(fd, numbers))
    for each in listed:
        if each["kind"] == "poll":
            made[each["fd"]] = raised(_epoll(), numbers)
    for each in listed:
        os.dup2(made[each["fd"]], each["fd"], inheritable=each["inherited"])
    for each in listed:
        if each["kind"] != "file":
            fcntl.fcntl(each["fd"], fcntl.F_SETFL, each["flags"])
        if each["kind"] == "poll":
            _watch(each)
    for fd in made.values():
        os.close(fd)


def taken(description: dict[str, Any]) -> frozenset[int]:
    """The numbers of all descriptors that are to be made."""
    return frozenset(each["fd"] for each in description["descriptors"])


def raised(fd: int, numbers: frozenset[int]) -> int:
    """`fd`, moved out of the way where its number is one of these. Raises OSError."""
    if fd not in numbers:
        return fd
    moved: int = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(_HIGH, max(numbers) + 1))
    os.close(fd)
    return moved


def _unnamed(each: dict[str, Any], _listed: list[dict[str, Any]]) -> Made:
    fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with open(fd, "wb", closefd=False) as file:
        file.write(zlib.decompress(base64.b64decode(each["content"])))
    os.lseek(fd, each["offset"], os.SEEK_SET)
    return [fd], [each["fd"]]


def _file(each: dict[str, Any], _listed: list[dict[str, Any]]) -> Made:
    fd = os.open(each["target"], each["flags"] | os.O_CLOEXEC)
    if each["offset"]:
        os.lseek(fd, each["offset"], os.SEEK_SET)
    return [fd], [each["fd"]]


def _pipe(each: dict[str, Any], listed: list[dict[str, Any]]) -> Made:
    """Both ends, each as often as there are descriptors of it."""
    ends = os.pipe()
    fds, numbers = [], []
    for one in listed:
        if one["target"] == each["target"]:
            fds.append(os.dup(ends[one["flags"] & os.O_ACCMODE != os.O_RDONLY]))
            numbers.append(one["fd"])
    for end in ends:
        os.close(end)
    return fds, numbers


def _pair(each: dict[str, Any], _listed: list[dict[str, Any]]) -> Made:
    one, other = socket.socketpair(each["family"], each["type"])
    return [one.detach(), other.detach()], [each["fd"], each["peer"]]


def _connection(each: dict[str, Any], _listed: list[dict[str, Any]]) -> Made:
    return [socket.socket(each["family"], each["type"]).detach()], [each["fd"]]


def _listener(each: dict[str, Any], _listed: list[dict[str, Any]]) -> Made:
    made = socket.socket(each["family"], each["type"])
    address = each["address"]
    made.bind(tuple(address) if isinstance(address, list) else address)
    made.listen()
    return [made.detach()], [each["fd"]]


def _event(each: dict[str, Any], _listed: list[dict[str, Any]]) -> Made:
    return [_eventfd(each["count"])], [each["fd"]]


def _eventfd(count: int) -> int:
    fd: int = _libc.eventfd(0, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "eventfd")
    if count:
        os.write(fd, array.array("Q", [count]).tobytes())
    return fd


def _epoll() -> int:
    fd: int = _libc.epoll_create1(0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "epoll_create1")
    return fd


class _PollEvent(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("events", ctypes.c_uint32), ("data", ctypes.c_uint64)]


_ADD = 1


def _watch(poll: dict[str, Any]) -> None:
    for fd, events, data in poll["watched"]:
        event = _PollEvent(events, data)
        _libc.epoll_ctl(poll["fd"], _ADD, fd, ctypes.byref(event))


_MAKERS: dict[str, Callable[[dict[str, Any], list[dict[str, Any]]], Made]] = {
    "file": _file,
    "unnamed": _unnamed,
    "pipe": _pipe,
    "pair": _pair,
    "connection": _connection,
    "listener": _listener,
    "event": _event,
}
