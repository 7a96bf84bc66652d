"""The node's own log: one line for each event, as text for people or as JSON for machines.

Modules log with `logging.getLogger(__name__)` and give what belongs to the event as fields:
`logger.error("request failed", extra={"request_id": ...}, exc_info=True)`.
"""

import datetime
import json
import logging
from typing import Any, TextIO

from cloudlet.config import LogFormat

# What every record has; all else in it came through `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(log_format: LogFormat, stream: TextIO, level: int = logging.INFO) -> None:
    """Send the log of this process to `stream`. Replaces what an earlier call has set."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Its warnings are about clients that send no HTTP: not worth a line each.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller gave as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def timestamp(record: logging.LogRecord) -> str:
    """The record's time in UTC: `2026-07-01T12:00:00.000Z`."""
    moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class TextFormatter(logging.Formatter):
    """`time LEVEL logger: message name=value ...`, then the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        parts = [f"{timestamp(record)} {record.levelname:<7} {record.name}: {message}"]
        parts += [f"{name}={_quoted(str(value))}" for name, value in fields(record).items()]
        line = " ".join(parts)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _quoted(text: str) -> str:
    # What a client sent may stand here: it must not pass for another line or field.
    return text if text.isprintable() and " " not in text else json.dumps(text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the fields, and `exception` when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)
