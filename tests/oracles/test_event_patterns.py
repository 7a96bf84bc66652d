"""Patterns match, and are refused, as aws/event-ruler's own tests say (Apache-2.0)."""

import json
from typing import Any

import pytest

from cloudlet.patterns import InvalidJson, InvalidPattern, Pattern
from tests.support.recordings import ORACLES

FOLDER = ORACLES / "event-patterns"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the oracles are not here")


def _cases(name: str) -> list[dict[str, Any]]:
    path = FOLDER / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_verdicts() -> None:
    wrong = []
    for case in _cases("match"):
        verdict = Pattern.parse(case["pattern"]).matches(json.loads(case["event"]))
        if verdict != case["match"]:
            wrong.append((case["pattern"], case["event"], verdict))
    assert not wrong


@pytest.mark.parametrize("case", _cases("validity"), ids=lambda case: case["pattern"])
def test_validity(case: dict[str, Any]) -> None:
    if case["error"] is None:
        Pattern.parse(case["pattern"])
        return
    with pytest.raises(InvalidPattern) as raised:
        Pattern.parse(case["pattern"])
    if isinstance(raised.value, InvalidJson):
        assert case["error"].startswith(str(raised.value).removesuffix(")"))
    else:
        assert str(raised.value) == case["error"]
