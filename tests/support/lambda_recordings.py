"""Recorded answers of AWS Lambda, and whether an answer of ours is the same.

`<name:1>` in a recording stands for what differs from run to run: equal ones stand for equal texts, other numbers of a
name for other texts. A few more words do the same without a number.
"""

import contextlib
import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[3] / "shared" / "oracles" / "recorded" / "lambda.json"
ACCOUNT = "111111111111"
_PLACEHOLDER = re.compile(r"<<?([a-z0-9_-]+?)>?(?::(\d+))?>")
_WORDS = {
    "date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\+0000|Z)",
    "code-sha256": r"[A-Za-z0-9+/]{43}=|[0-9a-f]{64}",
    "lambda-url": r"http://[0-9a-z]{32}\.lambda-url\.us-east-1\.localhost:\d+/",
    "log-result": r"[A-Za-z0-9+/]+=*",
}
_FREE = frozenset({"code-size", "location", "stack-trace"})
"""What a placeholder of this name stands for may be anything, also no text."""
_LATER = frozenset({"LoggingConfig", "RuntimeVersionConfig", "SnapStart"})
"""Members that AWS has added since the oldest recordings were made."""


def recordings() -> dict[str, dict[str, Any]]:
    """The answers of each recorded test, by its name and the step's."""
    if not FILE.exists():
        return {}
    return {name: recorded["answers"] for name, recorded in json.loads(FILE.read_text()).items()}


class Comparison:
    """Holds the answers of one test against their recordings. `account` and `region` are those of the answers."""

    def __init__(self, recorded: Mapping[str, Any], account: str, region: str) -> None:
        self._recorded = recorded
        self._fixed = {ACCOUNT: account, "<partition>": "aws", "<region>": region}
        self._bound: dict[str, str] = {}
        self.seen: set[str] = set()

    def check(self, step: str, answer: Any) -> None:
        """Raises AssertionError when `answer` is not what was recorded for `step`."""
        self.seen.add(step)
        differences = list(self._compare(self._recorded[step], _plain(answer), step))
        assert not differences, "\n".join(differences)

    def _compare(self, expected: Any, actual: Any, path: str) -> list[str]:
        if isinstance(expected, dict):
            return self._compare_objects(expected, actual, path)
        if isinstance(expected, list):
            if not isinstance(actual, list) or len(actual) != len(expected):
                return [f"{path}: {actual!r} instead of {expected!r}"]
            pairs = enumerate(zip(expected, actual, strict=True))
            return [text for place, (left, right) in pairs for text in self._compare(left, right, f"{path}[{place}]")]
        if isinstance(expected, str) and (free := _PLACEHOLDER.fullmatch(expected)) and free[1] in _FREE:
            return [] if actual or actual == 0 else [f"{path}: nothing instead of {expected}"]
        if isinstance(expected, str) and isinstance(actual, str):
            return [] if self._matches(expected, actual) else [f"{path}: {actual!r} instead of {expected!r}"]
        return [] if expected == actual else [f"{path}: {actual!r} instead of {expected!r}"]

    def _compare_objects(self, expected: dict[str, Any], actual: Any, path: str) -> list[str]:
        if not isinstance(actual, dict):
            return [f"{path}: {actual!r} instead of {expected!r}"]
        missing = [f"{path}.{key}: is missing" for key in expected.keys() - actual.keys()]
        more = [f"{path}.{key}: {actual[key]!r} is too much" for key in actual.keys() - expected.keys() - _LATER]
        both = [key for key in expected if key in actual]
        return (
            missing
            + more
            + [text for key in both for text in self._compare(expected[key], actual[key], f"{path}.{key}")]
        )

    def _matches(self, expected: str, actual: str) -> bool:
        if expected in _WORDS:
            return re.fullmatch(_WORDS[expected], actual) is not None
        for text, value in self._fixed.items():
            expected = expected.replace(text, value)
        names: list[str] = []
        pattern, end = "", 0
        for placeholder in _PLACEHOLDER.finditer(expected):
            pattern += re.escape(expected[end : placeholder.start()]) + "(.+?)"
            names.append(placeholder[0])
            end = placeholder.end()
        found = re.fullmatch(pattern + re.escape(expected[end:]), actual, re.DOTALL)
        return found is not None and all(map(self._bind, names, found.groups()))

    def _bind(self, name: str, value: str) -> bool:
        if ":" not in name:
            return True
        kind = name.partition(":")[0]
        taken = {text for other, text in self._bound.items() if other != name and other.partition(":")[0] == kind}
        return self._bound.setdefault(name, value) == value and value not in taken


def _plain(answer: Any) -> Any:
    """An answer of boto3 as recordings have it: without headers, with JSON inside texts as objects."""
    if isinstance(answer, Mapping):
        plain = {key: _plain(value) for key, value in answer.items()}
        if "HTTPStatusCode" in plain:
            return {"HTTPHeaders": {}, "HTTPStatusCode": plain["HTTPStatusCode"]}
        for member in ("Policy", "Statement", "Payload", "Body"):
            if isinstance(plain.get(member), str) and plain[member][:1] in ("{", "["):
                with contextlib.suppress(json.JSONDecodeError):
                    plain[member] = json.loads(plain[member])
        return plain
    if isinstance(answer, list | tuple):
        return [_plain(item) for item in answer]
    if isinstance(answer, datetime.datetime):
        return "datetime"
    return answer.read().decode() if hasattr(answer, "read") else answer
