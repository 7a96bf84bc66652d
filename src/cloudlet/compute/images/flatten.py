"""An image as one folder: all layers unpacked upon each other. For importing runtimes, without a node."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cloudlet.compute.images.errors import ImageError
from cloudlet.compute.images.layer_cache import PackedLayer, unpack_checked
from cloudlet.compute.images.logins import Logins
from cloudlet.compute.images.manifest import Descriptor, machine_architecture
from cloudlet.compute.images.pull import Image, resolve
from cloudlet.compute.images.reference import Reference
from cloudlet.compute.images.registry_client import RegistrySource
from cloudlet.compute.images.sources import ArchiveSource, ImageSource, LayoutSource
from cloudlet.compute.images.whiteouts import Flat


@contextlib.contextmanager
def opened(reference: Reference, logins: Logins) -> Iterator[ImageSource]:
    """The source of an image, by what its reference says. Raises ImageError."""
    source: ImageSource
    if reference.transport == "oci":
        source = LayoutSource(Path(reference.name))
    elif reference.transport == "docker-archive":
        source = ArchiveSource(Path(reference.name))
    else:
        source = RegistrySource(reference, logins.find(reference.host, reference.name))
    try:
        yield source
    finally:
        source.close()


def flatten(reference: str, folder: Path, logins: Logins | None = None, architecture: str = "") -> Image:
    """Unpack the image that `reference` names into `folder`, which is there and empty; which one it was.

    Needs no node and no privilege; files belong to the caller. Takes a while: call it in a thread. `logins` are by
    default those of `docker login` and `skopeo login`, `architecture` (`amd64`, `arm64`) is this machine's. The image
    is taken from wherever `reference` says: who calls decides whether that is allowed. Raises ImageError and OSError;
    `folder` is then of no use.
    """
    named = Reference.parse(reference)
    with opened(named, logins or Logins.usual()) as source:
        image = resolve(source, named.selector, architecture or machine_architecture())
        whiteouts = Flat()
        pairs = zip(image.manifest.layers, image.layers, strict=True)
        with tempfile.TemporaryDirectory(prefix=".layers-", dir=folder.parent) as place:
            for part, layer in pairs:
                file = Path(place, layer.digest)
                _fetch(source, part, file)
                _unpack(file, layer, folder, whiteouts)
                file.unlink()
    return image


def _fetch(source: ImageSource, part: Descriptor, file: Path) -> None:
    left = part.size
    with file.open("wb") as opened_file:
        for chunk in source.blob(part):
            left -= len(chunk)
            if left < 0:
                raise ImageError(f"{part.digest} has more than its {part.size} bytes.")
            opened_file.write(chunk)


def _unpack(file: Path, layer: PackedLayer, folder: Path, whiteouts: Flat) -> None:
    unpack_checked(file, layer, folder, whiteouts)
