"""How node, launcher and zygotes talk: one JSON object and some descriptors per packet of a local socket.

Sockets are SOCK_SEQPACKET, so that a packet is whole or not there, and several writers may share one.
"""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any, Sequence

MAX_MESSAGE_BYTES = 128 * 1024
"""AWS allows 4 KB of variables; the rest is room for credentials, paths and errors."""
MAX_DESCRIPTORS = 32


class MessageTooLarge(ValueError):
    """A message is larger than a packet may be."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def encode(message: dict[str, Any]) -> bytes:
    """The packet of `message`. Raises MessageTooLarge."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(f"{len(data)} bytes do not fit in a message of {MAX_MESSAGE_BYTES}")
    return data


def as_file(message: dict[str, Any]) -> int:
    """The message as a file in memory, for a reader other than the receiver. Raises MessageTooLarge, OSError."""
    fd = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        os.write(fd, encode(message))
    except BaseException:
        os.close(fd)
        raise
    return fd


def from_file(fd: int) -> dict[str, Any]:
    """What `as_file` has written."""
    message: dict[str, Any] = json.loads(os.pread(fd, MAX_MESSAGE_BYTES, 0))
    return message


def send(connection: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message with copies of `descriptors`."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    connection.sendmsg([encode(message)], ancillary)


def send_to(fd: int, message: dict[str, Any], descriptors: Sequence[int]) -> None:
    """As `send`, for who has the connection as a descriptor only."""
    with socket.socket(fileno=os.dup(fd)) as connection:
        send(connection, message, descriptors)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors (close-on-exec), or None when the other end is gone."""
    room = socket.CMSG_LEN(MAX_DESCRIPTORS * array.array("i").itemsize)
    try:
        # Not socket.recv_fds: it forgets its flags, and the descriptors would be open in every program that is run.
        data, ancillary, _flags, _address = connection.recvmsg(MAX_MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    if not data:
        return None
    return json.loads(data), list(descriptors)
