"""What function a folder is: from the options, from its `cloudlet.toml`, or from what lies in it."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from cloudlet.cli.output import CommandError

SETTINGS_FILE: Final = "cloudlet.toml"
_MODULES: Final = ("app", "main", "index", "handler", "lambda_function")
"""Where a handler is looked for first."""
_FUNCTIONS: Final = ("handler", "lambda_handler")
_NODE_FILES: Final = (".mjs", ".js", ".cjs")
_NODE_EXPORT: Final = re.compile(
    r"(?:exports\.|export\s+(?:const|let|var|async\s+function|function)\s+|export\s*\{[^}]*\b)"
    r"(handler|lambda_handler|lambdaHandler)\b"
)
_MAX_SOURCE_BYTES: Final = 1024 * 1024

Newest = Callable[[str], str]
"""The newest runtime of a language that the machine has (`python` -> `python3.12`); empty when there is none."""


@dataclass(frozen=True, slots=True)
class Project:
    """A function as its folder describes it; what is empty is not said."""

    name: str = ""
    runtime: str = ""
    handler: str = ""
    role: str = ""
    description: str = ""
    timeout: int = 0
    """In seconds."""
    memory_size: int = 0
    """In MB."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def overridden(self, options: Mapping[str, Any]) -> "Project":
        """With those of `options` that say something."""
        return replace(self, **{name: value for name, value in options.items() if value})

    def over(self, other: "Project") -> "Project":
        """This, and what it does not say as `other` has it."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(other.overridden(said), environment={**other.environment, **self.environment})

    def completed(self, folder: Path, newest: Newest) -> "Project":
        """With what is found in the folder for what is not said. Raises CommandError when it is no function."""
        name = self.name or re.sub(r"[^a-zA-Z0-9-_]+", "-", folder.resolve().name).strip("-")[:64] or "function"
        if self.runtime and self.handler:
            return replace(self, name=name)
        language = _language(self.runtime)
        found = next((each for look in _LOOKS if (each := look(folder)) and language in ("", each[0])), None)
        if found is None:
            raise CommandError(
                f"No function was found in {folder.resolve()}.",
                "Say what it is: --runtime python3.12 --handler app.handler (or in its cloudlet.toml, as [function]).",
            )
        runtime = self.runtime or (found[0] if found[0].startswith("provided") else newest(found[0]))
        if not runtime:
            raise CommandError(f"This machine has no runtime for {found[0]}.", "See: cloudlet runtimes")
        return replace(self, name=name, runtime=runtime, handler=self.handler or found[1])


def read(folder: Path) -> Project:
    """What `cloudlet.toml` says of the folder, below `[function]`. Raises CommandError."""
    file = folder / SETTINGS_FILE
    try:
        values = tomllib.loads(file.read_text()).get("function", {})
    except FileNotFoundError:
        return Project()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}", exit_code=2) from error
    known = {each.name: each.type for each in fields(Project)}
    for name, value in values.items():
        if name not in known:
            raise CommandError(f"{file}: unknown setting function.{name}", exit_code=2)
        kind = int if name in ("timeout", "memory_size") else dict if name == "environment" else str
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CommandError(f"{file}: function.{name} is not a {kind.__name__}", exit_code=2)
    environment = {name: str(value) for name, value in values.get("environment", {}).items()}
    return Project(**{**values, "environment": environment})


def _language(runtime: str) -> str:
    return runtime if runtime.startswith("provided") else re.sub(r"\d.*", "", runtime)


def _python(folder: Path) -> tuple[str, str] | None:
    for module in _in_order(folder, (".py",)):
        try:
            tree = ast.parse(_source(module))
        except (SyntaxError, ValueError):
            continue
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        defined |= {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if handler := next((name for name in _FUNCTIONS if name in defined), ""):
            return "python", f"{module.stem}.{handler}"
    return None


def _node(folder: Path) -> tuple[str, str] | None:
    files = _in_order(folder, _NODE_FILES)
    if (package := folder / "package.json").is_file():
        try:
            main = json.loads(_source(package)).get("main")
        except (ValueError, AttributeError):
            main = None
        if isinstance(main, str) and (folder / main).is_file():
            files.insert(0, folder / main)
    for file in files:
        if found := _NODE_EXPORT.search(_source(file)):
            return "nodejs", f"{file.relative_to(folder).with_suffix('')}.{found[1]}"
    return None


def _bootstrap(folder: Path) -> tuple[str, str] | None:
    return ("provided.al2023", "bootstrap") if (folder / "bootstrap").is_file() else None


_LOOKS: Final = (_python, _node, _bootstrap)


def _in_order(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a language at the top of the folder, those with a handler's usual names first."""
    found = [path for path in folder.iterdir() if path.suffix in suffixes and path.is_file()]
    places = {name: place for place, name in enumerate(_MODULES)}
    return sorted(found, key=lambda path: (places.get(path.stem, len(places)), path.name))


def _source(path: Path) -> str:
    with path.open(errors="replace") as file:
        return file.read(_MAX_SOURCE_BYTES)
