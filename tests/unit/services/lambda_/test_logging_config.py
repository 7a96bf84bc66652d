"""The format of logs, levels, log groups."""

import pytest

from cloudlet.services.lambda_ import logging_config
from cloudlet.services.lambda_.errors import InvalidParameterValue

REFUSED = (
    'LogLevel is not supported when LogFormat is set to "Text". '
    'Remove LogLevel from your request or change the LogFormat to "Json" and try again.'
)


def test_json_begins_with_levels_of_info() -> None:
    assert logging_config.changes("Text", {"LogFormat": "JSON", "SystemLogLevel": "WARN"}) == {
        "log_format": "JSON",
        "application_log_level": "INFO",
        "system_log_level": "WARN",
    }


def test_what_stays_json_keeps_the_levels_that_are_not_named() -> None:
    assert logging_config.changes("JSON", {"ApplicationLogLevel": "ERROR"}) == {
        "log_format": "JSON",
        "application_log_level": "ERROR",
    }


def test_text_has_no_levels() -> None:
    assert logging_config.changes("JSON", {"LogFormat": "Text", "LogGroup": "mine"}) == {
        "log_format": "Text",
        "application_log_level": "",
        "system_log_level": "",
        "log_group": "mine",
    }
    assert logging_config.shown("Text", "", "", "mine") == {"LogFormat": "Text", "LogGroup": "mine"}


@pytest.mark.parametrize("level", ["ApplicationLogLevel", "SystemLogLevel"])
@pytest.mark.parametrize(
    ("before", "given"), [("Text", {}), ("Text", {"LogFormat": "Text"}), ("JSON", {"LogFormat": "Text"})]
)
def test_levels_need_json(level: str, before: str, given: dict[str, str]) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        logging_config.changes(before, {**given, level: "INFO"})
    assert caught.value.message == REFUSED
