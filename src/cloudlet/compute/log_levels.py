"""Log levels of a function with JSON logs: which lines reach its log group.

System logs are the platform's events, application logs what the function writes.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

import datetime as dt
from typing import Any, Final

import orjson

TRACE, DEBUG, INFO, WARN, ERROR, FATAL = range(1, 7)

BY_NAME: Final = {"TRACE": TRACE, "DEBUG": DEBUG, "INFO": INFO, "WARN": WARN, "ERROR": ERROR, "FATAL": FATAL}
"""The words of LoggingConfig."""
_OF_LINES: Final = {**BY_NAME, "WARNING": WARN, "CRITICAL": FATAL}
"""Also those of Python's logging."""
_TIMESTAMPS: Final = ("timestamp", "time", "@timestamp")


def of_line(message: str) -> int | None:
    """The level of what a function wrote; None for what is no JSON object, which has no level.

    A level counts only beside a time, as AWS has it: else the line is an INFO.
    """
    if not message.startswith("{"):
        return None
    try:
        line = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    level = line.get("level")
    if not isinstance(level, str) or not any(_is_time(line.get(name)) for name in _TIMESTAMPS):
        return INFO
    return _OF_LINES.get(level.upper(), INFO)


def of_event(event_type: str, record: dict[str, Any]) -> int:
    """The level of an event of the platform."""
    is_success = record.get("status", "success") == "success"
    match event_type.removeprefix("platform."):
        case "initStart":
            return INFO if record.get("runtimeVersion") else DEBUG
        case "initRuntimeDone" | "restoreRuntimeDone" | "runtimeDone":
            return DEBUG if is_success else WARN
        case "initReport" if is_success:
            return DEBUG if record["initializationType"] == "on-demand" else INFO
        case "logsDropped":
            return WARN
    return INFO if is_success else WARN


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
