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
        self._additions = additions
        self.protocols: tuple[str, ...] = tuple(key for key in additions if key != "all")
        """The protocols that the service speaks besides those of its model."""

    def additions(self, protocol: str) -> dict[str, Any]:
        """What is laid over the model for `protocol`, or for `all` of them."""
        return dict(self._additions.get(protocol, {}))

    def apply(self, description: Description) -> Description:
        """`description` with what holds for all protocols."""
        return merged(description, self.additions("all")) if self._additions else description

    def model(self, protocol: str, model: Model) -> Model:
        """`model` as `protocol` sees it."""
        return Model(merged({**model.description}, self.additions(protocol)))


@cache
def overlay(service: str) -> Overlay:
    """The additions to `service`, which are none for nearly all."""
    path = _FOLDER / f"{service}.json"
    return Overlay(orjson.loads(path.read_bytes()) if path.exists() else {})
