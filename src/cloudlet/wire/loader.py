"""Reads AWS's service models from the botocore package.

The files are those that botocore's own loader finds, read by a faster JSON parser and without their documentation,
which is most of their size and which no request needs.
"""

import gzip
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import botocore
import orjson

Description = dict[str, Any]
"""A service model as it is in the file: `metadata`, `operations`, `shapes`."""

_DATA = Path(botocore.__file__).parent / "data"
_MODEL = "service-2.json.gz"
_EXTRAS = "service-2.sdk-extras.json"
_SERVICE_NAME = re.compile(r"[a-z0-9-]+")


def model_path(service: str) -> Path:
    """The file of the newest API version of `service` (botocore's name). Raises KeyError where there is none."""
    if not _SERVICE_NAME.fullmatch(service):
        raise KeyError(service)
    paths = (_DATA / service).glob(f"*/{_MODEL}")
    newest = max(paths, default=None)
    if newest is None:
        raise KeyError(service)
    return newest


@cache
def service_names() -> frozenset[str]:
    """The names of all services that botocore knows."""
    return frozenset(path.parent.parent.name for path in _DATA.glob(f"*/*/{_MODEL}"))


def load(service: str) -> Description:
    """The model of `service`, without documentation. Raises KeyError for a service that does not exist."""
    path = model_path(service)
    description = cast(Description, orjson.loads(gzip.decompress(path.read_bytes())))
    extras = path.with_name(_EXTRAS)
    if extras.exists():
        description = merged(description, orjson.loads(extras.read_bytes())["merge"])
    _drop_documentation(description)
    return description


def merged(description: Description, additions: Description) -> Description:
    """`description` with `additions` laid over it; both stay as they are."""
    result = {**description}
    for key, value in additions.items():
        present = result.get(key)
        result[key] = merged(present, value) if isinstance(present, dict) and isinstance(value, dict) else value
    return result


def _drop_documentation(description: Description) -> None:
    description.pop("documentation", None)
    for operation in description["operations"].values():
        operation.pop("documentation", None)
    for shape in description["shapes"].values():
        shape.pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
