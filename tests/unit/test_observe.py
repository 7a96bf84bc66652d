import json
import logging
import sys

import pytest

from cloudlet.observe import JsonFormatter, TextFormatter


def record(message: str, *, error: bool = False, **fields: object) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError("broken")
        except ValueError:
            info = sys.exc_info()
    made = logging.getLogger("cloudlet.part").makeRecord("cloudlet.part", logging.ERROR, "f", 1, message, (), info)
    made.__dict__.update(created=1_700_000_000.5, **fields)
    return made


def test_text_is_one_line_with_its_fields() -> None:
    line = TextFormatter().format(record("no luck", request_id="abc"))
    assert line == "2023-11-14T22:13:20.500Z ERROR   cloudlet.part: no luck request_id=abc"


@pytest.mark.parametrize("value", ["two words", "two\nlines", "\x1b[31m"])
def test_what_clients_send_cannot_forge_lines(value: str) -> None:
    line = TextFormatter().format(record("no luck", path=value))
    assert line.endswith(f"path={json.dumps(value)}")


def test_json_holds_fields_and_traceback() -> None:
    entry = json.loads(JsonFormatter().format(record("no luck", error=True, request_id="abc")))
    assert (entry["time"], entry["level"], entry["message"]) == ("2023-11-14T22:13:20.500Z", "ERROR", "no luck")
    assert entry["request_id"] == "abc"
    assert "ValueError: broken" in entry["exception"]


def test_text_shows_the_traceback_below() -> None:
    assert TextFormatter().format(record("no luck", error=True)).endswith("ValueError: broken")


def test_a_message_stays_on_its_line() -> None:
    """Texts of databases and of other programs go over several."""
    assert TextFormatter().format(record("no\r\nluck")).endswith(": no\\r\\nluck")
