"""Commands about functions: invoke one, read its log."""

import base64
import contextlib
import datetime
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cloudlet.cli import settings
from cloudlet.cli.client import Client, NodeSilent, ServiceFailure, read_payload
from cloudlet.cli.log_hint import missing_rights
from cloudlet.cli.output import CommandError, say, styled
from cloudlet.cli.settings import AccountOption, ConfigOption, DataOption, EndpointOption, RegionOption

FOLLOW_INTERVAL_S = 0.5
FOLLOW_OVERLAP_MS = 10_000
"""Events may be stored this much later than their timestamp says."""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The function's name or ARN.")]


def invoke(
    name: NameArgument,
    payload: Annotated[
        str, typer.Option("--payload", "-p", help="JSON, @FILE, file://FILE, or - for the input.")
    ] = "{}",
    qualifier: Annotated[str | None, typer.Option("--qualifier", help="A version or an alias.")] = None,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Show the end of the log also.")] = True,
    debug: Annotated[
        int | None, typer.Option("--debug", metavar="PORT", min=1, max=65535, help="Wait for a debugger on this port.")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    region: RegionOption = None,
    account: AccountOption = None,
) -> None:
    """Run a function and show its answer.

    The answer goes to the standard output, the end of the log to the standard error output. The exit code is 1 when
    the function failed.
    """
    client = Client.connect(settings.load(config, data=data), endpoint, region, account)
    if debug is not None:
        from cloudlet.cli.debug_session import invoke_with_debugger

        invoke_with_debugger(client, name, qualifier or "", read_payload(payload), debug, show_log=log)
        return
    path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
    if qualifier:
        path += f"?Qualifier={quote(qualifier, safe='')}"
    headers = {"X-Amz-Log-Type": "Tail"} if log else {}
    answer = client.call("lambda", "POST", path, read_payload(payload), headers)
    if tail := answer.headers.get("x-amz-log-result"):
        say(styled(base64.b64decode(tail).decode(errors="replace").rstrip(), "2", error_output=True))
    sys.stdout.buffer.write(answer.body.rstrip(b"\n") + b"\n")
    sys.stdout.flush()
    if error := answer.headers.get("x-amz-function-error"):
        raise CommandError(f"The function failed ({error}).")


def logs(
    name: NameArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    since: Annotated[str, typer.Option(help="How far back: 10m, 2h, 1d ...")] = "1d",
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    region: RegionOption = None,
    account: AccountOption = None,
) -> None:
    """Show what a function has logged."""
    from cloudlet.cli.durations import parse_duration_s

    loaded = settings.load(config, data=data)
    client = Client.connect(loaded, endpoint, region, account)
    try:
        start_ms = int((client.control("GET", "clock")["now"] - parse_duration_s(since)) * 1000)
    except ValueError as error:
        raise CommandError(str(error), exit_code=2) from error
    group = _log_group(client, name)
    seen: dict[str, int] = {}
    is_first, is_silent = True, False
    while True:
        try:
            for event in _events(client, name, group, max(0, start_ms), missing_ok=follow):
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = event["timestamp"]
                    _show(event)
            if is_first and not seen and (hint := missing_rights(client, name)):
                say(hint)
            is_first = is_silent = False
        except NodeSilent as error:
            if not follow:
                raise
            if not is_silent:
                say(f"{error} Waiting for it.")
            is_silent = True
            with contextlib.suppress(NodeSilent):
                client = Client.connect(loaded, endpoint, region, account)  # it may come back on another port
        if not follow:
            return
        start_ms = max(start_ms, max(seen.values(), default=0) - FOLLOW_OVERLAP_MS)
        seen = {event_id: timestamp for event_id, timestamp in seen.items() if timestamp >= start_ms}
        time.sleep(FOLLOW_INTERVAL_S)


def _log_group(client: Client, name: str) -> str:
    """Where a function writes. The log of one that is gone is still there, where functions write if nothing is said."""
    try:
        found = client.call("lambda", "GET", f"/2015-03-31/functions/{quote(name, safe='')}/configuration").json()
        return str(found["LoggingConfig"]["LogGroup"])
    except ServiceFailure:
        return f"/aws/lambda/{name.split(':')[6] if name.startswith('arn:') else name.partition(':')[0]}"


def _events(client: Client, name: str, group: str, start_ms: int, *, missing_ok: bool) -> Iterator[dict[str, Any]]:
    params: dict[str, Any] = {"logGroupName": group, "startTime": start_ms}
    while True:
        try:
            page = client.json("logs", "Logs_20140328.FilterLogEvents", params)
        except ServiceFailure as error:
            if error.code != "ResourceNotFoundException":
                raise
            if missing_ok:
                return
            raise CommandError(f"{group} has no log yet.", missing_rights(client, name)) from error
        yield from page["events"]
        if not page.get("nextToken"):
            return
        params["nextToken"] = page["nextToken"]


def _show(event: dict[str, Any]) -> None:
    moment = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, datetime.UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    print(styled(stamp, "2"), event["message"].rstrip("\n"), flush=True)
