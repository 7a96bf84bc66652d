"""Commands about asynchronous work: what waits, what failed for good, and what to do about it."""

import datetime
import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from cloudlet.cli import settings
from cloudlet.cli.client import Client
from cloudlet.cli.output import CommandError, say, table
from cloudlet.cli.settings import ConfigOption, DataOption, EndpointOption

deliveries_app = typer.Typer(help="Show asynchronous work: what waits, what is dead.", invoke_without_command=True)
Identifiers = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="From `cloudlet deliveries`.")]
All = Annotated[bool, typer.Option("--all", help="All that is dead, up to 1,000 at once.")]
Kind = Annotated[str, typer.Option("--kind", help="Only of this kind: lambda-async, lambda-destination ...")]


State = Annotated[str, typer.Option("--state", help="waiting, running or dead.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000)]
AsJson = Annotated[bool, typer.Option("--json", help="One object per line, with everything that is known.")]


@deliveries_app.callback()
def deliveries(
    context: typer.Context,
    state: State = "",
    kind: Kind = "",
    limit: Limit = 100,
    as_json: AsJson = False,
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Show asynchronous work: what waits, what runs, what is dead."""
    if context.invoked_subcommand is None:
        list_deliveries(state, kind, limit, as_json, data, config, endpoint)


@deliveries_app.command("list")
def list_deliveries(
    state: State = "",
    kind: Kind = "",
    limit: Limit = 100,
    as_json: AsJson = False,
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """The same as without a command: what waits, runs or is dead."""
    query = urlencode({"state": state, "kind": kind, "limit": limit})
    found = Client.connect(settings.load(config, data=data), endpoint).control("GET", f"deliveries?{query}")
    if as_json:
        for one in found["deliveries"]:
            print(json.dumps(one))
    elif found["deliveries"]:
        headings = ("id", "kind", "for", "state", "tries", "next or died", "why")
        table(headings, [_row(one) for one in found["deliveries"]])
    else:
        say("Nothing waits, and nothing is dead." if not (state or kind) else "There is none.")


@deliveries_app.command()
def payload(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Show the event or message that work is about.

    The platform's own line about it comes first.
    """
    query = urlencode({"id": identifier})
    client = Client.connect(settings.load(config, data=data), endpoint)
    print(client.control("GET", f"deliveries/payload?{query}")["payload"])


@deliveries_app.command()
def retry(
    identifiers: Identifiers = None,
    everything: All = False,
    kind: Kind = "",
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Try work again now. What is dead gets all its tries anew."""
    client = Client.connect(settings.load(config, data=data), endpoint)
    _told("retried", client.control("POST", "deliveries/retry", _which(identifiers, everything, kind)), identifiers)


@deliveries_app.command()
def drop(
    identifiers: Identifiers = None,
    everything: All = False,
    kind: Kind = "",
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Forget work for good."""
    client = Client.connect(settings.load(config, data=data), endpoint)
    _told("dropped", client.control("POST", "deliveries/drop", _which(identifiers, everything, kind)), identifiers)


def _which(identifiers: list[str] | None, everything: bool, kind: str) -> dict[str, Any]:
    if bool(identifiers) == everything:
        raise CommandError("Name the work by its ids, or say --all.", exit_code=2)
    if kind and identifiers:
        raise CommandError("--kind goes with --all.", exit_code=2)
    return {"ids": identifiers} if identifiers else {"all": True, "kind": kind}


def _told(what: str, answer: dict[str, Any], identifiers: list[str] | None) -> None:
    done = answer[what]
    print(f"{len(done)} {what}")
    if missing := [one for one in identifiers or () if one not in done]:
        raise CommandError(f"There is none that waits or is dead with the id {', '.join(missing)}.")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    moment = datetime.datetime.fromtimestamp(one["due_ms"] / 1000, datetime.UTC)
    said = one["error"].strip().rpartition("\n")[2]  # a line of the platform's may come before what the function said
    why = " ".join(said.split())[:60]
    return (
        one["id"],
        one["kind"],
        one["target"],
        one["state"],
        f"{one['attempts']}/{one['max_attempts']}",
        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        f"{one['reason']}: {why}" if one["reason"] and why else one["reason"] or why,
    )
