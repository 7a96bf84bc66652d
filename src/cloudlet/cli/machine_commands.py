"""Commands about this machine: its runtimes, and what it can do."""

from typing import TYPE_CHECKING, Annotated

import typer

from cloudlet.cli import settings
from cloudlet.cli.output import CommandError, say, table
from cloudlet.cli.settings import ConfigOption, DataOption
from cloudlet.config import Config

if TYPE_CHECKING:
    from cloudlet.compute.runtimes import Runtimes

runtimes_app = typer.Typer(help="The runtimes of this machine.", no_args_is_help=True)


def _runtimes(config: Config) -> "Runtimes":
    from cloudlet.compute.runtimes import Runtimes

    return Runtimes(config.runtimes_folder, nearest=config.nearest_runtime, progress=say)


@runtimes_app.command("list")
def list_runtimes(data: DataOption = None, config: ConfigOption = None) -> None:
    """Show the runtimes that functions can use here."""
    from cloudlet.compute.runtimes import CUSTOM_RUNTIMES

    runtimes = _runtimes(settings.load(config, data=data))
    rows = [
        (name, found.version, "yes" if runtimes.is_prepared(name) else "at first use", str(found.executable))
        for name, found in runtimes.interpreters().items()
    ]
    rows += [(name, "", "yes", "bootstrap in the package") for name in CUSTOM_RUNTIMES]
    table(("runtime", "version", "prepared", "from"), rows)


@runtimes_app.command()
def prepare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="python3.12 ...  [default: all]")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Fetch what runtimes need (client, boto3), so that the first function does not wait for it."""
    import asyncio

    from cloudlet.compute.function import ComputeError

    runtimes = _runtimes(settings.load(config, data=data))

    async def prepare_all() -> None:
        for name in names or list(runtimes.interpreters()):
            await runtimes.prepare(name)
            print(f"{name} is prepared.")

    try:
        asyncio.run(prepare_all())
    except ComputeError as error:
        raise CommandError(str(error)) from error


def doctor() -> None:
    """Show what this machine can do and what it lacks."""
