"""Commands about the platform as a whole: credentials, clock, reset."""

import shlex
import sys
from typing import Annotated

import typer

from cloudlet.cli import settings
from cloudlet.cli.account_credentials import keys_of_account
from cloudlet.cli.client import Client
from cloudlet.cli.durations import parse_duration_s, show_duration
from cloudlet.cli.output import CommandError, say
from cloudlet.cli.settings import ConfigOption, DataOption, EndpointOption
from cloudlet.node_folder import NodeFolder

clock_app = typer.Typer(help="Show the platform's time, or move it forward.", invoke_without_command=True)


def credentials(
    export: Annotated[
        bool, typer.Option("--export", help="Only shell lines: eval $(cloudlet credentials --export)")
    ] = False,
    root: Annotated[bool, typer.Option("--root", help="The root key pair, also where test/test would do.")] = False,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ACCOUNT", help="Another account: its twelve digits, or its name."),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show how to point the AWS CLI and SDKs at the node."""
    loaded = settings.load(config, data=data)
    folder = NodeFolder(loaded.data)
    node = folder.running()
    is_open = node.is_open if node else loaded.is_open
    keys = ("test", "test") if is_open and not root else folder.root_key()
    if keys is None:
        raise CommandError(
            f"There is no root key in {loaded.data} that you may read.",
            "The node makes it at its first start: cloudlet up",
        )
    own = {"AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": keys[1]}
    variables = {
        "AWS_ENDPOINT_URL": node.endpoint if node else f"http://{loaded.host}:{loaded.port}",
        **(own if account is None else keys_of_account(Client.connect(loaded), account, own, is_open=is_open)),
        "AWS_DEFAULT_REGION": node.region if node else loaded.region,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    if export:
        print("\n".join(lines))
        return
    say("For the AWS CLI and every SDK, in your shell:\n")
    print("\n".join(lines))
    again = "cloudlet credentials --export" + (f" --account {shlex.quote(account)}" if account else "")
    say(f"\nor at once:  eval $({again})\nthen:        aws sts get-caller-identity")


def _move(client: Client, params: dict[str, object]) -> None:
    print(client.control("POST", "clock", params)["time"])


@clock_app.callback()
def clock(
    context: typer.Context, data: DataOption = None, config: ConfigOption = None, endpoint: EndpointOption = None
) -> None:
    """Show the platform's time, or move it forward."""
    if context.invoked_subcommand is None:
        values = Client.connect(settings.load(config, data=data), endpoint).control("GET", "clock")
        ahead = f"  ({show_duration(values['offset_s'])} ahead of the host)" if values["offset_s"] else ""
        print(f"{values['time']}{ahead}")


@clock_app.command()
def advance(
    duration: Annotated[str, typer.Argument(help="30d, 1h30m, 90s ...")],
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Move time forward; what falls due in between happens."""
    try:
        duration_s = parse_duration_s(duration)
    except ValueError as error:
        raise CommandError(str(error), exit_code=2) from error
    _move(Client.connect(settings.load(config, data=data), endpoint), {"advance_s": duration_s})


@clock_app.command("set")
def set_time(
    moment: Annotated[str, typer.Argument(metavar="TIME", help="2026-07-01T00:00:00Z")],
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Move time forward to a moment."""
    _move(Client.connect(settings.load(config, data=data), endpoint), {"set": moment})


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Delete everything in the node (dev mode only)."""
    client = Client.connect(settings.load(config, data=data), endpoint)
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("This deletes everything in the node.", "Say --yes to do it.", exit_code=2)
        typer.confirm(f"Delete everything in the node at {client.endpoint}?", abort=True)
    client.control("POST", "reset", {})
    print("The node is empty.")
