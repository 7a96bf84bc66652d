"""Commands that start, stop and look at a node."""

import errno
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudlet.cli import settings
from cloudlet.cli.client import Client
from cloudlet.cli.durations import show_duration
from cloudlet.cli.output import CommandError, plain, say, table
from cloudlet.cli.settings import ConfigOption, DataOption, EndpointOption
from cloudlet.config import Config
from cloudlet.node_folder import NodeFolder

LOG_FILE = "node.log"
START_TIMEOUT_S = 120.0
"""A first start may have a runtime to prepare."""
POLL_INTERVAL_S = 0.02
LEAST_FREE_BYTES = 1024 * 1024
SANDBOX_STATES = ("idle", "busy", "provisioned", "snapshots")


def up(
    port: Annotated[int | None, typer.Option(help="The port; 0 for a free one.  [default: 4566]")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.  [default: 127.0.0.1]")] = None,
    data: DataOption = None,
    auth: Annotated[str | None, typer.Option(help="dev or enforced: who may call without a real key.")] = None,
    isolation: Annotated[str | None, typer.Option(help="namespaces or process: how functions are kept apart.")] = None,
    store: Annotated[str | None, typer.Option(help="postgresql://... instead of SQLite in the data folder.")] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="text or json.")] = None,
    config: ConfigOption = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once the node serves.")] = False,
) -> None:
    """Start a node and serve until Ctrl-C or `cloudlet down`."""
    options = {
        "port": port,
        "host": host,
        "data": data,
        "auth": auth,
        "isolation": isolation,
        "store": store,
        "log_format": log_format,
    }
    loaded = settings.load(config, **options)
    for remark in settings.misspelt():
        say(f"Warning: {remark}")
    if (running := NodeFolder(loaded.data).running()) is not None:
        raise CommandError(
            f"A node runs on {loaded.data} already: {running.endpoint} (process {running.pid}).",
            "Look at it with cloudlet status, stop it with cloudlet down; for a second one choose another --data.",
        )
    if detach:
        _start_detached(loaded)
    else:
        _serve(loaded)


def _serve(config: Config) -> None:
    gc.disable()  # until it serves: what a start makes stays, and looking through it again and again takes 30 ms
    from cloudlet.errors import CloudletError
    from cloudlet.serve import run
    from cloudlet.store.base import StoreLocked, StoreUnavailable

    try:
        run(config)
    except OSError as error:
        raise _explained(error, config) from error
    except StoreLocked as error:
        raise CommandError(f"{error}.", "Choose another folder with --data.") from error
    except StoreUnavailable as error:
        raise CommandError(str(error) if config.store else f"{config.data}: {error}.") from error
    except CloudletError as error:
        raise CommandError(str(error)) from error


def _explained(error: OSError, config: Config) -> CommandError:
    where = f"{config.host}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return CommandError(f"{where} is in use.", "Choose another port with --port (or CLOUDLET_PORT), 0 for any.")
    if isinstance(error, socket.gaierror):
        return CommandError(f"{config.host!r} is no address and no name of this machine.", "Choose one with --host.")
    if error.errno == errno.EADDRNOTAVAIL:
        return CommandError(f"This machine has no address {config.host}.", "Choose one with --host.")
    if error.errno == errno.EACCES and error.filename is None:
        return CommandError(f"{where} needs more rights.", "Choose a port above 1023 with --port.")
    if error.filename is not None and Path(error.filename).is_relative_to(config.data.absolute()):
        return CommandError(f"The data folder cannot be used: {plain(error)}", "Choose another with --data.")
    return CommandError(plain(error))


def _start_detached(config: Config) -> None:
    """Start the same command line, without --detach, in a session of its own; return once it serves."""
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"The data folder cannot be used: {plain(error)}", "Choose another with --data.") from error
    log = config.data / LOG_FILE
    arguments = [argument for argument in sys.argv[1:] if argument not in ("-d", "--detach")]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudlet", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if config.log_format == "json" else output,  # "Ready." is no JSON
            stderr=output,
            start_new_session=True,
        )
    folder = NodeFolder(config.data)
    deadline = time.monotonic() + START_TIMEOUT_S
    while (endpoint := folder.endpoint()) is None or folder.pid() != process.pid:
        if process.poll() is not None:
            raise _did_not_start(_said(log, begin) or _why_silent(log), process.returncode or 1)
        if time.monotonic() > deadline:
            process.terminate()
            raise CommandError(f"The node did not start in {START_TIMEOUT_S:.0f} s.\n{_said(log, begin)}")
        time.sleep(POLL_INTERVAL_S)
    print(f"Cloudlet serves at {endpoint} (process {process.pid}, log {log}).")


def _did_not_start(said: str, exit_code: int) -> CommandError:
    """What the node said is an error of this command in the same words; what else there is comes with its beginning."""
    message, is_plain = said.removeprefix("Error: "), said.startswith("Error: ")
    return CommandError(message if is_plain else f"The node did not start.\n{said}", exit_code=exit_code)


def _why_silent(log: Path) -> str:
    """What keeps a node from writing even to its log."""
    is_full = shutil.disk_usage(log.parent).free < LEAST_FREE_BYTES
    return f"Error: There is no room left on the disk of {log.parent}." if is_full else f"{log} does not say why."


def _said(log: Path, begin: int) -> str:
    return log.read_bytes()[begin:].decode(errors="replace").strip()


def down(
    data: DataOption = None,
    config: ConfigOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds that running invocations get to finish.")] = 70.0,
) -> None:
    """Stop the node: running invocations finish first."""
    folder = NodeFolder(settings.load(config, data=data).data)
    pid = folder.pid()
    if pid is None:
        raise CommandError(f"No node runs on {folder.path}.")
    os.kill(pid, signal.SIGTERM)
    if folder.wait_until_gone(pid, timeout):
        print("Stopped.")
        return
    say(f"The node still works after {timeout:.0f} s; hurrying it.")
    os.kill(pid, signal.SIGTERM)
    if not folder.wait_until_gone(pid, 10.0):
        raise CommandError(f"Process {pid} does not end.", f"Look into it, or end it with: kill -9 {pid}")
    print("Stopped.")


def status(
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what the node runs and uses."""
    client = Client.connect(settings.load(config, data=data), endpoint)
    values = client.control("GET", "status")
    if as_json:
        import json

        print(json.dumps(values, indent=2))
        return
    table(("what", "value"), _status_rows(client.endpoint, values))


def _status_rows(endpoint: str, values: dict[str, Any]) -> list[tuple[str, ...]]:
    memory = values.get("memory", {})
    sandboxes = values.get("sandboxes", {})
    return [
        ("endpoint", endpoint),
        ("version", str(values.get("version"))),
        ("process", str(values.get("pid"))),
        ("up for", show_duration(float(values.get("uptime_s", 0)))),
        ("store", str(values.get("store"))),
        ("auth", str(values.get("auth"))),
        ("isolation", str(values.get("isolation"))),
        ("services", ", ".join(values.get("services", {}))),
        ("sandboxes", ", ".join(f"{count} {name}" for name, count in sandboxes.items() if name in SANDBOX_STATES)),
        ("invocations", f"{sandboxes.get('invocations', 0)} running"),
        *_delivery_rows(values.get("deliveries", {})),
        *((f"memory {name}", f"{size / 1e6:.0f} MB") for name, size in memory.items()),
    ]


def _delivery_rows(deliveries: dict[str, dict[str, int]]) -> list[tuple[str, ...]]:
    """A row for each kind of which there are any."""
    rows: list[tuple[str, ...]] = [
        (f"deliveries {kind}", ", ".join(f"{counts[state]} {state}" for state in ("waiting", "running", "dead")))
        for kind, counts in deliveries.items()
        if any(counts.values())
    ]
    return rows or [("deliveries", "none waiting, running or dead")]
