"""What names an image.

    123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1      in a registry, by tag
    localhost:5000/team/app@sha256:...                       by digest
    alpine                                                   in Docker Hub: docker.io/library/alpine:latest
    oci:/srv/images/app:v1                                   in an OCI layout folder
    docker-archive:/srv/images/app.tar                       in an archive of `docker save`

https://github.com/distribution/reference/blob/main/reference.go, https://github.com/containers/image/blob/main/docs/containers-transports.5.md
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from cloudlet.compute.images.errors import InvalidReference

Transport = Literal["docker", "oci", "docker-archive"]

DOCKER_HUB = "docker.io"
MAX_LENGTH = 2048
DEFAULT_TAG = "latest"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::\d{1,5})?")
_ECR_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Reference:
    """One image."""

    transport: Transport
    host: str
    """`host[:port]` of a registry; empty for what is on disk."""
    name: str
    """The repository, or the path on disk."""
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The image that `text` names. Raises InvalidReference."""
        if len(text) > MAX_LENGTH or not text.isprintable():
            raise InvalidReference(f"Not an image: {text[:200]!r}")
        for transport in ("oci", "docker-archive"):
            if text.startswith(f"{transport}:"):
                return _on_disk(transport, text)
        return _in_registry(text.removeprefix("docker://"))

    @property
    def selector(self) -> str:
        """What chooses the image in its repository: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def repository(self) -> str:
        """The reference without tag and digest, as it is written."""
        return f"{self.host}/{self.name}" if self.host else f"{self.transport}:{self.name}"

    @property
    def ecr(self) -> tuple[str, str] | None:
        """Account and region of a registry with the name of one of ECR's; else None."""
        match = _ECR_HOST.fullmatch(self.host)
        return (match[1], match[2]) if match else None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def _in_registry(text: str) -> Reference:
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise InvalidReference(f"Not a digest: {digest!r} in {text!r}")
    first, slash, path = rest.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, path = DOCKER_HUB, rest
    name, _, tag = path.partition(":")
    if first == DOCKER_HUB and "/" not in name:
        name = f"library/{name}"
    if not _is_host(first) or not NAME.fullmatch(name) or len(name) > 255:
        raise InvalidReference(f"Not an image: {text!r}")
    if (":" in path and not tag) or (tag and not TAG.fullmatch(tag)):
        raise InvalidReference(f"Not a tag: {tag!r} in {text!r}")
    return Reference("docker", first.lower(), name, tag or ("" if digest else DEFAULT_TAG), digest)


def _is_host(text: str) -> bool:
    if not _HOST.fullmatch(text):
        return False
    try:
        parts = urlsplit(f"//{text}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that cannot be, or brackets around what is no address
        return False


def _on_disk(transport: Transport, text: str) -> Reference:
    path, _, tag = text.removeprefix(f"{transport}:").partition(":")
    parts = PurePosixPath(path)
    if not parts.is_absolute() or ".." in parts.parts:
        raise InvalidReference(f"Not an absolute path: {path!r} in {text!r}")
    digest = ""
    if transport == "oci" and tag.startswith("@"):
        raise InvalidReference(f"An image in a folder is named by its tag: {text!r}")
    return Reference(transport, "", str(parts), tag, digest)
