"""The launcher's process: makes what sandboxes need, keeps the zygotes, and passes everything on to the node.

It has one thread and one loop. To the node it may block, for the node never blocks on it; to a zygote it never does:
a zygote is sent a launch only while it has few unanswered ones, and the rest wait here.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from typing import Any

from . import identity, messages, mounts, network, syscalls
from .launches import Launch
from .links import ZygoteLink

_HOST_NAME = "sandbox"
_TELEMETRY = "3"


class Launcher:
    """Serves the node's connection until it ends."""

    def __init__(self, node: socket.socket, state: str) -> None:
        self._node = node
        self._mountpoint = os.path.join(state, "root")
        os.makedirs(self._mountpoint, exist_ok=True)
        self._selector = selectors.DefaultSelector()
        self._zygotes: dict[str, ZygoteLink] = {}
        self._launches: dict[str, Launch] = {}
        self._pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def start(self) -> None:
        """Take up the rights that this process needs, and tell the node. Raises OSError."""
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
        except PermissionError:
            identity.become_root_of_own_namespace()
            syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
        self._users = identity.Users.detect(os.getpid())
        self._owner = self._users.owner_namespace()
        self._layers = mounts.Layers(self._mountpoint, self._owner)
        messages.send(self._node, {"t": "started"})

    def serve(self) -> None:
        """Until the node closes its end."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.register(self._node, selectors.EVENT_READ, None)
        while True:
            for key, _events in self._selector.select():
                if key.data is not None:
                    self._from_zygote(key.data)
                    continue
                received = messages.receive(self._node)
                if received is None:
                    return
                self._from_node(received[0])

    def _from_node(self, request: dict[str, Any]) -> None:
        link = self._zygote(request["runtime"])
        if request["t"] == "launch":
            launch = self._launches[request["id"]] = Launch(request)
            link.waiting.append(launch)
            self._dispatch(link)
        elif link.is_up:
            messages.send(self._node, {"t": "prepared", "runtime": link.name})

    def _zygote(self, runtime: dict[str, Any]) -> ZygoteLink:
        name = runtime["name"]
        if name not in self._zygotes:
            link = ZygoteLink.start(runtime, self._mountpoint, self._pid_namespace, self._users.base, self._owner)
            self._zygotes[name] = link
            self._selector.register(link.connection, selectors.EVENT_READ, link)
        return self._zygotes[name]

    def _dispatch(self, link: ZygoteLink) -> None:
        while link.may_send:
            launch = link.waiting.popleft()
            try:
                self._send_launch(link, launch)
            except OSError as error:
                self._fail(launch, str(error))

    def _send_launch(self, link: ZygoteLink, launch: Launch) -> None:
        """Make what the sandbox needs and send it to the zygote. Raises OSError."""
        request = launch.request
        launch.network = network.make_isolated()
        launch.user = self._users.take()
        environment = {
            **request["environment"],
            "AWS_LAMBDA_RUNTIME_API": launch.network.runtime_api_address,
            "AWS_ENDPOINT_URL": launch.network.platform_url,
        }
        passed: dict[str, int] = {}  # ours to close once they are sent
        try:
            passed["output"] = launch.make_pipe()
            if request["runtime"]["has_telemetry"]:
                passed["telemetry"] = launch.make_pipe()
                environment["_LAMBDA_TELEMETRY_LOG_FD"] = _TELEMETRY
            passed["code"] = mounts.detach(request["code"], owner=self._owner)
            if request["layers"]:
                passed["layers"] = self._layers.tree(request["layers"])
            kept = {"network": launch.network.namespace, "user": launch.user[1]}
            descriptors = {**passed, **{name: fd for name, fd in kept.items() if fd is not None}}
            spec = {
                "id": launch.id,
                "hostname": _HOST_NAME,
                "handler": request["handler"],
                "environment": environment,
                "owner_uid": self._users.base,
                "ephemeral_storage_mb": request["ephemeral_storage_mb"],
                "descriptors": list(descriptors),
            }
            link.send(launch, spec, list(descriptors.values()))
        finally:
            for fd in passed.values():
                os.close(fd)

    def _from_zygote(self, link: ZygoteLink) -> None:
        received = messages.receive(link.connection)
        if received is None:
            self._lose(link, "the zygote of this runtime has ended")
            return
        message, descriptors = received
        kind = message["t"]
        if kind == "up":
            link.is_up = True
            messages.send(self._node, {"t": "prepared", "runtime": link.name})
        elif kind == "broken":
            self._lose(link, message["error"])
            return
        else:
            self._progress(link, message, descriptors)
        self._dispatch(link)

    def _progress(self, link: ZygoteLink, message: dict[str, Any], descriptors: list[int]) -> None:
        """A launch has come further. The child speaks for itself, so its `ready` may overtake the zygote's `forked`."""
        launch = self._launches[message["id"]]
        kind = message["t"]
        if kind == "forked":
            link.unanswered.discard(launch)
            link.sandboxes.add(launch)
            launch.pid, launch.pidfd = message["pid"], descriptors[0]
        elif kind == "ready":
            launch.is_ready = True
        elif kind == "unforked":
            link.unanswered.discard(launch)
            self._fail(launch, message["error"])
        elif kind == "failed":
            launch.error = message["error"]
        elif kind == "exited":
            link.sandboxes.discard(launch)
            self._end(launch, message["status"])
            return
        if launch.is_ready and launch.pidfd is not None:
            self._hand_over(launch)

    def _hand_over(self, launch: Launch) -> None:
        message = {"t": "launched", "id": launch.id, "pid": launch.pid}
        messages.send(self._node, message, launch.descriptors_for_node())
        launch.is_handed_over = True
        launch.is_ready = False
        launch.close_descriptors()

    def _end(self, launch: Launch, status: int) -> None:
        if not launch.is_handed_over:
            self._fail(launch, launch.error or f"the sandbox ended while it was made (status {status})")
            return
        self._release(launch)
        messages.send(self._node, {"t": "exited", "id": launch.id, "status": status})

    def _fail(self, launch: Launch, error: str) -> None:
        self._release(launch)
        messages.send(self._node, {"t": "failed", "id": launch.id, "error": error})

    def _release(self, launch: Launch) -> None:
        del self._launches[launch.id]
        launch.close_descriptors()
        if launch.user is not None:
            self._users.give_back(*launch.user)

    def _lose(self, link: ZygoteLink, error: str) -> None:
        """A zygote is gone, and its sandboxes with it (their process 1 reads its end). The next launch starts another."""
        self._selector.unregister(link.connection)
        del self._zygotes[link.name]
        for launch in link.abandon():
            if launch.is_handed_over:
                self._end(launch, signal.SIGKILL)
            else:
                self._fail(launch, error)
        messages.send(self._node, {"t": "unprepared", "runtime": link.name, "error": error})


def main() -> None:
    """Arguments: the descriptor of the connection to the node, and a folder for the launcher's own use."""
    node = socket.socket(fileno=int(sys.argv[1]))
    node.set_inheritable(False)
    launcher = Launcher(node, sys.argv[2])
    try:
        launcher.start()
    except OSError as error:
        messages.send(node, {"t": "refused", "error": str(error)})
        return
    launcher.serve()
