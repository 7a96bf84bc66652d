"""Java runtimes: a Java of this machine, and AWS's runtime interface client from Maven Central.

The client's jars are pinned by their checksums. What a machine has of them in its local Maven repository is taken from
there. Another repository than Maven Central is used when CLOUDLET_MAVEN_REPOSITORY names it.
"""

import hashlib
import os
import platform
import re
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cloudlet.compute.function import RuntimeMissing
from cloudlet.config import MIB

from . import folders, java_archive, probes
from .interpreter import Interpreter, Progress

JARS: Final = Path(__file__).parent / "clients" / "java" / "jars.txt"
CENTRAL: Final = "https://repo.maven.apache.org/maven2"
REPOSITORY_VARIABLE: Final = "CLOUDLET_MAVEN_REPOSITORY"
OLDEST: Final = 11
_NAME = re.compile(r"java(\d+)(\.al2)?")
_VERSION = re.compile(r'^JAVA_VERSION="([0-9.]+)', re.MULTILINE)
_NATIVE = {"x86_64": "jni/libaws-lambda-jni.linux-x86_64.so", "aarch64": "jni/libaws-lambda-jni.linux-aarch_64.so"}
_DOWNLOAD_TIMEOUT_S = 60.0
_LARGEST_JAR_BYTES = 32 * MIB
_RESERVED_BYTES: Final = 1024 * MIB
"""Without a control group, a process is limited in what it may map: a virtual machine maps far more than it uses."""
_MAIN: Final = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
_MANIFEST: Final = """\
Manifest-Version: 1.0
Main-Class: {main}
Add-Opens: java.base/java.io
Enable-Native-Access: ALL-UNNAMED
Class-Path: {class_path}
"""
"""Of the jar that Java is started with. The client writes to the telemetry pipe by what `Add-Opens` allows; as options
on the command line both would make Java start slower."""
_MANIFEST_LINE_BYTES = 70


class Jar(NamedTuple):
    """A file of a Maven repository."""

    sha256: str
    path: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]


def jars() -> list[Jar]:
    """What the runtime consists of, in the order of the class path."""
    lines = (line for line in JARS.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line.split()) for line in lines]


class Java:
    """See `Language`."""

    name = "java"
    runs_older = True

    def discover(self, environ: Mapping[str, str], memory: Path) -> dict[str, Interpreter]:  # noqa: ARG002
        return probes.newest(_installed(environ))

    def release(self, name: str) -> float | None:
        found = _NAME.fullmatch(name)
        return float(found[1]) if found else None

    def remedy(self, name: str) -> str:
        release = int(self.release(name) or 0)
        return f"install Java {release} (Debian: apt-get install openjdk-{release}-jre-headless)"

    def is_prepared(self, interpreter: Interpreter, folder: Path) -> bool:
        return folders.is_prepared(folder, _fingerprint(interpreter))

    def prepare(self, interpreter: Interpreter, folder: Path, progress: Progress) -> None:
        def fill(building: Path) -> dict[str, Any]:
            progress(f"Preparing the runtime {folder.name} (Java {interpreter.version}): runtime client")
            (building / "lib").mkdir()
            for jar in jars():
                (building / "lib" / jar.name).write_bytes(_fetch(jar, folder.name))
            _unpack_native(building)
            _write_main_jar(building)
            has_archive = java_archive.make(interpreter, building)
            return {"java": interpreter.version, "archive": has_archive}

        if not self.is_prepared(interpreter, folder):
            folders.build(folder, _fingerprint(interpreter), fill)
            progress(f"The runtime {folder.name} is ready")

    def lacks(self, interpreter: Interpreter, folder: Path) -> str:  # noqa: ARG002 - of the interface
        return ""

    def for_launcher(self, interpreter: Interpreter, folder: Path) -> dict[str, Any]:
        executable = str(interpreter.executable)
        return {
            "kind": "java",
            "has_telemetry": True,
            "executable": executable,
            "reserved_bytes": _RESERVED_BYTES,
            "links": {"/var/lang/bin/java": executable},
            "folders": list(interpreter.folders),
            "hidden": [],
            "folder": str(folder),
        }


def _installed(environ: Mapping[str, str]) -> Iterator[Interpreter]:
    seen = set()
    for found_by, program in _programs(environ):
        home = program.resolve().parent.parent
        if home in seen:
            continue
        seen.add(home)
        try:
            found = _VERSION.search((home / "release").read_text())
        except OSError:
            continue
        if found and int(found[1].split(".")[0]) >= OLDEST:
            yield Interpreter(
                name=f"java{found[1].split('.')[0]}",
                version=found[1],
                executable=home / "bin" / "java",
                found_by=found_by,
                folders=probes.outside_usr([str(home), *_linked_folders(home)]),
            )


def _programs(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    home = probes.home(environ)
    if "JAVA_HOME" in environ and probes.is_program(Path(environ["JAVA_HOME"], "bin", "java")):
        yield "JAVA_HOME", Path(environ["JAVA_HOME"], "bin", "java")
    managers = (
        ("/usr/lib/jvm", Path("/usr/lib/jvm"), "*/bin"),
        ("sdkman", Path(environ.get("SDKMAN_DIR", home / ".sdkman")) / "candidates" / "java", "*/bin"),
        ("mise", home / ".local/share/mise/installs/java", "*/bin"),
        ("asdf", home / ".asdf/installs/java", "*/bin"),
        ("/opt", Path("/opt"), "j*/bin"),
    )
    yield from probes.installations(environ, "java", managers)


def _linked_folders(home: Path) -> Iterator[str]:
    """Distributions keep a Java's settings elsewhere, with links to them."""
    for parent, _folders, names in os.walk(home):
        for name in names:
            path = Path(parent, name)
            if path.is_symlink() and not (target := path.resolve()).is_relative_to(home):
                yield str(target.parent)


def _fingerprint(interpreter: Interpreter) -> str:
    """Changes when a folder that was made before would no longer fit."""
    parts = [JARS.read_text(), java_archive.VERSION, interpreter.version, str(interpreter.executable)]
    return hashlib.sha256("\n".join([*parts, platform.machine()]).encode()).hexdigest()


def _fetch(jar: Jar, runtime: str) -> bytes:
    """The jar, if it is the right one. Raises RuntimeMissing."""
    local = Path.home() / ".m2" / "repository" / jar.path
    if local.is_file() and hashlib.sha256(content := local.read_bytes()).hexdigest() == jar.sha256:
        return content
    address = f"{os.environ.get(REPOSITORY_VARIABLE, CENTRAL).rstrip('/')}/{jar.path}"
    if not address.startswith(("https://", "http://")):
        raise RuntimeMissing(f"{REPOSITORY_VARIABLE} must be the address of a Maven repository (https://...).")
    try:
        with urllib.request.urlopen(address, timeout=_DOWNLOAD_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            content = bytes(answer.read(_LARGEST_JAR_BYTES))
    except OSError as error:
        raise RuntimeMissing(
            f"The runtime {runtime} is not prepared, and {address} could not be fetched ({error}). With access to "
            f"it, run: cloudlet runtimes prepare {runtime}. Another repository can be named by {REPOSITORY_VARIABLE}."
        ) from error
    if hashlib.sha256(content).hexdigest() != jar.sha256:
        raise RuntimeMissing(f"{address} is not the file that it should be: its checksum is another.")
    return content


def _write_main_jar(folder: Path) -> None:
    """A jar without classes that names the others."""
    names = " ".join(f"lib/{jar.name}" for jar in jars())
    with zipfile.ZipFile(folder / java_archive.MAIN_JAR, "w") as archive:
        archive.writestr(
            zipfile.ZipInfo("META-INF/MANIFEST.MF"), _folded(_MANIFEST.format(main=_MAIN, class_path=names))
        )


def _folded(manifest: str) -> str:
    """Lines of a manifest are short, and go on after a space: https://docs.oracle.com/en/java/javase/17/docs/specs/jar/jar.html"""
    lines: list[str] = []
    for line in manifest.splitlines():
        lines.append(line[:_MANIFEST_LINE_BYTES])
        rest = line[_MANIFEST_LINE_BYTES:]
        while rest:
            lines.append(f" {rest[: _MANIFEST_LINE_BYTES - 1]}")
            rest = rest[_MANIFEST_LINE_BYTES - 1 :]
    return "\n".join([*lines, ""])


def _unpack_native(folder: Path) -> None:
    """The client's native library as a file, so that no sandbox has to unpack it."""
    member = _NATIVE.get(platform.machine())
    client = next(jar for jar in jars() if "runtime-interface-client" in jar.name)
    with zipfile.ZipFile(folder / "lib" / client.name) as archive:
        if member in archive.namelist():
            (folder / "jni.so").write_bytes(archive.read(member))
            (folder / "jni.so").chmod(0o755)
