"""How an image is run as a function: its own settings, and what the function's ImageConfig puts in their place.

What cannot be run is said in the words of AWS's supervisor, which is written in Go; see `NewSimpleBootstrap` in
https://github.com/aws/aws-lambda-runtime-interface-emulator
"""

import hashlib
from pathlib import Path
from typing import Final

from cloudlet.compute import reports
from cloudlet.compute.function import FunctionImage
from cloudlet.compute.images.engine import RunnableImage
from cloudlet.compute.images.overlay import MergedLayers
from cloudlet.compute.programs import HEAD_BYTES, exec_error
from cloudlet.compute.reports import Failure
from cloudlet.compute.sandbox import Container

EXTENSIONS: Final = "/opt/extensions"
INVALID_WORKING_DIRECTORY: Final = "Runtime.InvalidWorkingDir"
MAX_ARGUMENT_CHARACTERS: Final = 65536
_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_EXECUTABLE: Final = 0o111


def container(
    digest: str, image: RunnableImage, function: FunctionImage, path: str
) -> tuple[Container, Failure | None]:
    """What a sandbox of the image runs, and why it could not. Waits for a disk: call it in a thread.

    `path` is the function's own PATH, when it has one.
    """
    config = image.config
    entry_point = config.entrypoint if function.entry_point is None else function.entry_point
    arguments = config.command if function.command is None else function.command
    directory = function.working_directory or config.working_directory or "/"
    made = Container(_name(digest, image.layers), image.layers, (*entry_point, *arguments), directory)
    merged = image.merged
    obstacle = _directory_obstacle(merged, directory) or _program_obstacle(
        merged, made, path or config.environment.get("PATH", _DEFAULT_PATH)
    )
    return made, obstacle


def _name(digest: str, layers: tuple[Path, ...]) -> str:
    """Another one where a layer was deleted and unpacked again meanwhile: then its mounts are of no use."""
    seen = [(status.st_ino, status.st_ctime_ns) for status in (layer.stat() for layer in layers)]
    return f"{digest[:16]}-{hashlib.sha256(repr(seen).encode()).hexdigest()[:16]}"


def _directory_obstacle(merged: MergedLayers, directory: str) -> Failure | None:
    text = ""
    if not directory.startswith("/"):
        text = f"the working directory '{directory}' is invalid, it needs to be an absolute path"
    elif merged.find(directory) is None and directory != "/tmp":  # noqa: S108 - the sandbox's
        text = f"the working directory doesn't exist: {directory}"
    return Failure("error", INVALID_WORKING_DIRECTORY, text) if text else None


def _program_obstacle(merged: MergedLayers, made: Container, path: str) -> Failure | None:
    if not made.command or not made.command[0]:
        return _invalid("exec: no command")
    program = made.command[0]
    if sum(map(len, made.command)) > MAX_ARGUMENT_CHARACTERS:
        return _invalid(f"fork/exec {program}: argument list too long")
    if "/" not in program:
        places = [f"{folder or '.'}/{program}" for folder in path.split(":")]
        found = [place for place in places if _is_program(merged, _absolute(place, made.directory))]
        if not found:
            return _invalid(f'exec: "{program}": executable file not found in $PATH')
        return _format_obstacle(merged, _absolute(found[0], made.directory), program)
    place = _absolute(program, made.directory)
    if merged.find(place) is None:
        return _invalid(f"fork/exec {program}: no such file or directory")
    if not _is_program(merged, place):
        return _invalid(f"fork/exec {program}: permission denied")
    return _format_obstacle(merged, place, program)


def _format_obstacle(merged: MergedLayers, place: str, program: str) -> Failure | None:
    """A program of another machine, or none at all, is what most often is wrong with an image."""
    error = exec_error(merged.head(place, HEAD_BYTES))
    return _invalid(f"fork/exec {program}: {error}") if error else None


def _is_program(merged: MergedLayers, place: str) -> bool:
    found = merged.find(place)
    return found is not None and found.st_mode & _EXECUTABLE != 0 and found.st_mode & 0o170000 == 0o100000


def _absolute(place: str, directory: str) -> str:
    return place if place.startswith("/") else f"{directory}/{place}"


def _invalid(message: str) -> Failure:
    return Failure("error", reports.INVALID_ENTRYPOINT, message)
