"""Functions that are container images: the child becomes the program that the image names."""

from __future__ import annotations

import os
from typing import Any, Iterator

from . import custom_runtime


class ContainerRuntime:
    """Nothing to prepare: everything comes with the image."""

    def run(self, spec: dict[str, Any]) -> int:
        """Become the image's program, in its working directory. Returns only when it cannot be run."""
        container = spec["container"]
        program, *arguments = container["command"]
        spec["places"] = {**spec["places"], "task": container["directory"]}
        candidates = list(_candidates(program, spec["environment"].get("PATH", "")))
        found = next((path for path in candidates if os.access(path, os.X_OK)), candidates[0])
        return custom_runtime.execute([found, *arguments], spec)


def _candidates(program: str, path: str) -> Iterator[str]:
    """Where the program may be: as the shell would look for it."""
    if "/" in program:
        yield program
        return
    for folder in path.split(":"):
        yield os.path.join(folder or ".", program)
