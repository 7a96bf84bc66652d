"""Lifecycle policies: which images of a repository have had their time.

Rules are applied in the order of their priority; an image that a rule has chosen is no other rule's. An image that an
index needs goes with the index, not before.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.services.ecr.errors import InvalidParameter

DAY_MS = 86_400_000
_COUNTS = ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled")
_WILDCARDS = 4
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html"""
_MEMBERS = frozenset({"rulePriority", "description", "selection", "action"})
_SELECTION = frozenset({"tagStatus", "tagPrefixList", "tagPatternList", "countType", "countUnit", "countNumber"})
_INVALID = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: '{}'"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    priority: int
    tag_status: str
    prefixes: tuple[str, ...]
    patterns: tuple[str, ...]
    count_type: str
    count: int

    def is_about(self, tags: Sequence[str]) -> bool:
        """True for an image with these tags."""
        if self.tag_status == "any":
            return True
        if self.tag_status == "untagged":
            return not tags
        # Several prefixes or patterns mean images whose tags match all of them.
        return all(any(tag.startswith(prefix) for tag in tags) for prefix in self.prefixes) and all(
            any(_matches(tag, pattern) for tag in tags) for pattern in self.patterns
        )


@dataclass(frozen=True, slots=True)
class Aged:
    """An image, as far as rules go."""

    digest: str
    tags: tuple[str, ...]
    pushed_ms: int
    pulled_ms: int


def parse(text: str) -> list[Rule]:
    """The rules of a policy, by priority. Raises InvalidParameter."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(_INVALID.format(f"Invalid JSON syntax: {error}")) from error
    rules = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rules, list) or not 1 <= len(rules) <= 50:
        raise InvalidParameter(_INVALID.format("a policy has between 1 and 50 rules"))
    found = sorted((_rule(one) for one in rules), key=lambda rule: rule.priority)
    if len({rule.priority for rule in found}) != len(found):
        raise InvalidParameter(_INVALID.format("Rule priorities must be unique"))
    if any(rule.tag_status == "any" and rule is not found[-1] for rule in found):
        raise InvalidParameter(_INVALID.format("A rule with tagStatus any must have the highest rulePriority value"))
    return found


def _rule(value: Any) -> Rule:
    match value:
        case {
            "rulePriority": int() as priority,
            "selection": {
                "tagStatus": "tagged" | "untagged" | "any" as status,
                "countType": str() as count_type,
                "countNumber": int() as count,
            } as selection,
            "action": {"type": "expire"} as action,
        } if priority > 0 and count > 0 and count_type in _COUNTS and not (priority is True or count is True):
            _check_members(value, selection, action)
            prefixes, patterns = _texts(selection, "tagPrefixList"), _texts(selection, "tagPatternList")
            if any(pattern.count("*") > _WILDCARDS for pattern in patterns):
                raise InvalidParameter(_INVALID.format(f"a tag pattern has at most {_WILDCARDS} wildcards"))
            if prefixes and patterns:
                raise InvalidParameter(_INVALID.format("a rule has a tagPrefixList or a tagPatternList, not both"))
            is_by_days = count_type != "imageCountMoreThan"
            if (status == "tagged") == bool(prefixes or patterns) and (
                selection.get("countUnit") == ("days" if is_by_days else None)
            ):
                return Rule(priority, status, prefixes, patterns, count_type, count)
    raise InvalidParameter(
        _INVALID.format(
            "a rule has rulePriority, selection (tagStatus, with tagPrefixList or tagPatternList when it is tagged, "
            "countType, countUnit days when it counts these, countNumber) and the action expire"
        )
    )


def _check_members(rule: Mapping[str, Any], selection: Mapping[str, Any], action: Mapping[str, Any]) -> None:
    """Raises InvalidParameter for what would be accepted and ignored."""
    unknown = [*(rule.keys() - _MEMBERS), *(selection.keys() - _SELECTION), *(action.keys() - {"type"})]
    if unknown:
        raise InvalidParameter(_INVALID.format(f"unknown members: {', '.join(sorted(unknown))[:200]}"))
    if not isinstance(rule.get("description", ""), str):
        raise InvalidParameter(_INVALID.format("a description is a text"))


def _matches(tag: str, pattern: str) -> bool:
    """Only `*` stands for something else. In time that grows with the lengths only, whatever the pattern."""
    first, *others = pattern.split("*")
    if not others:
        return tag == pattern
    *middle, last = others
    if len(tag) < len(first) + len(last) or not (tag.startswith(first) and tag.endswith(last)):
        return False
    place, end = len(first), len(tag) - len(last)
    for part in middle:
        found = tag.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _texts(selection: Mapping[str, Any], member: str) -> tuple[str, ...]:
    value = selection.get(member) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise InvalidParameter(_INVALID.format(f"{member} is a list of texts"))
    return tuple(value)


def expired(rules: Sequence[Rule], images: Sequence[Aged], now_ms: int) -> list[str]:
    """The digests of the images that have to go."""
    left = sorted(images, key=lambda image: (image.pushed_ms, image.digest), reverse=True)
    gone: list[str] = []
    for rule in rules:
        concerned = [image for image in left if rule.is_about(image.tags)]
        if rule.count_type == "imageCountMoreThan":
            chosen = concerned[rule.count :]
        else:
            pulled = rule.count_type == "sinceImagePulled"
            limit = now_ms - rule.count * DAY_MS
            chosen = [image for image in concerned if ((pulled and image.pulled_ms) or image.pushed_ms) < limit]
        gone += [image.digest for image in chosen]
        left = [image for image in left if image not in concerned]
    return gone
