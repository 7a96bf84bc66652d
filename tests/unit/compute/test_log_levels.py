"""Levels of lines and of the platform's events."""

import pytest

from cloudlet.compute import log_levels

TIME = '"timestamp": "2024-11-02T16:51:31.587199Z"'


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("plain text\n", None),
        ("{broken\n", None),
        ('["level"]', None),
        (f'{{"level": "debug", {TIME}}}\n', log_levels.DEBUG),
        (f'{{"level": "WARNING", {TIME}}}\n', log_levels.WARN),
        (f'{{"level": "CRITICAL", {TIME}}}\n', log_levels.FATAL),
        (f'{{"level": "trace", {TIME}}}\n', log_levels.TRACE),
        (f'{{"level": "loud", {TIME}}}\n', log_levels.INFO),
        (f'{{"level": 3, {TIME}}}\n', log_levels.INFO),
        (f"{{{TIME}}}\n", log_levels.INFO),
        ('{"level": "error"}\n', log_levels.INFO),
        ('{"level": "error", "timestamp": "yesterday"}\n', log_levels.INFO),
        ('{"level": "error", "timestamp": "2024-11-02T16:51:31"}\n', log_levels.INFO),
    ],
)
def test_the_level_of_a_line(line: str, level: int | None) -> None:
    assert log_levels.of_line(line) == level


@pytest.mark.parametrize(
    ("event", "record", "level"),
    [
        ("initStart", {"runtimeVersion": "python:3.12.1"}, log_levels.INFO),
        ("initStart", {}, log_levels.DEBUG),
        ("initRuntimeDone", {"status": "success"}, log_levels.DEBUG),
        ("initRuntimeDone", {"status": "error"}, log_levels.WARN),
        ("initReport", {"status": "success", "initializationType": "on-demand"}, log_levels.DEBUG),
        ("initReport", {"status": "success", "initializationType": "provisioned-concurrency"}, log_levels.INFO),
        ("initReport", {"status": "timeout", "initializationType": "on-demand"}, log_levels.WARN),
        ("restoreStart", {}, log_levels.INFO),
        ("restoreRuntimeDone", {"status": "success"}, log_levels.DEBUG),
        ("restoreReport", {"status": "success"}, log_levels.INFO),
        ("restoreReport", {"status": "error"}, log_levels.WARN),
        ("start", {}, log_levels.INFO),
        ("runtimeDone", {"status": "success"}, log_levels.DEBUG),
        ("runtimeDone", {"status": "timeout"}, log_levels.WARN),
        ("report", {"status": "success"}, log_levels.INFO),
        ("report", {"status": "error"}, log_levels.WARN),
        ("logsDropped", {}, log_levels.WARN),
    ],
)
def test_the_level_of_an_event(event: str, record: dict[str, str], level: int) -> None:
    assert log_levels.of_event(f"platform.{event}", record) == level
