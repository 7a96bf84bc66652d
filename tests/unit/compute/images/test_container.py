"""What an image is run as, and what is said where it cannot be."""

from pathlib import Path

import pytest

from cloudlet.compute.function import FunctionImage
from cloudlet.compute.images.container import container
from cloudlet.compute.images.engine import RunnableImage
from cloudlet.compute.images.manifest import ImageConfig, machine_architecture
from cloudlet.compute.images.overlay import MergedLayers
from cloudlet.compute.reports import Failure
from cloudlet.compute.sandbox import Container
from tests.support.images import Entry, unpacked_layers

ELF = b"\x7fELF\x02\x01\x01" + bytes(11)
MACHINE = {"amd64": b"\x3e\x00", "arm64": b"\xb7\x00"}.get(machine_architecture(), b"\x3e\x00")


def image(folder: Path, *layers: list[Entry], **config: tuple[str, ...] | str | dict[str, str]) -> RunnableImage:
    given = {"entrypoint": (), "command": (), "working_directory": "", "environment": {}, **config}
    settings = ImageConfig(machine_architecture(), "linux", diff_ids=(), **given)  # type: ignore[arg-type]
    return RunnableImage(settings, unpacked_layers(folder, *layers), lambda: None)


def planned(
    made: RunnableImage, function: FunctionImage | None = None, path: str = ""
) -> tuple[Container, Failure | None]:
    return container("d" * 64, made, function or FunctionImage(""), path)


class TestWhatIsRun:
    def test_the_images_own_settings_hold(self, tmp_path: Path) -> None:
        made = image(
            tmp_path, [("bin/run!", "#!/x"), ("work/x", "")],
            entrypoint=("/bin/run",), command=("a", "b"), working_directory="/work",
        )  # fmt: skip
        found, obstacle = planned(made)
        assert obstacle is None
        assert (found.command, found.directory) == (("/bin/run", "a", "b"), "/work")

    def test_the_functions_go_before_them(self, tmp_path: Path) -> None:
        made = image(tmp_path, [("bin/run!", "#!/x"), ("bin/other!", "#!/x")], entrypoint=("/bin/run",), command=("a",))
        found, obstacle = planned(made, FunctionImage("", ("/bin/other",), ("c",), "/bin"))
        assert obstacle is None
        assert (found.command, found.directory) == (("/bin/other", "c"), "/bin")

    def test_a_command_may_be_all_that_there_is(self, tmp_path: Path) -> None:
        found, obstacle = planned(image(tmp_path, [("bin/run!", "#!/x")], command=("/bin/run",)))
        assert (found.command, found.directory, obstacle) == (("/bin/run",), "/", None)

    def test_layers_that_were_unpacked_again_are_others(self, tmp_path: Path) -> None:
        made = image(tmp_path, [("bin/run!", "#!/x")], command=("/bin/run",))
        before, same = planned(made)[0].name, planned(made)[0].name
        made.layers[0].rename(tmp_path / "old")
        again = image(tmp_path, [("bin/run!", "#!/x")], command=("/bin/run",))
        assert before == same != planned(again)[0].name


class TestObstacles:
    @pytest.mark.parametrize(
        ("program", "text"),
        [
            ("/bin/none", "fork/exec /bin/none: no such file or directory"),
            ("/bin/plain", "fork/exec /bin/plain: permission denied"),
            ("/bin", "fork/exec /bin: permission denied"),
            ("/bin/text", "fork/exec /bin/text: exec format error"),
            ("/bin/foreign", "fork/exec /bin/foreign: exec format error"),
            ("/bin/dangling", "fork/exec /bin/dangling: no such file or directory"),
            ("text", "fork/exec text: exec format error"),
            ("none", 'exec: "none": executable file not found in $PATH'),
            ("plain", 'exec: "plain": executable file not found in $PATH'),
        ],
    )
    def test_a_program_that_cannot_be_run(self, tmp_path: Path, program: str, text: str) -> None:
        entries: list[Entry] = [
            ("bin/plain", "#!/x"), ("bin/text!", "text"), ("bin/foreign!", ELF + b"\x16\x00"),
            ("bin/dangling", "-> /nowhere"),
        ]  # fmt: skip
        made = image(tmp_path, entries, entrypoint=(program,), environment={"PATH": "/bin"})
        _, obstacle = planned(made)
        assert obstacle == Failure("error", "Runtime.InvalidEntrypoint", text)

    @pytest.mark.parametrize("program", ["/bin/script", "/bin/machine", "/link", "script", "bin/script"])
    def test_a_program_that_can(self, tmp_path: Path, program: str) -> None:
        entries: list[Entry] = [
            ("bin/script!", "#!/bin/sh"), ("bin/machine!", ELF + MACHINE), ("link", "-> /bin/../bin/script"),
        ]  # fmt: skip
        made = image(tmp_path, entries, entrypoint=(program,), environment={"PATH": "/no:/bin"})
        assert planned(made)[1] is None

    def test_the_functions_path_goes_before_the_images(self, tmp_path: Path) -> None:
        made = image(tmp_path, [("a/run!", "#!/x")], entrypoint=("run",), environment={"PATH": "/b"})
        assert planned(made)[1] is not None
        assert planned(made, path="/a")[1] is None

    def test_more_arguments_than_can_be_handed_over(self, tmp_path: Path) -> None:
        made = image(tmp_path, [("run!", "#!/x")], entrypoint=("/run",), command=("a" * 100,) * 1000)
        _, obstacle = planned(made)
        assert obstacle == Failure("error", "Runtime.InvalidEntrypoint", "fork/exec /run: argument list too long")

    def test_nothing_to_run(self, tmp_path: Path) -> None:
        _, obstacle = planned(image(tmp_path, [("a", "")]))
        assert obstacle == Failure("error", "Runtime.InvalidEntrypoint", "exec: no command")

    @pytest.mark.parametrize(
        ("directory", "text"),
        [
            ("here", "the working directory 'here' is invalid, it needs to be an absolute path"),
            ("/gone", "the working directory doesn't exist: /gone"),
        ],
    )
    def test_a_working_directory_that_is_none(self, tmp_path: Path, directory: str, text: str) -> None:
        made = image(tmp_path, [("run!", "#!/x"), ("gone/x", "")], [(".wh.gone", "")], entrypoint=("/run",))
        _, obstacle = planned(made, FunctionImage("", working_directory=directory))
        assert obstacle == Failure("error", "Runtime.InvalidWorkingDir", text)


class TestMergedLayers:
    def test_the_uppermost_is_seen(self, tmp_path: Path) -> None:
        merged = MergedLayers(unpacked_layers(tmp_path, [("a", "old"), ("b", "b")], [("a", "new")]))
        assert (merged.head("/a", 10), merged.head("/b", 1), merged.head("/c", 1)) == (b"new", b"b", b"")

    def test_what_is_gone_is_not(self, tmp_path: Path) -> None:
        below: list[Entry] = [("a", "1"), ("folder/old", "1"), ("link/x", "1")]
        above: list[Entry] = [(".wh.a", ""), ("folder/.wh..wh..opq", ""), ("folder/new", "1"), ("link", "-> /folder")]
        merged = MergedLayers(unpacked_layers(tmp_path, below, above))
        assert merged.find("/a") is None
        assert merged.find("/folder/old") is None
        assert merged.find("/link/new") is not None
        assert merged.files("/link") == ["new"]

    def test_files_of_all_layers_are_listed_and_no_folders(self, tmp_path: Path) -> None:
        merged = MergedLayers(
            unpacked_layers(
                tmp_path, [("ext/a", ""), ("ext/b", ""), ("ext/c/x", "")], [("ext/.wh.a", ""), ("ext/d", "")]
            )
        )
        assert merged.files("/ext") == ["b", "d"]
        assert merged.files("/none") == []

    def test_links_lead_nowhere_outside(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("of the host")
        entries: list[Entry] = [
            ("up", "-> ../../../../secret"),
            ("absolute", f"-> {tmp_path}/secret"),
            ("circle", "-> circle"),
        ]
        merged = MergedLayers(unpacked_layers(tmp_path, entries))
        assert [merged.find(f"/{name}") for name in ("up", "absolute", "circle")] == [None, None, None]
