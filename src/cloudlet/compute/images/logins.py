"""User names and passwords for registries, from the files that `docker login` and `skopeo login` write.

https://docs.docker.com/reference/cli/docker/login/#credential-stores: programs that keep passwords (`credsStore`) are
not run.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from cloudlet.compute.images.reference import DOCKER_HUB

MAX_BYTES = 1024 * 1024
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", DOCKER_HUB)


class Logins:
    """Looks logins up, in the files as they are when it is asked."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._files = files

    @classmethod
    def usual(cls, file: Path | None = None, environ: Mapping[str, str] = os.environ) -> "Logins":
        """Those of `file`; without one, those of the user who runs this."""
        if file is not None:
            return cls((file,))
        found = [Path(environ[name]) for name in ("REGISTRY_AUTH_FILE",) if environ.get(name)]
        if environ.get("XDG_RUNTIME_DIR"):
            found.append(Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json"))
        folder = environ.get("DOCKER_CONFIG") or (f"{environ['HOME']}/.docker" if environ.get("HOME") else "")
        if folder:
            found.append(Path(folder, "config.json"))
        return cls(tuple(found))

    def find(self, host: str, name: str) -> str:
        """`user:password` for a repository of a registry, the most exact entry first; empty for none."""
        keys = [f"{host}/{name}"]
        while "/" in keys[-1]:
            keys.append(keys[-1].rpartition("/")[0])
        keys += [f"https://{host}", f"http://{host}", *(_HUB_KEYS if host == DOCKER_HUB else ())]
        for file in self._files:
            entries = _entries(file)
            for key in keys:
                entry = entries.get(key)
                if isinstance(entry, dict) and (login := _decoded(entry.get("auth"))):
                    return login
        return ""


def _entries(file: Path) -> Mapping[str, object]:
    try:
        with file.open("rb") as opened:
            value = orjson.loads(opened.read(MAX_BYTES))
    except (OSError, orjson.JSONDecodeError):
        return {}
    found = value.get("auths") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _decoded(auth: object) -> str:
    try:
        text = base64.b64decode(auth, validate=True).decode() if isinstance(auth, str) else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if ":" in text else ""
