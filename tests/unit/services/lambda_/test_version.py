"""Versions: what they are, and their states."""

import dataclasses

import orjson
import pytest

from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.version import Configuration, Version, format_time, pending, sequence_of

REF = FunctionRef("111111111111", "us-east-1", "fn")
DIGEST = "ab" * 32


def new(sequence: int = 0, **changes: object) -> Version:
    configuration = Configuration(runtime="python3.12", handler="h", role="r")
    version = pending(
        REF, sequence, ("e", "r"), 1_700_000_000_123, code_digest=DIGEST, code_bytes=7, configuration=configuration
    )
    return dataclasses.replace(version, **changes)  # type: ignore[arg-type]


def test_times_have_milliseconds_and_no_colon_in_the_zone() -> None:
    assert format_time(1_700_000_000_123) == "2023-11-14T22:13:20.123+0000"
    assert format_time(0) == "1970-01-01T00:00:00.000+0000"


@pytest.mark.parametrize(
    ("number", "sequence"), [("$LATEST", 0), ("1", 1), ("123", 123), ("01", -1), ("0", -1), ("9" * 19, -1), ("x", -1)]
)
def test_a_number_that_is_written_oddly_is_no_version(number: str, sequence: int) -> None:
    assert sequence_of(number) == sequence


def test_what_runs_follows_what_was_asked_for_when_it_is_ready() -> None:
    version = new()
    assert version.running is None
    ready = version.ready("r2")
    assert (ready.state, ready.update_status, ready.revision_id) == ("Active", "Successful", "r2")
    assert ready.running == ready.target == version.target
    changed = dataclasses.replace(ready, environment_id="e2", update_status="InProgress")
    assert changed.running == ready.target != changed.target
    failed = changed.failed("r3", "because", "InternalError")
    assert (failed.state, failed.update_status, failed.update_reason) == ("Active", "Failed", "because")
    assert failed.running == ready.target


def test_a_creation_that_fails_leaves_nothing_to_run() -> None:
    failed = new().failed("r2", "because", "InternalError")
    assert (failed.state, failed.state_reason, failed.state_reason_code) == ("Failed", "because", "InternalError")
    assert failed.running is None


def test_what_a_later_release_has_stored_can_be_read() -> None:
    ready = new().ready("r2")
    later = dataclasses.replace(ready, serving=orjson.dumps({**orjson.loads(ready.serving), "new": 1}).decode())
    assert later.running == ready.running


def test_equal_content_has_equal_fingerprints() -> None:
    one, two = new(), new(1, environment_id="other", revision_id="other", modified_ms=1)
    assert one.content_fingerprint() == two.content_fingerprint()
    described = dataclasses.replace(one.configuration, description="x")
    assert new(configuration=described).content_fingerprint() != one.content_fingerprint()
    assert new(code_digest="cd" * 32).content_fingerprint() != one.content_fingerprint()


def test_a_function_has_its_own_log_group_unless_it_is_given_one() -> None:
    assert new().target.log_group == "/aws/lambda/fn"
    configuration = dataclasses.replace(new().configuration, log_group="/mine")
    assert new(configuration=configuration).target.log_group == "/mine"
