"""Where the oracles are: cases with known right answers, beside the checkout."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import orjson

ORACLES = Path(os.environ.get("CLOUDLET_ORACLES", Path(__file__).parents[3] / "shared" / "oracles"))


@cache
def recorded(service: str) -> dict[str, Any]:
    """What AWS has answered, recorded, by the name of what was done; nothing where there are no oracles."""
    path = ORACLES / "recorded" / f"{service}.json"
    return dict(orjson.loads(path.read_bytes())) if path.exists() else {}
