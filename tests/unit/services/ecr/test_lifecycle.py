"""Lifecycle policies: what is none, and what a rule is about."""

from typing import Any

import orjson
import pytest

from cloudlet.services.ecr import lifecycle
from cloudlet.services.ecr.errors import InvalidParameter
from cloudlet.services.ecr.lifecycle import Aged


def policy(selection: dict[str, Any] | None = None, **rule: Any) -> str:
    chosen = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1, **(selection or {})}
    one = {"rulePriority": 1, "selection": chosen, "action": {"type": "expire"}, **rule}
    return orjson.dumps({"rules": [one]}).decode()


def test_the_smallest_is_one() -> None:
    [rule] = lifecycle.parse(policy(description="the last one stays"))
    assert (rule.tag_status, rule.count) == ("any", 1)


@pytest.mark.parametrize(
    "text",
    [
        policy({"countNumber": True}),
        policy(rulePriority=True),
        policy({"countUnit": "weeks"}),
        policy({"tagStatus": "tagged", "tagPrefixList": ["a"], "tagPatternList": ["b*"]}),
        policy({"tagStatus": "tagged", "tagPatternList": ["*a*b*c*d*"]}),
        policy({"storageClass": "archive"}),
        policy(unknown=1),
        policy(description=5),
        policy(action={"type": "expire", "targetStorageClass": "archive"}),
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        lifecycle.parse(text)


@pytest.mark.parametrize(
    ("pattern", "is_about"),
    [
        ("v*", True),
        ("*1", True),
        ("v[1]", False),
        ("v?", False),
        ("v1", True),
        ("*", True),
        ("v1*v1", False),
        ("*v*1*", True),
        ("*1*v*", False),
    ],
)
def test_only_stars_stand_for_something_else(pattern: str, is_about: bool) -> None:
    rules = lifecycle.parse(policy({"tagStatus": "tagged", "tagPatternList": [pattern], "countNumber": 1}))
    images = [Aged("a", ("v1",), 1, 0), Aged("b", ("v1",), 2, 0)]
    assert lifecycle.expired(rules, images, 10) == (["a"] if is_about else [])
