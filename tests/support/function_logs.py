"""A function's log as tests compare it: AWS's lines without what differs from run to run."""

import re
from collections.abc import Iterable

INIT_START = (
    "INIT_START Runtime Version: python:3.12.1\tRuntime Version ARN: arn:aws:lambda:eu-central-1::runtime:<hash>\n"
)
START = "START RequestId: <id> Version: $LATEST\n"
END = "END RequestId: <id>\n"
REPORT_HEAD = (
    "REPORT RequestId: <id>\tDuration: <n> ms\tBilled Duration: <n> ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
)
COLD_REPORT = REPORT_HEAD + "Init Duration: <n> ms\t"


def shapes(messages: Iterable[str]) -> list[str]:
    """The lines with placeholders for ids, durations and times."""
    lines = []
    for message in messages:
        line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", message)
        line = re.sub(r"\d+\.\d\d ms", "<n> ms", line)
        line = re.sub(r"Billed Duration: \d+ ms", "Billed Duration: <n> ms", line)
        line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", line)
        lines.append(re.sub(r"runtime:[0-9a-f]{64}", "runtime:<hash>", line))
    return lines
