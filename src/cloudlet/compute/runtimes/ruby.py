"""Ruby runtimes: a Ruby of this machine, and our own runtime client, which needs nothing from outside.

AWS's has the AWS SDK for Ruby installed; here a function brings the gems that it uses (vendor/bundle, or a layer).
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from . import folders, probes
from .interpreter import Interpreter, Progress

CLIENT: Final = Path(__file__).parent / "clients" / "ruby"
_OLDEST = (2, 7)
_NAME = re.compile(r"ruby(\d+)\.(\d+)")
_PROBE = (
    'require "json"; require "rbconfig"; puts JSON.generate(version: RUBY_VERSION, engine: RUBY_ENGINE, '
    'folders: [RbConfig::CONFIG["prefix"], RbConfig::CONFIG["rubylibdir"], RbConfig::CONFIG["rubyarchdir"], '
    'Gem.default_dir], site: RbConfig::CONFIG["sitedir"], gems: Gem.default_path)'
)


class Ruby:
    """See `Language`."""

    name = "ruby"
    runs_older = False

    def discover(self, environ: Mapping[str, str], memory: Path) -> dict[str, Interpreter]:
        answers = probes.Answers(memory / "ruby.json", _PROBE)
        found = list(_installed(environ, answers))
        answers.keep()
        return probes.newest(found)

    def release(self, name: str) -> float | None:
        found = _NAME.fullmatch(name)
        return int(found[1]) * 100.0 + int(found[2]) if found else None

    def remedy(self, name: str) -> str:
        version = name.removeprefix(self.name)
        return f"install Ruby {version} (for example: rbenv install {version}.0)"

    def is_prepared(self, interpreter: Interpreter, folder: Path) -> bool:
        return folders.is_prepared(folder, _fingerprint(interpreter))

    def prepare(self, interpreter: Interpreter, folder: Path, progress: Progress) -> None:
        def fill(building: Path) -> dict[str, Any]:
            shutil.copytree(CLIENT, building, dirs_exist_ok=True)
            return {"ruby": interpreter.version}

        if not self.is_prepared(interpreter, folder):
            folders.build(folder, _fingerprint(interpreter), fill)
            progress(f"The runtime {folder.name} is ready")

    def lacks(self, interpreter: Interpreter, folder: Path) -> str:  # noqa: ARG002 - of the interface
        return ""

    def for_launcher(self, interpreter: Interpreter, folder: Path) -> dict[str, Any]:
        executable = str(interpreter.executable)
        return {
            "kind": "ruby",
            "has_telemetry": True,
            "executable": executable,
            "links": {"/var/lang/bin/ruby": executable},
            # Ruby's own gems: it looks for those of a GEM_PATH only, and in one folder of its own.
            "settings": {"appended": {"GEM_PATH": ":".join(interpreter.settings.get("gems", ()))}},
            "folders": list(interpreter.folders),
            "hidden": list(interpreter.hidden),
            "folder": str(folder),
        }


def _installed(environ: Mapping[str, str], answers: probes.Answers) -> Iterator[Interpreter]:
    home = probes.home(environ)
    managers = (
        ("rbenv", Path(environ.get("RBENV_ROOT", home / ".rbenv")) / "versions", "*/bin"),
        ("rvm", Path(environ.get("rvm_path", home / ".rvm")) / "rubies", "*/bin"),
        ("chruby", home / ".rubies", "*/bin"),
        ("mise", home / ".local/share/mise/installs/ruby", "*/bin"),
        ("asdf", home / ".asdf/installs/ruby", "*/bin"),
        ("/opt", Path("/opt"), "ruby*/bin"),
        ("/opt/rubies", Path("/opt/rubies"), "*/bin"),
    )
    for found_by, path in probes.installations(environ, "ruby", managers):
        real = path.resolve()
        state = answers.state(real)
        if not answers.is_new(state):
            continue
        is_known, said = answers.recall(state)
        facts = said if is_known else probes.ask([str(real), "-e", _PROBE])
        answers.add(state, facts)
        if facts and facts["engine"] == "ruby" and probes.version_key(facts["version"]) >= _OLDEST:
            yield Interpreter(
                name=f"ruby{facts['version'].rpartition('.')[0]}",
                version=facts["version"],
                executable=real,
                found_by=found_by,
                folders=probes.outside_usr([folder for folder in facts["folders"] if folder != "/"]),
                hidden=(facts["site"],),
                settings={"gems": [folder for folder in facts["gems"] if not folder.startswith(str(home))]},
            )


def _fingerprint(interpreter: Interpreter) -> str:
    """Changes when a folder that was made before would no longer fit."""
    digest = hashlib.sha256(interpreter.version.encode())
    for path in sorted(CLIENT.rglob("*.rb")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
