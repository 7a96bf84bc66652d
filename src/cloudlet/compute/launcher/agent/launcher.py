"""The launcher: makes what sandboxes need, keeps the zygotes, and passes everything on to the node.

It has one thread and one loop. To the node it may block, for the node never blocks on it; to a zygote it never does:
a zygote is sent a launch only while it has few unanswered ones, and the rest wait here.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from typing import Any

from . import cgroups, messages
from .host import Host, Kit
from .launch_message import send_launch
from .launches import Launch
from .links import ZygoteLink
from .loop import Loop
from .snapshots import Desk


class Launcher:
    """Serves the node's connection until it ends."""

    def __init__(self, node: socket.socket, host: Host, groups: cgroups.Hierarchy | None) -> None:
        self._node = node
        self._host = host
        self._groups = groups
        self._loop = Loop()
        self._zygotes: dict[str, ZygoteLink] = {}
        self._launches: dict[str, Launch] = {}
        self._ended: dict[str, Launch] = {}
        """Sandboxes that have ended, and that another may follow: it gets their user and their /tmp."""
        self._snapshots = Desk(self._loop.handle, self._loop.forget, lambda message: messages.send(node, message))

    def serve(self) -> None:
        """Until the node closes its end."""
        self._loop.handle(self._node.fileno(), select.EPOLLIN, self._from_node)
        self._loop.reap_children()
        self._loop.run(lambda: self._host.is_short, self._refill)

    def _refill(self) -> None:
        try:
            self._host.refill()
        except OSError:
            pass  # the launch that will need it reports it

    def _from_node(self) -> None:
        received = messages.receive(self._node)
        if received is None:
            self._loop.is_done = True
            return
        request, _descriptors = received
        if request["t"] in _ABOUT_SANDBOXES:
            _ABOUT_SANDBOXES[request["t"]](self, request)
            return
        try:
            link = self._zygote(request["runtime"])
        except OSError as error:
            self._refuse(request, f"no zygote can be started: {error}")
            return
        link.is_retired = False
        if request["t"] == "launch":
            launch = self._launches[request["id"]] = Launch(request)
            link.waiting.append(launch)
            self._dispatch(link)
        elif link.is_up:
            messages.send(self._node, {"t": "prepared", "runtime": link.name})

    def _refuse(self, request: dict[str, Any], error: str) -> None:
        """The machine has no room for another process: the sandboxes that there are live on."""
        if request["t"] == "launch":
            messages.send(self._node, {"t": "failed", "id": request["id"], "error": error})
        else:
            messages.send(self._node, {"t": "unprepared", "runtime": request["runtime"]["name"], "error": error})

    def _kill(self, request: dict[str, Any]) -> None:
        """The node could not take the sandbox that it was given."""
        launch = self._launches.get(request["id"])
        if launch is not None:
            _signal(launch.init, signal.SIGKILL)

    def _give_up(self, request: dict[str, Any]) -> None:
        """No sandbox will follow this one."""
        if launch := self._ended.pop(request["id"], None):
            self._return_kit(launch)
        elif launch := self._launches.get(request["id"]):
            launch.is_given_up = True

    def _retire(self, request: dict[str, Any]) -> None:
        """No sandbox of this runtime will be asked for in a while: its zygote ends after the last that there is."""
        link = self._zygotes.get(request["runtime"])
        if link is not None:
            link.is_retired = True
            self._end_if_retired(link)

    def _end_if_retired(self, link: ZygoteLink) -> None:
        if link.is_retired and link.is_unused and self._zygotes.get(link.name) is link:
            self._lose(link, "")

    def _drop_snapshot(self, request: dict[str, Any]) -> None:
        """Nobody will become this snapshot any more."""
        self._snapshots.drop(request["id"])

    def _terminate(self, request: dict[str, Any]) -> None:
        """The runtime is asked to end."""
        launch = self._launches.get(request["id"])
        if launch is not None:
            _signal(launch.runtime, signal.SIGTERM)

    def _make_socket(self, request: dict[str, Any]) -> None:
        """The node wants to connect to something in the sandbox."""
        launch = self._launches.get(request["id"])
        answer = {"t": "socket", "id": request["id"], "number": request["number"]}
        try:
            if launch is None or launch.kit is None:
                raise OSError("the sandbox has ended")
            with self._host.make_socket(launch.kit) as made:
                messages.send(self._node, answer, [made.fileno()])
        except BrokenPipeError:
            raise
        except OSError as error:
            messages.send(self._node, {**answer, "error": str(error)})

    def _zygote(self, runtime: dict[str, Any]) -> ZygoteLink:
        name = runtime["name"]
        if name not in self._zygotes:
            link = self._zygotes[name] = ZygoteLink.start(runtime, self._host)
            self._loop.handle(link.connection.fileno(), select.EPOLLIN, lambda: self._from_zygote(link))
            self._loop.handle(link.process, select.EPOLLIN, lambda: self._zygote_ended(link))
        return self._zygotes[name]

    def _dispatch(self, link: ZygoteLink) -> None:
        while link.may_send:
            launch = link.waiting.popleft()
            try:
                self._send_launch(link, launch)
            except (OSError, messages.MessageTooLarge) as error:
                self._fail(launch, str(error))

    def _send_launch(self, link: ZygoteLink, launch: Launch) -> None:
        """Make what the sandbox needs and send it to the zygote. Raises OSError, MessageTooLarge."""
        request = launch.request
        before = self._ended.pop(request.get("follows", ""), None)
        kit = launch.kit = self._kit_after(before)
        if before is None:
            request["follows"] = ""
        else:
            launch.temporary, before.temporary = before.temporary, None
        self._make_group(launch)
        send_launch(launch, kit, link, self._host, self._snapshots)

    def _kit_after(self, before: Launch | None) -> Kit:
        if before is None or before.kit is None:
            return self._host.take()
        try:
            return self._host.take_after(before.kit)
        except OSError:
            self._return_kit(before)
            raise

    def _make_group(self, launch: Launch) -> None:
        if self._groups is None:
            return
        group = launch.group = self._groups.create(launch.id, launch.limits)
        if group.notifier is not None:
            self._loop.handle(group.notifier, group.notifier_events, lambda: self._look_at_memory(launch))

    def _look_at_memory(self, launch: Launch) -> None:
        try:
            if launch.group is not None and launch.group.is_over_limit() and launch.init is not None:
                launch.is_over_limit = True
                _signal(launch.init, signal.SIGKILL)
        except OSError:  # it has ended meanwhile
            pass

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
        self._end_if_retired(link)

    def _zygote_ended(self, link: ZygoteLink) -> None:
        """Hear its last words, and give it up."""
        link.connection.setblocking(False)
        try:
            while self._zygotes.get(link.name) is link:
                self._from_zygote(link)
        except BlockingIOError:
            self._lose(link, "the zygote of this runtime has ended")

    def _progress(self, link: ZygoteLink, message: dict[str, Any], descriptors: list[int]) -> None:
        """A launch has come further. The child speaks for itself: its `ready` may overtake the zygote's `forked`."""
        launch = self._launches[message["id"]]
        kind = message["t"]
        if kind == "forked":
            link.unanswered.discard(launch)
            link.sandboxes.add(launch)
            launch.init, launch.runtime = descriptors
        elif kind == "temporary":
            (launch.temporary,) = descriptors
        elif kind == "ready":
            launch.is_ready = True
        elif kind == "failed":
            launch.error = message["error"]
        elif kind == "unforked":
            link.unanswered.discard(launch)
            self._fail(launch, message["error"])
        elif kind == "exited":
            link.sandboxes.discard(launch)
            self._end(launch, message["status"])
        if launch.is_ready and launch.init is not None and not launch.is_handed_over:
            messages.send(self._node, *launch.hand_over())
            launch.close_shared()

    def _end(self, launch: Launch, status: int) -> None:
        if not launch.is_handed_over:
            self._fail(launch, launch.error or f"the sandbox ended while it was made (status {status})")
            return
        self._sweep(launch)
        summary = launch.summary()
        self._release(launch, may_be_followed=True)
        messages.send(self._node, {"t": "exited", "id": launch.id, "status": status, **summary})

    def _let_die(self, launch: Launch) -> None:
        """Its zygote is gone: its first process ends, and takes along all that is not frozen."""
        if launch.group is not None:
            launch.group.thaw()

    def _sweep(self, launch: Launch) -> None:
        if launch.kit is not None:
            self._host.sweep(launch.kit, launch.group)

    def _fail(self, launch: Launch, error: str) -> None:
        self._release(launch)
        messages.send(self._node, {"t": "failed", "id": launch.id, "error": error})

    def _release(self, launch: Launch, *, may_be_followed: bool = False) -> None:
        del self._launches[launch.id]
        self._snapshots.launch_ended(launch)
        launch.close_ended()
        if launch.init is not None:
            os.close(launch.init)
            launch.init = None
        if launch.group is not None:
            if launch.group.notifier is not None:
                self._loop.forget(launch.group.notifier)
            launch.group.remove()
        if may_be_followed and not launch.is_given_up:
            self._ended[launch.id] = launch
        else:
            self._return_kit(launch)

    def _return_kit(self, launch: Launch) -> None:
        launch.close_temporary()
        if launch.kit is not None:
            self._host.give_back(launch.kit, launch.id)

    def _lose(self, link: ZygoteLink, error: str) -> None:
        """A zygote is gone, and its sandboxes with it: their process 1 sees it. The next launch starts another."""
        self._loop.forget(link.connection.fileno())
        self._loop.forget(link.process)
        del self._zygotes[link.name]
        self._snapshots.zygote_ended(link)
        for launch in link.abandon():
            self._let_die(launch)
            if launch.is_handed_over:
                self._end(launch, signal.SIGKILL)
            else:
                self._fail(launch, error)
        messages.send(self._node, {"t": "unprepared", "runtime": link.name, "error": error})

    def close(self) -> None:
        """End every zygote, and with it its sandboxes, and remove the control groups."""
        for link in list(self._zygotes.values()):
            for launch in link.abandon():
                self._let_die(launch)
                self._sweep(launch)
                self._release(launch)
        self._host.close()
        if self._groups is not None:
            self._groups.close()


def _signal(process: int | None, number: signal.Signals) -> None:
    """Send a signal to a process, by its pidfd, unless it is not there yet, or no more: that is still to be told."""
    if process is not None:
        try:
            signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            pass


_ABOUT_SANDBOXES = {
    "retire": Launcher._retire,
    "kill": Launcher._kill,
    "forget": Launcher._give_up,
    "terminate": Launcher._terminate,
    "socket": Launcher._make_socket,
    "drop snapshot": Launcher._drop_snapshot,
}
"""Messages of the node about a sandbox that there may be, by their names."""
