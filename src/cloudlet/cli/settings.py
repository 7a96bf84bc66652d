"""The options that commands share, and the settings that come of them."""

import dataclasses
import difflib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudlet.config import VARIABLE_PREFIX, Config, ConfigError, variable

DEFAULT_FILE = Path("cloudlet.toml")

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The node's data folder.  [default: .cloudlet]")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.  [default: cloudlet.toml, if there]")
]
EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", metavar="URL", help="The node's address.  [default: found by --data]")
]
RegionOption = Annotated[
    str | None, typer.Option("--region", metavar="REGION", help="The region.  [default: AWS_REGION, then the settings]")
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="Another account (twelve digits; dev mode only).")
]


def load(file: Path | None, **options: Any) -> Config:
    """The settings: `file`, then `CLOUDLET_*` variables, then `options`. Raises ConfigError."""
    if file is None and DEFAULT_FILE.is_file():
        file = DEFAULT_FILE
    elif file is not None and not file.is_file():
        raise ConfigError(f"--config: there is no file {file}")
    return Config.load(file, os.environ, options)


def misspelt() -> list[str]:
    """What is to be said of variables that set nothing, but look as if they should: `CLOUDLET_AUHT=enforced`."""
    known = [variable(field.name) for field in dataclasses.fields(Config)]
    found = [name for name in os.environ if name.startswith(VARIABLE_PREFIX) and name not in known]
    close = [(name, difflib.get_close_matches(name, known, 1, 0.85)) for name in sorted(found)]
    return [f"{name} is no setting; {meant[0]} is." for name, meant in close if meant]
