"""A function that is kept in step with a folder, until its user ends that."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cloudlet.cli.client import Client
from cloudlet.cli.dev.copies import Copies, package
from cloudlet.cli.dev.project import Project
from cloudlet.cli.output import CommandError, say
from cloudlet.compute.development import FOLDER
from cloudlet.node_folder import NodeFolder

READY_S: Final = 600.0
"""A runtime that is used for the first time is prepared, which may take a while."""
POLL_S: Final = 0.05
SHOWN: Final = 3
"""So many changed files are named."""


class Session:
    """One `cloudlet dev`."""

    def __init__(self, client: Client, folder: Path, data: Path, project: Project) -> None:
        self._client = client
        self._folder = folder
        self._data = data
        self._project = project
        self._arn = ""
        copies = data / FOLDER
        self._copies: Copies | None = None
        self._pid = 0
        record = NodeFolder(data).running()
        if record is not None and record.endpoint == client.endpoint and copies.is_dir():
            self._copies = Copies(folder, copies, data)
            self._pid = record.pid

    @property
    def is_direct(self) -> bool:
        """True where the node sees copies of the folder; else packages are sent to it."""
        return self._copies is not None

    def begin(self) -> None:
        """Make the function, or bring it in step with the folder. Raises CommandError, ServiceFailure."""
        with self._client.sdk("lambda", "sts") as (functions, sts):
            account = sts.get_caller_identity()["Account"]
            self._arn = f"arn:aws:lambda:{self._client.region}:{account}:function:{self._project.name}"
            settings = _settings(self._project, f"arn:aws:iam::{account}:role/cloudlet-dev")
            code = package(self._folder, self._data)
            try:
                current = functions.get_function_configuration(FunctionName=self._project.name)
            except functions.exceptions.ResourceNotFoundException:
                functions.create_function(Code={"ZipFile": code}, **settings)
                say(f"Made the function {self._project.name} ({self._project.runtime}, {self._project.handler}).")
            else:
                self._update(functions, current, settings, code)
            self._wait(functions)
        self._copy()

    def changed(self) -> None:
        """The folder has changed: the next invocation runs it. Raises CommandError, ServiceFailure."""
        started = time.perf_counter()
        names = self._copy()
        if names is None:
            self._upload()
            names = []
        elif not names:
            return
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        took_ms = (time.perf_counter() - started) * 1000
        say(f"{time.strftime('%H:%M:%S')} reloaded in {took_ms:.0f} ms{f': {shown}' if shown else ''}")

    def look(self) -> None:
        """A node that was started anew knows nothing of the folder: tell it. Raises CommandError, ServiceFailure."""
        if self._copies is None:
            return
        record = NodeFolder(self._data).running()
        if record is None or record.pid == self._pid:
            return
        self._client = self._client.at(record.endpoint)
        self._copies.forget()
        self._copy()
        self._pid = record.pid
        say("The node was started anew: the function runs the folder again.")

    def end(self) -> None:
        """Leave the function with the code as it is now. Raises CommandError, ServiceFailure."""
        if self._copies is not None:
            self._upload()
            self._client.control("POST", "development", {"function": self._arn, "copy": ""})
        say(f"The function {self._project.name} keeps the code as it is now.")

    def _copy(self) -> list[str] | None:
        """Have the node run a copy of the folder; what is different in it. None where the node cannot see copies."""
        if self._copies is None:
            return None
        copy = self._copies.take()
        if copy.changed:
            self._client.control("POST", "development", {"function": self._arn, "copy": copy.name})
        return copy.changed

    def _upload(self) -> None:
        with self._client.sdk("lambda") as (functions,):
            self._wait(functions)
            functions.update_function_code(FunctionName=self._project.name, ZipFile=package(self._folder, self._data))
            self._wait(functions)

    def _update(self, functions: Any, current: Mapping[str, Any], settings: dict[str, Any], code: bytes) -> None:
        name = self._project.name
        self._wait(functions)
        if not self._project.role:
            del settings["Role"]
        if any(_shown(current, member) != value for member, value in settings.items()):
            functions.update_function_configuration(**settings)
            self._wait(functions)
        functions.update_function_code(FunctionName=name, ZipFile=code)
        say(f"Brought the function {name} up to date ({self._project.runtime}, {self._project.handler}).")

    def _wait(self, functions: Any) -> None:
        """Until the function is neither being made nor changed. Raises CommandError when it cannot be."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            found = functions.get_function_configuration(FunctionName=self._project.name)
            if "Failed" in (found["State"], found.get("LastUpdateStatus")):
                raise CommandError(found.get("StateReason") or found.get("LastUpdateStatusReason") or "It failed.")
            if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress":
                return
            time.sleep(POLL_S)
        raise CommandError(f"The function {self._project.name} is not ready after {READY_S:.0f} s.")


def _settings(project: Project, default_role: str) -> dict[str, Any]:
    """The parameters of CreateFunction and UpdateFunctionConfiguration; those that say nothing are left out."""
    given: dict[str, Any] = {
        "FunctionName": project.name,
        "Runtime": project.runtime,
        "Handler": project.handler,
        "Role": project.role or default_role,
        "Description": project.description,
        "Timeout": project.timeout,
        "MemorySize": project.memory_size,
    }
    settings = {name: value for name, value in given.items() if value}
    return {**settings, "Environment": {"Variables": dict(project.environment)}} if project.environment else settings


def _shown(current: Mapping[str, Any], member: str) -> Any:
    return current.get(member)
