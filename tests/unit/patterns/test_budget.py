"""What is made to be too much work."""

import itertools
import logging
from typing import Any

import orjson
import pytest

from cloudlet.patterns import Pattern, pattern
from cloudlet.patterns.budget import Budget

NAMES = [f"n{number}" for number in range(12)]
TRIPLES = [dict.fromkeys(triple, 1) for triple in itertools.combinations(NAMES, 3)]
FIELDS = {name: [1] for name in NAMES}


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ({"a": [{"anything-but": {"wildcard": [*(f"{n}*" for n in range(100)), "*"]}}]}, {"a": ["z"] * 100}),
        ({"a": [{"wildcard": f"*{n}*"} for n in range(100)]}, {"a": ["z"] * 100}),
        ({"$or": [{"a": [{"prefix": f"{n}"}]} for n in range(100)]}, {"a": ["z"] * 100}),
        ({"x": FIELDS, "y": FIELDS}, {"x": TRIPLES, "y": TRIPLES}),
    ],
)
def test_an_event_that_is_too_much_work_does_not_match(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: Any, event: Any
) -> None:
    monkeypatch.setattr(pattern, "Budget", lambda: Budget(5_000))
    with caplog.at_level(logging.WARNING):
        assert not Pattern.parse(orjson.dumps(text).decode()).matches(event)
    assert "tests of a pattern" in caplog.text


def test_what_people_write_is_not() -> None:
    wanted = Pattern.parse('{"a": [{"anything-but": ["b", "c"]}, {"prefix": "x"}], "d": [1, 2]}')
    assert wanted.cost == 4
    assert wanted.matches({"a": ["b"] * 10_000 + ["z"], "d": 2})
