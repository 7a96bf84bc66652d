"""Images that were made to lead astray: what they hold stays in their sandboxes, and costs no more than is allowed."""

import asyncio
import io
import os
import secrets
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cloudlet.compute.function import SandboxFailure
from cloudlet.compute.images import layer_folder
from cloudlet.compute.images.layer import unpack
from cloudlet.compute.images.whiteouts import Overlay
from cloudlet.compute.sandbox import Container
from tests.support.images import Entry, tar
from tests.support.python_image import ImageBench
from tests.support.sandboxes import RUN_SOURCE, everybodys_folder, ordinary_launcher, root_launcher

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["root", "ordinary user"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[ImageBench]:
    is_root = request.param == "root"
    if is_root and os.geteuid() != 0:
        pytest.skip("not root")
    with everybodys_folder() as folder:
        made: Any = root_launcher(folder / "state") if is_root else ordinary_launcher(folder / "state")
        if made is None:
            pytest.skip("no Python that an ordinary user can run (Debian: apt-get install python3), or no setpriv")
        launcher, _ = made
        try:
            await launcher.start()
            yield ImageBench(launcher, folder, is_root=is_root)
        finally:
            await launcher.close()


def layer(bench: ImageBench, *entries: Entry | tarfile.TarInfo) -> Path:
    """A layer with these entries, and the function; unpacked as the node does it."""
    folder = bench.folder / f"layer-{secrets.token_hex(8)}"
    folder.mkdir()
    unpack(io.BytesIO(tar([*entries, ("var/task/function.py", RUN_SOURCE)])), folder, "", Overlay())
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    folder.chmod(0o755)
    return folder


def made(name: str, kind: bytes, **fields: int | str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


async def test_links_where_the_sandbox_mounts_lead_nowhere(bench: ImageBench) -> None:
    """A sandbox mounts at /dev, /proc, /sys, /tmp and /etc: none of these is ever the image's link."""
    links = [(name, f"-> {bench.folder}") for name in ("dev", "proc", "sys", "tmp", "etc", "run", "out")]
    function = await bench.start_spec(bench.spec(layer(bench, *links)))
    seen = await function.run(
        """
        import os
        answer = {name: [os.path.islink("/" + name), sorted(os.listdir("/" + name))[:3] if os.path.isdir("/" + name)
                         else None] for name in ("dev", "proc", "sys", "tmp", "etc", "run", "out")}
        """
    )
    assert seen["dev"] == [False, ["fd", "full", "null"]]
    assert seen["tmp"] == [False, []]
    assert [seen[name][0] for name in ("proc", "sys", "etc")] == [False] * 3
    assert (seen["run"], seen["out"]) == ([True, None], [True, None])  # they are there, and what they name is not
    await function.close()


async def test_links_of_settings_show_nothing_of_the_host(bench: ImageBench) -> None:
    links = [(f"etc/{name}", f"-> /etc/{name}") for name in ("passwd", "group", "hosts", "resolv.conf", "shadow")]
    function = await bench.start_spec(bench.spec(layer(bench, *links)))
    seen = await function.run(
        """
        import os
        answer = [open("/etc/" + name).read() for name in ("passwd", "hosts")]
        answer.append(os.path.exists("/etc/shadow"))
        """
    )
    assert [line.split(":")[0] for line in seen[0].splitlines()] == ["root", "sbx_user1051", "nobody"]
    assert seen[1].startswith("127.0.0.1 localhost sandbox")
    assert seen[2] is False
    await function.close()


async def test_its_users_are_kept_beside_ours(bench: ImageBench) -> None:
    users = ("etc/passwd", "root:x:0:0:theirs:/theirs:/bin/sh\npostgres:x:70:70::/:/bin/sh\n")
    function = await bench.start_spec(bench.spec(layer(bench, users)))
    seen = await function.run("answer = open('/etc/passwd').read().splitlines()")
    assert seen[0] == "root:x:0:0:theirs:/theirs:/bin/sh"
    assert [line.split(":")[0] for line in seen] == ["root", "postgres", "sbx_user1051", "nobody"]
    assert await function.run("import getpass; answer = getpass.getuser()") == "sbx_user1051"
    await function.close()


async def test_its_own_first_process_is_never_run(bench: ImageBench) -> None:
    theirs = "#!/usr/bin/python3\nopen('/tmp/taken', 'w')\n"
    function = await bench.start_spec(bench.spec(layer(bench, ("var/rapid/init!", theirs))))
    seen = await function.run(
        "import os; answer = [open('/proc/1/cmdline').read().rstrip(chr(0)), os.path.exists('/tmp/taken')]"
    )
    assert seen == ["init", False]
    await function.close()


async def test_devices_and_rights_in_layers_are_nothing(bench: ImageBench) -> None:
    entries = [
        made("usr/disk", tarfile.BLKTYPE, devmajor=8, mode=0o666),
        made("usr/kmsg", tarfile.CHRTYPE, devmajor=1, devminor=11, mode=0o666),
        made("usr/pipe", tarfile.FIFOTYPE, mode=0o666),
        made("usr/mine", tarfile.REGTYPE, uid=993, gid=990, mode=0o4777),
    ]
    function = await bench.start_spec(bench.spec(layer(bench, *entries)))
    seen = await function.run(
        """
        import os
        answer = [os.path.lexists("/usr/" + name) for name in ("disk", "kmsg", "pipe")]
        answer.append(oct(os.stat("/usr/mine").st_mode & 0o7000))
        try:
            open("/usr/mine", "w")
        except OSError as error:
            answer.append(error.strerror)
        """
    )
    assert seen == [False, False, False, "0o0", "Read-only file system"]
    await function.close()


@pytest.mark.parametrize("has_devices", [True, False])
async def test_what_a_layer_has_deleted_is_gone(
    bench: ImageBench, monkeypatch: pytest.MonkeyPatch, has_devices: bool
) -> None:
    """Also where the data folder lies on an overlay, which has no devices 0/0 to say so."""
    if not has_devices:
        if not layer_folder.knows_marks():
            pytest.skip("Linux 6.8 or newer knows files that say so")

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "mknod", refuse)
    below = layer(bench, ("data/gone", "1"), ("data/kept", "1"), ("top", "1"), ("all/a", "1"), ("again/a", "1"))
    above = layer(
        bench, ("data/.wh.gone", ""), (".wh.top", ""), ("all/.wh..wh..opq", ""), (".wh.again", ""), ("again/b", "1")
    )
    spec = bench.spec(above)
    assert spec.container is not None
    stacked = Container(above.name, (spec.container.layers[0], below, above), spec.container.command, "/var/task")
    function = await bench.start_spec(bench.spec(above, container=stacked))
    seen = await function.run(
        """
        import os
        answer = [os.listdir("/" + name) for name in ("data", "all", "again")]
        answer.append([os.path.exists(path) for path in ("/data/gone", "/top", "/all/a", "/again/a")])
        """
    )
    assert seen == [["kept"], [], ["b"], [False] * 4]
    await function.close()


async def test_as_many_layers_as_may_be_are_mounted(bench: ImageBench) -> None:
    """The options of a mount have to fit in one page."""
    spec = bench.spec(layer(bench))
    assert spec.container is not None
    base, top = spec.container.layers
    more = []
    for number in range(125):
        folder = bench.folder / f"many-{number}"
        folder.mkdir(exist_ok=True)
        (folder / f"of-{number}").write_text(str(number))
        folder.chmod(0o755)
        more.append(folder)
    many = Container("many", (base, *more, top), spec.container.command, "/var/task")
    function = await bench.start_spec(bench.spec(top, container=many))
    assert await function.run("answer = [open('/of-0').read(), open('/of-124').read()]") == ["0", "124"]
    await function.close()


async def test_an_image_whose_layers_are_gone_is_told(bench: ImageBench) -> None:
    spec = bench.spec(layer(bench))
    assert spec.container is not None
    gone = Container("gone", (bench.folder / "gone",), spec.container.command, "/")
    with pytest.raises(SandboxFailure, match="No such file"):
        await bench.start_spec(bench.spec(layer(bench), container=gone))


async def test_its_zygote_ends_with_its_last_sandbox(bench: ImageBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image has a zygote of its own: those of images that nobody runs must not add up."""
    handle, ended = bench.launcher._handle, asyncio.Event()

    def heard(message: dict[str, Any], descriptors: list[int]) -> None:
        if message["t"] == "unprepared":
            assert not message["error"]
            ended.set()
        handle(message, descriptors)

    monkeypatch.setattr(bench.launcher, "_handle", heard)
    spec = bench.spec(layer(bench))
    assert spec.container is not None
    first = await bench.start_spec(spec)
    second = await bench.start_spec(bench.spec(spec.container.layers[1], container=spec.container))
    bench.launcher.retire(spec.container)
    await first.close()
    assert await second.run("answer = 2") == 2
    assert not ended.is_set()
    await second.close()
    await ended.wait()
    again = await bench.start_spec(bench.spec(spec.container.layers[1], container=spec.container))
    assert await again.run("answer = 3") == 3
    await again.close()
