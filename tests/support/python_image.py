"""A container image with Python and AWS's runtime interface client, made of what this machine has: no registry outside.

/usr/bin/python3, its library, and the shared libraries that it needs     the machine's own
/function/awslambdaric ...                                                AWS's client, as pip installs it
"""

import functools
import io
import os
import re
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.images.layer import unpack
from cloudlet.compute.images.whiteouts import Overlay
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes, preparation
from cloudlet.compute.sandbox import Container, SandboxSpec
from tests.support.images import Layout, tar
from tests.support.sandboxes import EVERYBODYS_PREPARED, Bench, everybodys_interpreter, write_files

FUNCTION = "function"
PYTHON = "/usr/bin/python3"
ENTRYPOINT = [PYTHON, "-m", "awslambdaric"]
_NOT_NEEDED = re.compile(
    r"/(__pycache__|tests?|idlelib|tkinter|turtledemo|ensurepip|lib2to3|site-packages|dist-packages|config-[^/]*)(/|$)"
)
_LIBRARY = re.compile(r"(/\S+) \(0x")


@functools.cache
def python_layer() -> bytes:
    """The lowest layer. Takes a second or two; the test is skipped without a Python that every user can run."""
    interpreter = everybodys_interpreter()
    if interpreter is None:
        pytest.skip("no Python that is everybody's (Debian: apt-get install python3)")
    runtimes = Runtimes(EVERYBODYS_PREPARED, interpreters={interpreter.name: interpreter})
    client = runtimes.folder / interpreter.name
    preparation.prepare(interpreter, client, print)
    executable = Path(interpreter.executable).resolve()
    standard = Path(_printed(executable, "import os; print(os.path.dirname(os.__file__))"))
    dynamic = _printed(executable, "import sysconfig; print(sysconfig.get_config_var('DESTSHARED') or '')")
    files = {PYTHON.lstrip("/"): executable}
    for folder in {standard, Path(dynamic or standard / "lib-dynload")}:
        files |= {str(path).lstrip("/"): path for path in _files(folder)}
    for name in ("awslambdaric", "simplejson", "snapshot_restore_py"):
        files |= {f"{FUNCTION}/{path.relative_to(client)}": path for path in _files(client / name)}
    files |= {f"{FUNCTION}/{path.name}": path for path in client.glob("runtime_client*.so")}
    for path in list(files.values()):
        if path == executable or path.suffix == ".so":
            files |= {library.lstrip("/"): Path(library) for library in _libraries(path)}
    return _archive(files)


def python_image(layout: Layout, tag: str, source: str, *more: Any, **config: Any) -> str:
    """Add an image whose function is `app.handler` of `source`; its digest. `more` are further entries of its layer."""
    added = tar([(f"{FUNCTION}/app.py", source), *more])
    settings = {"Entrypoint": ENTRYPOINT, "Cmd": ["app.handler"], "WorkingDir": f"/{FUNCTION}", **config}
    return layout.image(tag, [python_layer(), added], compression="", **settings)


def _printed(executable: Path, code: str) -> str:
    return subprocess.run([executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _NOT_NEEDED.search(f"/{path.relative_to(folder)}"):
            yield path


def _libraries(file: Path) -> list[str]:
    listed = subprocess.run(["ldd", file], capture_output=True, text=True, check=False)
    return _LIBRARY.findall(listed.stdout)


def _archive(files: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, path in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            info.mode = 0o755 if os.access(path, os.X_OK) or path.suffix == ".so" else 0o644
            with path.open("rb") as file:
                archive.addfile(info, file)
    return buffer.getvalue()


class ImageBench(Bench):
    """A bench whose functions are container images: Python's layer, and one with the function's files."""

    _PROGRAMS = ("sh", "sleep", "id", "ping", "unshare", "mount", "cat", "true")

    def __init__(self, launcher: SandboxLauncher, folder: Path, *, is_root: bool) -> None:
        super().__init__(launcher, folder, "", is_root=is_root)
        self._last = folder
        self._base = folder / "base-layer"
        self._base.mkdir()
        content = io.BytesIO(python_layer())
        unpack(content, self._base, "", Overlay())
        (self._base / "bin").symlink_to("usr/bin")
        for name in self._PROGRAMS:
            if found := shutil.which(name, path="/usr/bin:/bin"):
                shutil.copy(found, self._base / "usr" / "bin" / name)
                for library in _libraries(Path(found)):
                    target = self._base / library.lstrip("/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(library, target)
        for name in ("opt", "tmp", "root", "home", "var/runtime", "var/lang/bin"):
            (self._base / name).mkdir(parents=True, exist_ok=True)
        for path in [self._base, *self._base.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)

    def package(self, files: Mapping[str, str]) -> Path:
        """A layer with the files in /var/task."""
        layer = self.folder / f"layer-{secrets.token_hex(8)}"
        write_files(layer, {f"var/task/{name}": content for name, content in files.items()})
        return layer

    def spec(self, code: Path | None, handler: str = "function.handler", **changes: Any) -> SandboxSpec:
        """What to launch. A spec of ours has no `code`: what is given here may be a layer, or None for the last one."""
        layer = code or self._last
        self._last = layer
        environment = {"PYTHONPATH": f"/{FUNCTION}", **changes.pop("environment", {})}
        usual = Container(layer.name, (self._base, layer), (*ENTRYPOINT, handler), "/var/task")
        container = changes.pop("container", usual)
        made = super().spec(None, handler, environment=environment, **changes)
        return replace(made, container=container)
