"""What names an image."""

import pytest

from cloudlet.compute.images.errors import InvalidReference
from cloudlet.compute.images.reference import Reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpine", ("docker.io", "library/alpine", "latest", "")),
        ("me/app:v1", ("docker.io", "me/app", "v1", "")),
        ("localhost/app", ("localhost", "app", "latest", "")),
        ("localhost:5000/team/app:v1", ("localhost:5000", "team/app", "v1", "")),
        ("127.0.0.1:5000/app@" + DIGEST, ("127.0.0.1:5000", "app", "", DIGEST)),
        ("ghcr.io/a/b:v@" + DIGEST, ("ghcr.io", "a/b", "v", DIGEST)),
        ("docker://ghcr.io/a/b:v", ("ghcr.io", "a/b", "v", "")),
        ("[::1]:5000/app:v1", ("[::1]:5000", "app", "v1", "")),
    ],
)
def test_a_registry_s_image(text: str, expected: tuple[str, str, str, str]) -> None:
    found = Reference.parse(text)
    assert (found.host, found.name, found.tag, found.digest) == expected
    assert found.transport == "docker"


def test_images_on_disk() -> None:
    found = Reference.parse("oci:/srv/images:v1")
    assert (found.transport, found.name, found.tag) == ("oci", "/srv/images", "v1")
    assert Reference.parse("docker-archive:/a.tar").name == "/a.tar"


def test_a_registry_of_an_account() -> None:
    found = Reference.parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1")
    assert found.ecr == ("123456789012", "eu-west-1")
    assert Reference.parse("000000000000.dkr.ecr.us-east-1.localhost:4566/app").ecr == ("000000000000", "us-east-1")
    assert Reference.parse("localhost:4566/app").ecr is None


@pytest.mark.parametrize("text", ["ghcr.io/a/b:v1", "localhost:5000/a@" + DIGEST, "oci:/srv/images:v1"])
def test_it_is_written_as_it_was_read(text: str) -> None:
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "UPPER", "a//b", "host.io/", "host.io/a:", "host.io/a:-x", "host.io/a@sha256:1",
        "user@host.io/a", "host.io:port/a", "oci:relative:v1", "oci:/a/../b:v1", "host.io/a\nb", "http://host.io/a",
        "host.io/" + "a" * 300, "-x.io/a", "host.io/../a", "host.io:99999/a", "host.io:0/a", "[1]/a", "[::1]:70000/a",
    ],
)  # fmt: skip
def test_what_names_none(text: str) -> None:
    with pytest.raises(InvalidReference):
        Reference.parse(text)
