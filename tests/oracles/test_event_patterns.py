"""event-ruler's own verdicts: which events a pattern matches, and which patterns are none."""

import json
from typing import Any

import pytest

from cloudlet.patterns import InvalidPattern, Pattern
from tests.support.oracles import ORACLES

FOLDER = ORACLES / "event-patterns"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the event patterns are not here")


def cases(name: str) -> list[Any]:
    path = FOLDER / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def test_matches() -> None:
    wrong = [
        case
        for case in cases("match.jsonl")
        if Pattern.parse(case["pattern"]).matches(json.loads(case["event"])) is not case["match"]
    ]
    assert wrong == []


@pytest.mark.parametrize("case", cases("validity.jsonl"), ids=lambda case: case["pattern"][:80])
def test_validity(case: dict[str, Any]) -> None:
    if case["error"] is None:
        Pattern.parse(case["pattern"])
    else:
        with pytest.raises(InvalidPattern):
            Pattern.parse(case["pattern"])
