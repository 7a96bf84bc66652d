"""Commands about this machine: its runtimes, and what it can do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cloudlet.cli import settings
from cloudlet.cli.output import CommandError, say, styled, table
from cloudlet.cli.settings import ConfigOption, DataOption
from cloudlet.config import Config

if TYPE_CHECKING:
    from cloudlet.compute.doctor import Finding
    from cloudlet.compute.runtimes import Runtimes

runtimes_app = typer.Typer(help="The runtimes of this machine.", invoke_without_command=True)


def _runtimes(config: Config) -> "Runtimes":
    from cloudlet.compute.runtimes import Runtimes

    return Runtimes(config.runtimes_folder, nearest=config.nearest_runtime, progress=say)


@runtimes_app.callback()
def runtimes(context: typer.Context, data: DataOption = None, config: ConfigOption = None) -> None:
    """Show the runtimes that functions can use here."""
    if context.invoked_subcommand is None:
        list_runtimes(data, config)


@runtimes_app.command("list")
def list_runtimes(data: DataOption = None, config: ConfigOption = None) -> None:
    """Show the runtimes that functions can use here."""
    from cloudlet.compute.runtimes import CUSTOM_RUNTIMES

    runtimes = _runtimes(settings.load(config, data=data))
    rows = [
        (name, found.version, _state(runtimes, name), f"{found.executable} ({found.found_by})")
        for name, found in runtimes.interpreters().items()
    ]
    rows += [(each.name, "", "yes", f"image {each.image}") for each in runtimes.imported()]
    rows += [(name, "", "yes", "bootstrap in the package") for name in CUSTOM_RUNTIMES]
    table(("runtime", "version", "prepared", "from"), rows)


def _state(runtimes: "Runtimes", name: str) -> str:
    if not runtimes.is_prepared(name):
        return "at first use"
    lacks = runtimes.lacks(name)
    return f"yes, but {lacks}" if lacks else "yes"


@runtimes_app.command()
def prepare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="python3.12, nodejs20.x ...  [default: all]")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Fetch what runtimes need ahead of their first function.

    That is the runtime's client and its SDK; else the first function waits for them.
    """
    import asyncio

    from cloudlet.compute.function import ComputeError

    runtimes = _runtimes(settings.load(config, data=data))

    async def prepare_all() -> None:
        for name in names or list(runtimes.interpreters()):
            await runtimes.complete(name)
            lacks = runtimes.lacks(name)
            print(f"{name} is prepared{f', but has {lacks}' if lacks else ''}.")

    try:
        asyncio.run(prepare_all())
    except ComputeError as error:
        raise CommandError(str(error)) from error


@runtimes_app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What functions will ask for: dotnet8, python3.14 ...")],
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="oci:FOLDER:TAG, docker-archive:FILE, REGISTRY/NAME:TAG, or a folder with an image's files.",
        ),
    ],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Import a runtime from a container image.

    AWS's own are such images: public.ecr.aws/lambda/dotnet:8 ...
    """
    from cloudlet.compute.function import ComputeError

    try:
        _import(settings.load(config, data=data), name, image)
    except (ComputeError, OSError) as error:
        raise CommandError(str(error)) from error
    print(f"{name} is imported from {image}.")


def _import(config: Config, name: str, image: str) -> None:
    import shutil
    import tempfile
    from pathlib import Path

    from cloudlet.compute.images import flatten
    from cloudlet.compute.images.logins import Logins
    from cloudlet.compute.runtimes import imported

    folder = config.runtimes_folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as place:
        root = Path(place, "root")
        if Path(image).is_dir():
            shutil.copytree(image, root, symlinks=True)
            imported.add(folder, name, root, image=image)
            return
        root.mkdir()
        found = flatten(_absolute(image), root, Logins.usual(config.registry_logins))
        imported.add(
            folder,
            name,
            root,
            image=image,
            digest=f"sha256:{found.digest}",
            entry_point=found.config.entrypoint,
            environment=found.config.environment,
        )


def _absolute(image: str) -> str:
    """A reference to something on disk, from where this program runs."""
    import os

    for transport in ("oci:", "docker-archive:"):
        if image.startswith(transport):
            return f"{transport}{os.path.abspath(image.removeprefix(transport))}"  # noqa: PTH100 - takes `..` away
    return image


@runtimes_app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An imported runtime.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Forget a runtime that was imported from a container image."""
    from cloudlet.compute.runtimes import imported

    if not imported.remove(settings.load(config, data=data).runtimes_folder, name):
        raise CommandError(f"No runtime {name} has been imported.")
    print(f"{name} is removed.")


def doctor(
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what this machine can do and what it lacks.

    The exit code is 1 when something is missing that functions need.
    """
    from dataclasses import asdict

    from cloudlet.cli import node_findings
    from cloudlet.compute import doctor as examination

    loaded = settings.load(config, data=data)
    findings = [*node_findings.examine(loaded), *examination.examine(_runtimes(loaded))]
    if as_json:
        import json

        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)


def _show(findings: "Sequence[Finding]") -> None:
    colours = {"ok": "32", "limited": "33", "missing": "31"}
    for finding in findings:
        print(f"{styled(f'{finding.state:<8}', colours[finding.state])} {finding.name}: {finding.detail}")
        if finding.remedy:
            print(f"{'':<9}{styled('to mend it:', '2')} {finding.remedy}")
