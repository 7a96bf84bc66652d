"""`cloudlet dev`: a function from a folder, with each change at its next invocation."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudlet.cli import settings
from cloudlet.cli.client import Client
from cloudlet.cli.output import CommandError, complain, say
from cloudlet.cli.settings import AccountOption, ConfigOption, DataOption, EndpointOption, RegionOption

if TYPE_CHECKING:
    from cloudlet.cli.dev.session import Session

DEBOUNCE_MS = 200
"""Changes that come together are one: an editor writes several files, or one in several steps."""
STEP_MS = 20
"""... but when nothing more comes for so long, they are over."""
LOOK_MS = 500
"""How often it is looked whether the node is still the same."""


def dev(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the function's code.")] = Path(),
    name: Annotated[str, typer.Option("--name", help="The function's name.  [default: the folder's]")] = "",
    runtime: Annotated[str, typer.Option("--runtime", help="[default: by what is in the folder]")] = "",
    handler: Annotated[str, typer.Option("--handler", help="[default: a function that is called handler]")] = "",
    role: Annotated[str, typer.Option("--role", metavar="ARN", help="What it runs as.  [default: any]")] = "",
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    region: RegionOption = None,
    account: AccountOption = None,
) -> None:
    """Run a folder as a function that follows each change.

    A change counts from the next invocation on.

    The function is made when there is none. At the end (Ctrl-C) it keeps the code as it is then. Settings may be in
    DIR/cloudlet.toml, below [function]: name, runtime, handler, role, description, timeout, memory_size, environment.
    Where DIR has a SAM template, the function is the template's; --name says which by its logical id.
    """
    from cloudlet.cli.dev import project as projects
    from cloudlet.cli.dev import sam
    from cloudlet.cli.dev.session import Session
    from cloudlet.compute.runtimes import Runtimes

    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder}.", exit_code=2)
    found = settings.load(config, data=data)

    def newest(language: str) -> str:
        return next(reversed(Runtimes(found.runtimes_folder).interpreters(language)), "")

    said = projects.read(folder)
    if (template := sam.read(folder, name)) is not None:
        said, folder, name = said.over(template.project), template.folder, ""
        if template.left_out:
            say(f"The template also has {', '.join(template.left_out)}: nothing is done about that here.")
    options: dict[str, Any] = {"name": name, "runtime": runtime, "handler": handler, "role": role}
    project = said.overridden(options).completed(folder, newest)
    session = Session(Client.connect(found, endpoint, region, account), folder, found.data.absolute(), project)
    stop = _stopped()
    session.begin()
    if not session.is_direct:
        say("The node's data folder is not at hand (--data): each change is sent as a package.")
    say(f"Watching {folder.resolve()}. Try: cloudlet invoke {project.name}")
    _follow(folder, session, stop)
    session.end()


def _follow(folder: Path, session: "Session", stop: threading.Event) -> None:
    import watchfiles

    from cloudlet.cli.dev.copies import is_left_out

    top = folder.resolve()

    def is_wanted(_change: watchfiles.Change, path: str) -> bool:
        return not is_left_out(Path(path).relative_to(top))

    is_begun = False
    changes = watchfiles.watch(
        top,
        watch_filter=is_wanted,
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        stop_event=stop,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    for found in changes:
        try:
            if found or not is_begun:  # what changed before the watch began has to be looked for once
                session.changed()
            else:
                session.look()
            is_begun = True
        except CommandError as error:
            complain(str(error), error.hint)  # the next change may be a better one


def _stopped() -> threading.Event:
    """Set by Ctrl-C and by SIGTERM."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop
