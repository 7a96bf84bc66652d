"""What function a folder is."""

from pathlib import Path

import pytest

from cloudlet.cli.dev import project
from cloudlet.cli.dev.project import Project
from cloudlet.cli.output import CommandError

NEWEST = {"python": "python3.12", "nodejs": "nodejs22.x"}


def found(folder: Path, **said: str) -> Project:
    return project.read(folder).overridden(said).completed(folder, lambda language: NEWEST.get(language, ""))


@pytest.mark.parametrize(
    ("file", "source", "runtime", "handler"),
    [
        ("app.py", "def handler(event, context): ...", "python3.12", "app.handler"),
        ("lambda_function.py", "def lambda_handler(*_): ...", "python3.12", "lambda_function.lambda_handler"),
        ("mine.py", "handler = print", "python3.12", "mine.handler"),
        ("index.mjs", "export const handler = async () => 1", "nodejs22.x", "index.handler"),
        ("app.js", "exports.handler = async () => 1", "nodejs22.x", "app.handler"),
        ("app.js", "async function handler() {}\nexport { other, handler }", "nodejs22.x", "app.handler"),
        ("index.cjs", "module.exports.handler = () => 1", "nodejs22.x", "index.handler"),
        ("bootstrap", "#!/bin/sh", "provided.al2023", "bootstrap"),
    ],
)  # fmt: skip
def test_runtime_and_handler_are_found(tmp_path: Path, file: str, source: str, runtime: str, handler: str) -> None:
    (tmp_path / file).write_text(source)
    assert (found(tmp_path).runtime, found(tmp_path).handler) == (runtime, handler)


def test_usual_names_come_first_and_broken_files_count_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "aaa.py").write_text("def handler(): ...")
    (tmp_path / "app.py").write_text("def handler(:")
    (tmp_path / "main.py").write_text("def handler(): ...")
    assert found(tmp_path).handler == "main.handler"


def test_package_json_says_where_the_handler_is(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "start.js").write_text("exports.handler = 1")
    (tmp_path / "package.json").write_text('{"main": "src/start.js"}')
    assert found(tmp_path).handler == "src/start.handler"


def test_what_is_said_counts_more_than_what_is_found(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(): ...")
    (tmp_path / "app.js").write_text("exports.handler = 1")
    (tmp_path / "cloudlet.toml").write_text(
        '[function]\nname = "mine"\nruntime = "nodejs24.x"\ntimeout = 5\nenvironment = { STAGE = "test", SIZE = 3 }\n'
    )
    made = found(tmp_path)
    assert (made.name, made.runtime, made.handler, made.timeout) == ("mine", "nodejs24.x", "app.handler", 5)
    assert made.environment == {"STAGE": "test", "SIZE": "3"}
    assert found(tmp_path, runtime="python3.11", name="other").runtime == "python3.11"


def test_the_name_is_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "my function (2)"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(): ...")
    assert found(folder).name == "my-function-2"


def test_a_folder_without_a_function_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No function was found") as caught:
        found(tmp_path)
    assert "--runtime" in caught.value.hint


def test_a_language_that_the_machine_has_not(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(): ...")
    with pytest.raises(CommandError, match="no runtime for python"):
        Project().completed(tmp_path, lambda _: "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[function]\nnam = 1", "unknown setting"), ("[function]\ntimeout = 'x'", "not a int"), ("[function", "toml")],
)
def test_settings_that_make_no_sense(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "cloudlet.toml").write_text(text)
    with pytest.raises(CommandError, match=problem):
        project.read(tmp_path)
