from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.function import RuntimeMissing
from cloudlet.compute.runtimes import Interpreter, Runtimes, probes
from cloudlet.compute.runtimes.ruby import Ruby

DEBIAN = Interpreter("ruby3.1", "3.1.2", Path("/usr/bin/ruby3.1"), "PATH", ())


def test_version_managers_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"3.3.6": "ruby", "3.2.1": "truffleruby", "2.6.9": "ruby"}
    for version in said:
        program = tmp_path / ".rbenv" / "versions" / version / "bin" / "ruby"
        program.parent.mkdir(parents=True)
        program.write_text(version)

    def ask(command: list[str]) -> dict[str, Any] | None:
        program = Path(command[0])
        version = program.parent.parent.name
        return {
            "version": version,
            "engine": said[version],
            "folders": [str(program.parent.parent), "/"],
            "site": "/x",
            "gems": [],
        }

    monkeypatch.setattr(probes, "ask", ask)
    monkeypatch.setattr(probes, "is_program", lambda path: path.is_file() and "/usr/" not in str(path))
    found = Ruby().discover({"HOME": str(tmp_path), "PATH": ""}, tmp_path)
    assert [(name, each.version) for name, each in found.items()] == [("ruby3.3", "3.3.6")]
    assert found["ruby3.3"].folders == (str(tmp_path / ".rbenv/versions/3.3.6"),)


def test_a_ruby_that_is_no_runtime_of_awss_serves_as_the_nearest_only(tmp_path: Path) -> None:
    known = {DEBIAN.name: DEBIAN}
    with pytest.raises(RuntimeMissing, match=r"no runtime ruby3\.3\. .*rbenv install 3\.3\.0.* or set nearest_runtime"):
        Runtimes(tmp_path, interpreters=known).resolve("ruby3.3")
    runtime = Runtimes(tmp_path, interpreters=known, nearest=True).resolve("ruby3.3")
    assert runtime.name == "ruby3.1"


@pytest.mark.parametrize(("asked", "given"), [("ruby3.2", "ruby3.3"), ("ruby2.7", "ruby3.1"), ("ruby3.4", "ruby3.3")])
def test_the_nearest(tmp_path: Path, asked: str, given: str) -> None:
    newer = Interpreter("ruby3.3", "3.3.6", Path("/opt/ruby"), "/opt", ())
    known = {each.name: each for each in (DEBIAN, newer)}
    assert Runtimes(tmp_path, interpreters=known, nearest=True).resolve(asked).name == given


async def test_nothing_from_outside_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    runtimes = Runtimes(tmp_path, interpreters={DEBIAN.name: DEBIAN})
    assert not runtimes.is_prepared("ruby3.1")
    await runtimes.prepare("ruby3.1")
    assert runtimes.is_prepared("ruby3.1")
    assert (tmp_path / "ruby3.1" / "cloudlet_runtime" / "handler.rb").is_file()
