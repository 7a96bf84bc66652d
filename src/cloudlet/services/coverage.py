"""Makes docs/coverage.md of the code: which operations of AWS's models there are. `scripts/coverage` runs it."""

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cloudlet import services
from cloudlet.services.base import Service
from cloudlet.wire import loader

PATH = Path(__file__).parents[3] / "docs" / "coverage.md"

_HEAD = """\
# Coverage

Made by `scripts/coverage` of the code and of AWS's service models; do not edit. An operation that is not implemented
answers `NotImplemented` (501).
"""


class Coverage(NamedTuple):
    """One service."""

    name: str
    title: str
    operations: Sequence[str]
    """All that AWS's model has."""
    implemented: frozenset[str]


def implemented_operations() -> dict[str, frozenset[str]]:
    """The operations that there are, by botocore's names of their services."""
    found: dict[str, frozenset[str]] = {}
    for module in pkgutil.iter_modules(services.__path__, f"{services.__name__}."):
        if not module.ispkg:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Service) and hasattr(value, "name"):
                found[value.name] = found.get(value.name, frozenset()) | _operations_of(value)
    return found


def _operations_of(service: type[Service]) -> frozenset[str]:
    marks = (getattr(value, "__dict__", {}).get("operation") for cls in service.__mro__ for value in vars(cls).values())
    return frozenset(mark for mark in marks if mark)


def coverage() -> list[Coverage]:
    """The services of which there is an operation at least, by their titles."""
    found = []
    for name, implemented in implemented_operations().items():
        model = loader.load(name)
        title = model["metadata"]["serviceFullName"]
        found.append(Coverage(name, title, sorted(model["operations"]), implemented))
    return sorted(found, key=lambda service: service.title)


def document() -> str:
    """The text of docs/coverage.md."""
    begun = coverage()
    lines = [_HEAD, "| service | operations | implemented |", "| --- | ---: | ---: |"]
    for service in begun:
        anchor = f"[{service.title}](#{service.name})"
        lines.append(f"| {anchor} | {len(service.operations)} | {len(service.implemented)} |")
    for service in begun:
        lines += ["", *_section(service)]
    others = sorted(loader.service_names() - {service.name for service in begun})
    lines += ["", "## Not started", "", f"{len(others)} services of AWS's models: {', '.join(others)}."]
    return "\n".join(lines) + "\n"


def _section(service: Coverage) -> list[str]:
    return [
        f"## {service.name}",
        "",
        f"{service.title}: {len(service.implemented)} of {len(service.operations)} operations.",
        "",
        "| operation | implemented |",
        "| --- | --- |",
        *(f"| {name} | {'yes' if name in service.implemented else ''} |" for name in service.operations),
    ]


def main() -> None:
    """Write the file; with `--check`, say whether it is up to date instead."""
    text = document()
    if "--check" in sys.argv[1:]:
        if not PATH.exists() or PATH.read_text() != text:
            sys.exit("docs/coverage.md is not up to date: run scripts/coverage")
        return
    PATH.write_text(text)
    sys.stdout.write(f"{PATH}\n")


if __name__ == "__main__":
    main()
