"""A function of a SAM template, as far as a folder can be it: its code, runtime, handler and plain settings.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from cloudlet.cli.dev.project import Project
from cloudlet.cli.output import CommandError

FILES: Final = ("template.yaml", "template.yml", "template.json")
_TYPE: Final = "AWS::Serverless::Function"
_TRANSFORM: Final = "AWS::Serverless-2016-10-31"
_MAX_BYTES: Final = 1024 * 1024
_USED: Final = {
    "FunctionName": "name",
    "Runtime": "runtime",
    "Handler": "handler",
    "Description": "description",
    "Timeout": "timeout",
    "MemorySize": "memory_size",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a template says."""

    project: Project
    folder: Path
    """Where the code is (CodeUri)."""
    left_out: tuple[str, ...]
    """What it also says, and nothing is done about."""


class _Loader(yaml.SafeLoader):
    """Short forms of functions (`!Ref x`, `!Sub ...`) become what they stand for."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def read(folder: Path, name: str) -> Found | None:
    """The function of the folder's template; None without one. `name` is its logical id, where there are several.

    Raises CommandError for a template that says more than a folder can be.
    """
    file = next((folder / each for each in FILES if (folder / each).is_file()), None)
    template = _parsed(file) if file is not None else None
    if file is None or not isinstance(template, dict) or _TRANSFORM not in str(template.get("Transform")):
        return None
    resources = _mapping(template.get("Resources"))
    functions = {key: value for key, value in resources.items() if _mapping(value).get("Type") == _TYPE}
    if not functions:
        return None
    logical_id = name if name in functions else next(iter(functions))
    if len(functions) > 1 and name not in functions:
        raise CommandError(f"{file} has several functions.", f"Say which: --name {' or '.join(functions)}")
    shared = _mapping(_mapping(template.get("Globals")).get("Function"))
    own = _mapping(functions[logical_id].get("Properties"))
    return _found(file, logical_id, {**shared, **own}, shared, _defaults(template))


def _found(
    file: Path, logical_id: str, said: Mapping[str, Any], shared: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Found:
    values: dict[str, Any] = {"name": logical_id}
    for member, field in _USED.items():
        if member in said:
            values[field] = _plain(said[member], defaults)
            if values[field] is None:
                raise CommandError(f"{file}: {member} of {logical_id} is no plain value.")
    code = _plain(said.get("CodeUri", "."), defaults)
    if not isinstance(code, str) or "InlineCode" in said or not (file.parent / code).is_dir():
        raise CommandError(f"{file}: the code of {logical_id} is no folder (CodeUri).")
    variables = {
        **_mapping(_mapping(shared.get("Environment")).get("Variables")),
        **_mapping(_mapping(said.get("Environment")).get("Variables")),
    }
    known = {key: _plain(value, defaults) for key, value in variables.items()}
    left_out = [member for member in said if member not in {*_USED, "CodeUri", "Environment"}]
    left_out += [f"the variable {key}" for key, value in known.items() if value is None]
    try:
        numbers: dict[str, Any] = {each: int(values[each]) for each in ("timeout", "memory_size") if each in values}
    except ValueError as error:
        raise CommandError(f"{file}: {error}") from error
    environment = {key: _text(value) for key, value in known.items() if value is not None}
    members: dict[str, Any] = {key: str(value) for key, value in values.items()}
    members.update(numbers, environment=environment)
    return Found(Project(**members), file.parent / code, tuple(left_out))


def _parsed(file: Path) -> Any:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise CommandError(f"{file} is larger than a template may be.")
        return yaml.load(file.read_text(), _Loader)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}") from error


def _defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that have a default value."""
    parameters = _mapping(template.get("Parameters"))
    return {key: value["Default"] for key, value in parameters.items() if "Default" in _mapping(value)}


def _plain(value: Any, defaults: Mapping[str, Any]) -> str | int | float | bool | None:
    """The value, or the default of the parameter that it refers to; None for anything else."""
    if isinstance(value, dict) and list(value) == ["Ref"]:
        value = defaults.get(value["Ref"])
    return value if isinstance(value, str | int | float | bool) else None


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
