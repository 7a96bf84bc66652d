"""Whether this machine can run a file as a program, as far as its first bytes tell.

What cannot be run is said as AWS's supervisor says it, which is written in Go: `fork/exec /var/task/bootstrap: ` and
the kernel's error.
"""

import struct
from typing import Final

from cloudlet.compute.images.manifest import machine_architecture

HEAD_BYTES: Final = 256
"""So much of a file the kernel looks at."""
_MACHINES: Final = {"amd64": 62, "arm64": 183}
"""An ELF file's e_machine by the architecture of images."""


def exec_error(head: bytes) -> str:
    """Why a file that begins with `head` cannot be run; empty where it may be."""
    if head.startswith(b"#!"):
        line = head[2:].partition(b"\n")[0].strip(b" \t")
        interpreter = line.replace(b"\t", b" ").partition(b" ")[0]
        # Line ends of Windows: the kernel takes the \r for a part of the name, and nothing is called so.
        return "no such file or directory" if interpreter.endswith(b"\r") else ""
    if head.startswith(b"\x7fELF") and len(head) >= 20:
        (machine,) = struct.unpack_from("<H", head, 18)
        if machine == _MACHINES.get(machine_architecture(), machine):
            return ""
    return "exec format error"
