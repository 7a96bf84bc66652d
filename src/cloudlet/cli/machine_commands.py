"""Commands about this machine: what it can do, and its runtimes."""

import typer

runtimes_app = typer.Typer(help="The runtimes of this machine.", no_args_is_help=True)


def doctor() -> None:
    """Show what this machine can do, what is missing, and the command that mends it."""
