"""Images for tests: layers and OCI layouts, made here; and pushed by the tools that people use."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cloudlet.compute.images.layer import unpack
from cloudlet.compute.images.manifest import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, machine_architecture
from cloudlet.compute.images.whiteouts import Overlay

LAYER = "application/vnd.oci.image.layer.v1.tar"
LARGE_BYTES = 1024 * 1024
Entry = tuple[str, str | bytes | None]
"""A path, and its content; None for a folder, `-> target` for a link, `=> target` for a hard link."""


def tar(entries: Sequence[Entry | tarfile.TarInfo], mode: int = 0o644) -> bytes:
    """A layer's archive. A path that ends with `!` is executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            path, content = entry
            info = tarfile.TarInfo(path.removesuffix("!"))
            info.mode = 0o755 if path.endswith("!") or content is None else mode
            data = content.encode() if isinstance(content, str) else content or b""
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str) and content[:3] in ("-> ", "=> "):
                info.type = tarfile.SYMTYPE if content[0] == "-" else tarfile.LNKTYPE
                info.linkname, data = content[3:], b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Layout:
    """An OCI layout folder that grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self._entries: list[dict[str, Any]] = []

    def blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        name = digest(content)
        _write(self.folder / "blobs" / "sha256" / name.partition(":")[2], content)
        return {"mediaType": media_type, "digest": name, "size": len(content)}

    def image(
        self,
        tag: str,
        layers: Sequence[bytes],
        *,
        compression: str = "gzip",
        architecture: str = "",
        **config: Any,
    ) -> str:
        """Add an image; its digest. `config` are Env, Entrypoint, Cmd, WorkingDir ..."""
        pack: dict[str, Callable[[bytes], bytes]] = {
            "": bytes,
            "gzip": _gzipped,
            "zstd": zstandard.ZstdCompressor().compress,
        }
        packed = pack[compression]
        kind = f"{LAYER}+{compression}" if compression else LAYER
        description = {
            "architecture": architecture or machine_architecture(),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(json.dumps(description).encode(), OCI_CONFIG),
            "layers": [self.blob(packed(layer), kind) for layer in layers],
        }
        return self.manifest(tag, json.dumps(manifest).encode(), OCI_MANIFEST)

    def manifest(self, tag: str, content: bytes, media_type: str) -> str:
        """Add a manifest as it is; its digest."""
        described = self.blob(content, media_type)
        self._entries.append({**described, "annotations": {"org.opencontainers.image.ref.name": tag}})
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._entries}
        (self.folder / "index.json").write_text(json.dumps(index))
        return str(described["digest"])

    def content(self, digest: str) -> bytes:
        """A blob."""
        return (self.folder / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()

    def reference(self, tag: str) -> str:
        return f"oci:{self.folder}:{tag}"


_LARGE: dict[str, Path] = {}
"""Where large blobs have been written: the same ones are in many layouts, and are on disk once."""


def _write(path: Path, content: bytes) -> None:
    if len(content) > LARGE_BYTES and (there := _LARGE.setdefault(path.name, path)) != path and there.exists():
        path.unlink(missing_ok=True)
        os.link(there, path)
    else:
        path.write_bytes(content)


def _gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def program(name: str) -> str:
    """The path of a tool; the test is skipped without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} (Debian: apt-get install {name})")
    return found


def run(*command: str | Path, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """What a program prints. Raises AssertionError with what it complains of."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert not check or done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout if check else done.stderr


def unpacked_layers(folder: Path, *layers: Sequence[Entry]) -> tuple[Path, ...]:
    """Layers unpacked for overlayfs below `folder`, the lowest first."""
    found = []
    for number, entries in enumerate(layers):
        place = folder / f"layer-{number}"
        place.mkdir()
        unpack(io.BytesIO(tar(entries)), place, "", Overlay())
        found.append(place)
    return tuple(found)
