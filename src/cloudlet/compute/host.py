"""What an execution environment is made of, and where it is in its life."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudlet.clock import Clock
from cloudlet.compute.debugging import Debuggers
from cloudlet.compute.function import LogSink, TemporaryCredentials
from cloudlet.compute.reports import Failure
from cloudlet.compute.runtime_process import ServePlatform
from cloudlet.compute.sandbox import Container, Launcher
from cloudlet.ids import Ids


class State(enum.Enum):
    """Where an environment is in its life."""

    NEW = enum.auto()
    STARTING = enum.auto()
    FAILED = enum.auto()
    READY = enum.auto()
    BUSY = enum.auto()
    DEAD = enum.auto()


@dataclass(frozen=True, slots=True)
class Host:
    """What a worker lends to all its environments."""

    launcher: Launcher
    logs: LogSink
    clock: Clock
    ids: Ids
    serve_platform: ServePlatform | None = None
    debuggers: Debuggers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What has been fetched for one environment before it starts."""

    code: Path | None
    layers: tuple[Path, ...]
    credentials: TemporaryCredentials
    runtime_version: str
    """`python:3.12.1`: what really runs."""
    release: Callable[[], None]
    """Called once, when the folders are needed no more."""
    extensions: tuple[str, ...] = ()
    """The files of /opt/extensions."""
    container: Container | None = None
    """The image that it is made of, where it is one."""
    image_environment: Mapping[str, str] = field(default_factory=dict)
    """The variables that the image sets."""
    snapshot: str = ""
    """The snapshot that its sandboxes wake up from, with SnapStart."""
    obstacle: Failure | None = None
    """Why the runtime cannot start; that is an error of the function's package."""
