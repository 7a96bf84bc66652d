"""The commands, and how their errors reach a person."""

import contextlib
import io
import os
import sys
from typing import Annotated

import typer

from cloudlet.cli import (
    access_commands,
    delivery_commands,
    dev_commands,
    function_commands,
    machine_commands,
    metric_commands,
    node_commands,
    platform_commands,
)
from cloudlet.cli.output import CommandError, complain, plain
from cloudlet.config import ConfigError

app = typer.Typer(
    name="cloudlet",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(node_commands.up)
app.command()(node_commands.down)
app.command()(node_commands.status)
app.command()(dev_commands.dev)
app.command()(function_commands.invoke)
app.command()(function_commands.logs)
app.command()(metric_commands.metrics)
app.command()(platform_commands.credentials)
app.add_typer(access_commands.access_app, name="access")
app.add_typer(platform_commands.clock_app, name="clock")
app.add_typer(delivery_commands.deliveries_app, name="deliveries")
app.command()(platform_commands.reset)
app.add_typer(machine_commands.runtimes_app, name="runtimes")
app.command()(machine_commands.doctor)


@app.command()
def version() -> None:
    """Show which version this is."""
    from cloudlet import __version__

    print(__version__)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        version()
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show which version this is.")
    ] = False,
) -> None:
    """A serverless cloud that you own: one program, one port, the AWS wire protocols."""


def main() -> None:
    """Run the command that the arguments name. Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 130 Ctrl-C."""
    _prepare_streams()
    try:
        app()
    except CommandError as error:
        complain(str(error), error.hint)
        sys.exit(error.exit_code)
    except ConfigError as error:
        complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read our output has gone (`cloudlet logs | head`).
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # of the machine: no right, no room, no such file
        complain(plain(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _prepare_streams() -> None:
    """Hold that nothing but the standard streams has their descriptors, and that a terminal that has not all
    characters gets the others replaced."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by who started us: a socket or the database would get the number, and the prints
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")
