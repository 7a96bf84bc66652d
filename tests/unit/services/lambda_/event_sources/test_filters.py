"""Which messages a function gets."""

import json
import threading
from typing import Any

import pytest

from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.event_sources.filters import MUCH, Matcher, check


def criteria(*patterns: Any) -> dict[str, Any]:
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


def wanted(patterns: dict[str, Any] | None, body: str, **more: Any) -> bool:
    return Matcher(patterns)({"body": body, **more})


def test_without_filters_all_are_wanted() -> None:
    assert wanted(None, "x")
    assert wanted({"Filters": []}, "x")


def test_one_filter_that_matches_is_enough() -> None:
    either = criteria({"body": {"a": [1]}}, {"body": {"b": [2]}})
    assert wanted(either, '{"b": 2}')
    assert not wanted(either, '{"b": 3}')


def test_a_body_of_fields_and_a_body_of_text() -> None:
    fields, text = criteria({"body": {"a": [1]}}), criteria({"body": ["plain"]})
    assert wanted(fields, '{"a": 1}')
    assert not wanted(fields, "plain")
    assert not wanted(fields, "{not json")
    assert wanted(text, "plain")
    assert not wanted(text, '{"a": 1}')


def test_what_is_beside_the_body() -> None:
    pattern = criteria({"messageAttributes": {"kind": {"stringValue": [{"prefix": "a"}]}}})
    assert wanted(pattern, "x", messageAttributes={"kind": {"stringValue": "ab"}})
    assert not wanted(pattern, "x", messageAttributes={})


@pytest.mark.parametrize("pattern", ["", "null", '"text"', "[]", '{"a": "b"}', '{"a": [{"unknown": 1}]}', "{"])
def test_filters_that_are_none(pattern: str) -> None:
    with pytest.raises(InvalidParameterValue, match=r"^Invalid filter pattern definition\.$"):
        check({"Filters": [{"Pattern": pattern}]})


def test_too_many() -> None:
    with pytest.raises(InvalidParameterValue):
        check(criteria(*[{"a": [1]}] * 11))


@pytest.mark.parametrize(("count", "is_much"), [(10, False), (MUCH, True)])
async def test_much_work_is_done_in_a_thread(monkeypatch: pytest.MonkeyPatch, count: int, is_much: bool) -> None:
    threads = set()

    def call(self: Matcher, record: Any) -> bool:
        threads.add(threading.current_thread())
        return real(self, record)

    real = Matcher.__call__
    monkeypatch.setattr(Matcher, "__call__", call)
    bodies = [json.dumps({"a": [number] * count}) for number in (1, 2)]
    matcher = Matcher({"Filters": [{"Pattern": '{"body": {"a": [2]}}'}]})
    assert await matcher.chosen([{"body": body} for body in bodies]) == [{"body": bodies[1]}]
    assert (threads != {threading.current_thread()}) is is_much
