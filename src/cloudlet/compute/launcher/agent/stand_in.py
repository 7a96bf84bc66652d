"""Runs a program that sees a folder of the host as /var/runtime, with an empty /tmp: as a sandbox will see it.

For preparing runtimes whose files remember where they lay. usage: main(folder, program, arguments...)
"""

from __future__ import annotations

import os
import sys

from . import identity, syscalls

_PLACE = "/var/runtime"


def main(folder: str, *command: str) -> None:
    """Become `command`. Raises OSError where this machine has no namespaces for us."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS)
    except PermissionError:
        identity.become_root_of_own_namespace()
        syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    tree = syscalls.open_tree(folder)  # it may lie in what is about to be covered
    for covered in ("/var", "/tmp"):
        syscalls.mount("cloudlet", covered, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
    os.mkdir(_PLACE)
    syscalls.move_mount(tree, _PLACE)
    os.chdir(_PLACE)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
