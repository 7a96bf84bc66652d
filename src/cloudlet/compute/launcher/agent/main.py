"""The launcher's process begins here: ready for sandboxes, or it tells the node why it cannot be."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys

from . import bare, cgroups, messages, namespaces
from .host import Host
from .launcher import Launcher


def _raise_descriptor_limit() -> None:
    """A sandbox holds some descriptors here: use what the machine allows."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Arguments: the connection to the node (a descriptor), a folder for the launcher's own use, the isolation."""
    node = socket.socket(fileno=int(sys.argv[1]))
    node.set_inheritable(False)
    _raise_descriptor_limit()
    groups = cgroups.detect()  # before this process is in a namespace, where it would see less

    def remove_groups() -> None:
        if groups is not None:
            groups.close()

    try:
        is_isolated = sys.argv[3] == "namespaces"
        host: Host = namespaces.take_over(sys.argv[2], node, remove_groups) if is_isolated else bare.take_over()
    except OSError as error:
        with contextlib.suppress(BrokenPipeError):
            messages.send(node, {"t": "refused", "error": str(error)})
        return
    launcher = Launcher(node, host, groups)
    try:
        messages.send(node, {"t": "started", "groups": groups.name if groups is not None else ""})
        launcher.serve()
    except BrokenPipeError:  # the node is gone
        pass
    finally:
        launcher.close()
