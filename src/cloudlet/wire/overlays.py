"""What AWS's servers still speak but botocore's models no longer say: protocols and error codes of before.

An overlay is a JSON file `overlays/<service>.json`: `all` is merged into the model, `<protocol>` into the model as
that protocol sees it.
"""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
from botocore.model import ServiceModel as BotocoreModel
from botocore.utils import deep_merge

from cloudlet.wire.loader import Description

_FOLDER = Path(__file__).parent / "overlays"


class Overlay:
    """The additions to one service's model."""

    def __init__(self, additions: dict[str, Any]) -> None:
        self._all = additions.get("all", {})
        self._by_protocol = {key: value for key, value in additions.items() if key != "all"}
        self.protocols: tuple[str, ...] = tuple(self._by_protocol)
        """The protocols that the service speaks besides those of its model."""

    def apply(self, description: Description) -> Description:
        """`description` with what holds for all protocols; it is changed."""
        deep_merge(description, deepcopy(self._all))
        return description

    def model(self, protocol: str, model: BotocoreModel, service: str) -> BotocoreModel:
        """A copy of `model` as `protocol` sees it."""
        description = deepcopy(cast(Description, model._service_description))  # type: ignore[attr-defined]
        deep_merge(description, deepcopy(self._by_protocol[protocol]))
        return BotocoreModel(description, service)


@cache
def overlay(service: str) -> Overlay:
    """The additions to `service`, which are none for nearly all."""
    path = _FOLDER / f"{service}.json"
    return Overlay(orjson.loads(path.read_bytes()) if path.exists() else {})
