"""CRIU on this machine: what SnapStart of other languages than Python would need.

https://criu.org
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WANTED: Final = 4
REMEDY: Final = f"install CRIU {WANTED} or newer (https://criu.org/Packages)"
_PROBE_TIMEOUT_S = 20.0
_OTHER_PLACES = "/usr/sbin:/usr/local/sbin"
"""An ordinary user's PATH often has not."""


@dataclass(frozen=True, slots=True)
class Criu:
    """What was found."""

    program: Path
    version: str
    """Empty when it does not say."""

    @property
    def is_new_enough(self) -> bool:
        return bool(self.version) and int(self.version.partition(".")[0]) >= WANTED


def find() -> Criu | None:
    """The program, if there is one. Takes some milliseconds."""
    program = shutil.which("criu") or shutil.which("criu", path=_OTHER_PLACES)
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Criu(Path(program), "")
    found = re.search(r"(\d+)(\.\d+)*", answer.stdout)
    return Criu(Path(program), found[0] if found else "")
