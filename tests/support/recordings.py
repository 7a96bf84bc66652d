"""Answers of the real AWS, recorded, to hold ours against. `<name:1>` in them stands for what differs between runs."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

ORACLES = Path(os.environ.get("CLOUDLET_ORACLES", Path(__file__).parents[3] / "shared" / "oracles"))
_PLACEHOLDER = re.compile(r"<[A-Za-z0-9_.-]+(?::\d+)?>")
_TIMES = {"timestamp", "last-updated-time"}


def recordings(service: str) -> dict[str, dict[str, Any]]:
    """What was done, and the answer of each step; nothing where the recordings are not there."""
    path = ORACLES / "recorded" / f"{service}.json"
    if not path.exists():
        return {}
    return {name: recorded["answers"] for name, recorded in json.loads(path.read_text()).items()}


def answer_of(call: Callable[..., Mapping[str, Any]], **params: Any) -> dict[str, Any]:
    """The answer of a boto3 call, whether it succeeds or not."""
    try:
        return dict(call(**params))
    except ClientError as error:
        return dict(error.response)


class Comparison:
    """Compares answers with recorded ones. A placeholder stands for the same text wherever it occurs."""

    def __init__(self, **known: str) -> None:
        self._known = {f"<{name}>": text for name, text in {"partition": "aws", "region": "us-east-1", **known}.items()}

    def check(self, recorded: Any, answer: Any, path: str = "") -> None:
        """Raise AssertionError that names the member where the two differ."""
        if isinstance(recorded, dict) and isinstance(answer, str):  # a document that is recorded as what it says
            answer = json.loads(answer)
        if path == ".ResponseMetadata":
            assert answer["HTTPStatusCode"] == recorded["HTTPStatusCode"], path
        elif isinstance(recorded, dict):
            assert isinstance(answer, dict), path
            assert answer.keys() == recorded.keys(), path
            for key, member in recorded.items():
                self.check(member, answer[key], f"{path}.{key}")
        elif isinstance(recorded, list):
            assert len(answer) == len(recorded), path
            for index, member in enumerate(recorded):
                self.check(member, answer[index], f"{path}[{index}]")
        elif isinstance(recorded, str):
            self._check_text(recorded, answer, path)
        else:
            assert answer == recorded, path

    def _check_text(self, recorded: str, answer: Any, path: str) -> None:
        if recorded in _TIMES:
            assert isinstance(answer, int), path
            return
        names: list[str] = []
        pattern, end = "", 0
        for found in _PLACEHOLDER.finditer(recorded):
            pattern += re.escape(recorded[end : found.start()])
            end = found.end()
            if found[0] in self._known:
                pattern += re.escape(self._known[found[0]])
            else:
                names.append(found[0])
                pattern += "(.+)"
        matched = re.fullmatch(pattern + re.escape(recorded[end:]), answer)
        assert matched, f"{path}: {answer!r} is not {recorded!r}"
        self._known |= zip(names, matched.groups(), strict=True)


Check = Callable[[str, Any], None]
Test = TypeVar("Test", bound=Callable[..., None])


class Replays:
    """Which test of a module replays which recording.

    RECORDED = Replays("sqs")

    @RECORDED.by("TestSqsProvider::test_receive_empty_queue[sqs]")
    def test_an_empty_queue(check: Check) -> None: ...
    """

    def __init__(self, service: str) -> None:
        self.answers = recordings(service)
        self.is_here = pytest.mark.skipif(not self.answers, reason="the recordings are not here")
        """A module's `pytestmark`."""
        self._names: dict[str, str] = {}

    def by(self, name: str) -> Callable[[Test], Test]:
        """Mark a test as the replay of a recording, whose name may have the test's parameters in braces."""

        def mark(test: Test) -> Test:
            self._names[test.__name__] = name
            return test

        return mark

    def of(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        """The recorded answers for the test that runs."""
        callspec = getattr(request.node, "callspec", None)
        return self.answers[self._names[request.node.originalname].format(**callspec.params if callspec else {})]

    def check(self, request: pytest.FixtureRequest, plain: Callable[[Any], Any] = lambda answer: answer) -> Check:
        """`check(step, answer)`: raise AssertionError unless the answer is the recorded one of this test's step.

        `plain` takes from both what cannot be compared.
        """
        comparison, answers = Comparison(), self.of(request)
        return lambda step, answer: comparison.check(plain(answers[step]), plain(answer))

    @property
    def left(self) -> set[str]:
        """The recordings that no test replays."""
        names = [re.sub(r"\\\{\w+\\\}", ".*", re.escape(name)) for name in self._names.values()]
        return {name for name in self.answers if not any(re.fullmatch(each, name) for each in names)}
