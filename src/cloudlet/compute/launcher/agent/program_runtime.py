"""Runtimes that are programs of this machine: the child becomes the interpreter, which runs the runtime client.

A language's command line is what AWS's own bootstrap script of it makes, without the shell that runs that script.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from . import custom_runtime

_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html"""

_JNI = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI"
"""The property by which AWS's client finds its library unpacked already."""

Command = Callable[[Dict[str, Any], Dict[str, Any]], List[str]]


def _memory_mb(spec: dict[str, Any]) -> int:
    return int(spec["environment"].get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"))


def _node(settings: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    """Node.js with its heap in proportion to the function's memory.

    Before 24, AWS leaves out what lets CommonJS and ES modules be mixed, unless NODE_OPTIONS asks for it:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html#nodejs-experimental-features
    """
    memory_mb = _memory_mb(spec)
    left_out = [name for name in settings["left_out"] if name not in spec["environment"].get("NODE_OPTIONS", "")]
    return [
        spec["places"]["interpreter"].format("node"),
        "--expose-gc",
        f"--max-semi-space-size={max(1, memory_mb * 5 // 100)}",
        f"--max-old-space-size={memory_mb * 90 // 100}",
        *(f"--no-experimental-{name}" for name in left_out),
        f"{spec['places']['runtime']}/index.mjs",
    ]


def _java(_settings: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    """Java with its heap, metaspace and code cache in proportion to the function's memory, and the fast compiler only.

    https://docs.aws.amazon.com/lambda/latest/dg/java-customization.html
    """
    memory_kb = _memory_mb(spec) * 1024
    runtime = spec["places"]["runtime"]
    return [
        spec["places"]["interpreter"].format("java"),
        f"-XX:MaxHeapSize={memory_kb * 85 // 100}k",
        f"-XX:MaxMetaspaceSize={memory_kb * 10 // 100}k",
        f"-XX:ReservedCodeCacheSize={memory_kb * 5 // 100}k",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        f"-XX:SharedArchiveFile={runtime}/runtime.jsa",
        "-Xshare:auto",
        "-Xlog:cds*=off",
        f"-D{_JNI}={runtime}/jni.so",
        "-jar",
        f"{runtime}/runtime.jar",
        spec["handler"],
    ]


def _ruby(_settings: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    return [spec["places"]["interpreter"].format("ruby"), f"{spec['places']['runtime']}/bootstrap.rb"]


def _image(settings: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    """What a container image says; `{handler}` stands for the function's handler."""
    return [part.replace("{handler}", spec["handler"]) for part in settings["command"]]


_COMMANDS: dict[str, Command] = {"node": _node, "java": _java, "ruby": _ruby, "image": _image}
KINDS = frozenset(_COMMANDS)


class ProgramRuntime:
    """Nothing to prepare in the zygote: every sandbox starts its own interpreter."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._command = _COMMANDS[settings["kind"]]
        self._wraps = settings["kind"] != "image"  # what starts the runtime there looks for a wrapper itself
        self._settings = settings["language"]

    def run(self, spec: dict[str, Any]) -> int:
        """Become the interpreter, or the function's wrapper of it. Returns only when that cannot be run."""
        command = self._command(self._settings, spec)
        environment = spec["environment"] = {**self._settings.get("environment", {}), **spec["environment"]}
        for name, value in self._settings.get("appended", {}).items():
            environment[name] = f"{environment[name]}:{value}" if environment.get(name) else value
        wrapper = environment.get(_WRAPPER) if self._wraps else None
        return custom_runtime.execute([wrapper, *command] if wrapper is not None else command, spec)
