"""An image as one folder."""

import json
import subprocess
from pathlib import Path

import pytest

from cloudlet.compute.images import ImageNotFound, InvalidImage, UnsupportedImage, flatten
from cloudlet.compute.images.logins import Logins
from cloudlet.compute.images.manifest import OCI_INDEX, OCI_MANIFEST, machine_architecture
from tests.support.images import Layout, program, tar


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


LAYERS = (tar([("a", "1"), ("b", "1")]), tar([(".wh.a", ""), ("b", "2")]))


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_all_layers_are_in_it(layout: Layout, root: Path, compression: str) -> None:
    layout.image("v1", LAYERS, compression=compression, Env=["A=1", "B=x=y"], Cmd=["app.handler"], WorkingDir="/w")
    config = flatten(layout.reference("v1"), root).config
    assert {path.name: path.read_text() for path in root.iterdir()} == {"b": "2"}
    assert config.environment == {"A": "1", "B": "x=y"}
    assert (config.entrypoint, config.command, config.working_directory) == ((), ("app.handler",), "/w")


def test_an_archive_of_docker_save_is_one_too(layout: Layout, root: Path, tmp_path: Path) -> None:
    layout.image("v1", LAYERS)
    archive = tmp_path / "archive.tar"
    subprocess.run(
        [program("skopeo"), "copy", "-q", layout.reference("v1"), f"docker-archive:{archive}:app:v1"], check=True
    )
    flatten(f"docker-archive:{archive}", root)
    assert {path.name: path.read_text() for path in root.iterdir()} == {"b": "2"}
    with pytest.raises(ImageNotFound):
        flatten(f"docker-archive:{archive}:app:v2", root)


def test_of_several_platforms_it_is_this_machines(layout: Layout, root: Path) -> None:
    other = "arm64" if machine_architecture() == "amd64" else "amd64"
    digests = {
        architecture: layout.image(architecture, [tar([("it", architecture)])], architecture=architecture)
        for architecture in (other, machine_architecture())
    }
    manifests = [
        {
            "mediaType": OCI_MANIFEST, "digest": name, "size": _size(layout, name),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, name in digests.items()
    ]  # fmt: skip
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    layout.manifest("all", json.dumps(index).encode(), OCI_INDEX)
    flatten(layout.reference("all"), root)
    assert (root / "it").read_text() == machine_architecture()
    with pytest.raises(UnsupportedImage, match="not for linux"):
        flatten(layout.reference(other), root)


def _size(layout: Layout, name: str) -> int:
    return (layout.folder / "blobs/sha256" / name.partition(":")[2]).stat().st_size


def test_what_is_not_there_is_said(layout: Layout, root: Path) -> None:
    layout.image("v1", LAYERS)
    with pytest.raises(ImageNotFound):
        flatten(layout.reference("v2"), root)
    with pytest.raises(ImageNotFound):
        flatten("oci:/nowhere:v1", root)


def test_a_part_that_is_not_what_its_digest_says_is_refused(layout: Layout, root: Path) -> None:
    layout.image("v1", LAYERS, compression="")
    for blob in (layout.folder / "blobs/sha256").iterdir():
        content = blob.read_bytes()
        if b"ustar" in content:
            blob.write_bytes(content.replace(b"2", b"3"))
    with pytest.raises(InvalidImage):
        flatten(layout.reference("v1"), root)


def test_logins_are_the_most_exact_ones(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(
        json.dumps(
            {"auths": {"host.io": {"auth": "YTpi"}, "host.io/team": {"auth": "YzpkOmU="}, "bad.io": {"auth": "%"}}}
        )
    )
    logins = Logins((tmp_path / "none.json", file))
    assert logins.find("host.io", "app") == "a:b"
    assert logins.find("host.io", "team/app") == "c:d:e"
    assert logins.find("bad.io", "app") == ""
    assert logins.find("other.io", "app") == ""
