"""The external extensions that a function's layers bring: every file of their folder `extensions`.

https://docs.aws.amazon.com/lambda/latest/dg/extensions-configuration.html
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cloudlet.compute import reports
from cloudlet.compute.extensions import MAX_EXTENSIONS
from cloudlet.compute.reports import Failure

FOLDER: Final = "extensions"
LAUNCH_ERROR: Final = "Extension.LaunchError"


def external_extensions(layers: Iterable[Path]) -> tuple[str, ...]:
    """The names of the files that will be in /opt/extensions, in their order."""
    kinds: dict[str, bool] = {}
    for layer in layers:  # the later ones are mounted over the earlier ones
        try:
            with os.scandir(layer / FOLDER) as entries:
                kinds.update((entry.name, entry.is_dir()) for entry in entries)
        except OSError:
            continue
    return tuple(sorted(name for name, is_folder in kinds.items() if not is_folder))


def obstacle(names: tuple[str, ...]) -> Failure | None:
    """Why an environment with these extensions cannot start."""
    if len(names) > MAX_EXTENSIONS:
        return Failure("error", LAUNCH_ERROR, f"Too many extensions: {len(names)} of at most {MAX_EXTENSIONS}")
    return None


def not_started(name: str, error: int) -> tuple[Failure, str]:
    """The failure of an extension whose file cannot be run, and the word for it in the log."""
    word = "PermissionDenied" if error in (1, 13) else "UnknownError"
    text = os.strerror(error).lower()
    return Failure("error", LAUNCH_ERROR, f"fork/exec /opt/{FOLDER}/{name}: {text}"), word


def crashed(error_type: str, status: int) -> Failure:
    """The failure of an extension that ended; `status` is that of waitpid."""
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        text = "exit code 0"
    elif code > 0:
        text = f"exit status {code}"
    else:
        text = f"signal: {reports.signal_name(-code)}"
    return Failure("error", error_type, text)
