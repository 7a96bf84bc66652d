"""What AWS's servers still speak but botocore's models no longer say: protocols and error codes of before.

An overlay is a JSON file `overlays/<service>.json`: `all` is merged into the model, `<protocol>` into the model as
that protocol sees it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import orjson

from cloudlet.wire.loader import Description, merged
from cloudlet.wire.shapes import Model

_FOLDER = Path(__file__).parent / "overlays"


class Overlay:
    """The additions to one service's model."""

    def __init__(self, additions: dict[str, Any]) -> None:
        self._all = additions.get("all", {})
        self._by_protocol = {key: value for key, value in additions.items() if key != "all"}
        self.protocols: tuple[str, ...] = tuple(self._by_protocol)
        """The protocols that the service speaks besides those of its model."""

    def apply(self, description: Description) -> Description:
        """`description` with what holds for all protocols."""
        return merged(description, self._all) if self._all else description

    def model(self, protocol: str, model: Model) -> Model:
        """`model` as `protocol` sees it."""
        return Model(merged({**model.description}, self._by_protocol[protocol]))


@cache
def overlay(service: str) -> Overlay:
    """The additions to `service`, which are none for nearly all."""
    path = _FOLDER / f"{service}.json"
    return Overlay(orjson.loads(path.read_bytes()) if path.exists() else {})
