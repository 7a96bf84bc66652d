"""What a function's word about a batch means."""

import json
from typing import Any

import pytest

from cloudlet.services.lambda_.event_sources.batch_failures import failed

IDS = ["a", "b", "c"]


@pytest.mark.parametrize("response", [b"", b"null", b"{}", b"[]", b'{"batchItemFailures": []}', b'{"other": 1}'])
def test_all_was_done(response: bytes) -> None:
    assert failed(response, IDS) == set()


def test_batch_item_failures_of_null_are_none() -> None:
    assert failed(b'{"batchItemFailures": null}', IDS) == set()


def test_some_failed() -> None:
    response = json.dumps({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]}).encode()
    assert failed(response, IDS) == {"a", "b"}


@pytest.mark.parametrize(
    "entries", ["a", 1, {"itemIdentifier": "a"}, ["a"], [{"itemIdentifier": ""}], [{"itemIdentifier": None}], [{}]]
)
def test_what_makes_no_sense_is_a_failure_of_all(entries: Any) -> None:
    assert failed(json.dumps({"batchItemFailures": entries}).encode(), IDS) == set(IDS)


@pytest.mark.parametrize("response", [b"not json", b'"text"', b"1", b"true"])
def test_what_is_no_answer_is_a_failure_of_all(response: bytes) -> None:
    assert failed(response, IDS) == set(IDS)


def test_a_message_that_was_not_in_the_batch_is_a_failure_of_all() -> None:
    response = json.dumps({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "x"}]}).encode()
    assert failed(response, IDS) == set(IDS)
