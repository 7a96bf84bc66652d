"""A sandbox's network: a namespace with the loopback interface alone, and the two sockets that the node listens on.

It is made by the launcher ahead of its use, because it is the slowest part of a sandbox (0.5 ms to make).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from . import syscalls

RUNTIME_API_PORT = 9001
"""Where AWS's own sandboxes have it; a runtime is told by AWS_LAMBDA_RUNTIME_API."""
PLATFORM_PORT = 4566
_BACKLOG = 128
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_IFF_LOOPBACK = 8
_IFF_RUNNING = 64


class Network:
    """One sandbox's network."""

    def __init__(self, namespace: int | None, runtime_api: socket.socket, platform: socket.socket) -> None:
        self.namespace = namespace
        """None without isolation: the host's own network."""
        self.runtime_api = runtime_api
        self.platform = platform

    @property
    def runtime_api_address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API says."""
        return "{}:{}".format(*self.runtime_api.getsockname())

    @property
    def platform_url(self) -> str:
        """What AWS_ENDPOINT_URL says."""
        return "http://{}:{}".format(*self.platform.getsockname())

    def close_listeners(self) -> None:
        """The node has them. May be called twice."""
        self.runtime_api.close()
        self.platform.close()

    def make_socket(self, home: int | None) -> socket.socket:
        """A TCP socket in this network, not connected. The calling process is in it for a moment. Raises OSError."""
        if self.namespace is None or home is None:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        syscalls.setns(self.namespace, syscalls.CLONE_NEWNET)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            syscalls.setns(home, syscalls.CLONE_NEWNET)

    def close(self) -> None:
        """Give back our copies of the descriptors. May be called twice."""
        self.close_listeners()
        if self.namespace is not None:
            os.close(self.namespace)
            self.namespace = None


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", _IFF_UP | _IFF_LOOPBACK | _IFF_RUNNING)
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)


def leave_host() -> int:
    """Move the calling process to a namespace without any network, and return that as a descriptor."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    return _current()


def _current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def make_isolated(home: int) -> Network:
    """A new namespace. The calling process is in it for a moment, and then back in its own, `home`."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    try:
        _bring_up_loopback()
        return Network(_current(), _listen(RUNTIME_API_PORT), _listen(PLATFORM_PORT))
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWNET)


def make_shared() -> Network:
    """The host's network, with two ports of its loopback: what is left without namespaces."""
    return Network(None, _listen(0), _listen(0))
