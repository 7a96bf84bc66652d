"""The least policy for what a role has called, made of CloudTrail's events."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudlet.iam import corrections
from cloudlet.iam.access_data import Action, service_access

GLOBAL_REGION = "us-east-1"
"""Where events of services without regions are."""
PASS_ROLE = "iam:PassRole"
_VERSION = re.compile(r"\d{8}(v\d+)?$")
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")
_PREFIXES: Mapping[str, str] = {"monitoring": "cloudwatch"}
"""The name of an event's source -> the prefix of its service's actions, where the two are not the same."""
_ACTIONS: Mapping[str, str] = {
    f"{corrections.PREFIXES.get(service, service)}:{operation}": action
    for (service, operation), action in corrections.OPERATIONS.items()
}
Grant = tuple[str, str, str]
"""Action, resource, and for a role that is handed over the service that it goes to."""


def events_of(trails: Iterable[Any], role_arn: str) -> Iterator[dict[str, Any]]:
    """The events of sessions of a role, by clients of CloudTrail."""
    for trail in trails:
        for page in trail.get_paginator("lookup_events").paginate():
            for found in page["Events"]:
                event: dict[str, Any] = json.loads(found["CloudTrailEvent"])
                session = event["userIdentity"].get("sessionContext", {})
                if session.get("sessionIssuer", {}).get("arn") == role_arn:
                    yield event


def advice(events: Iterable[Mapping[str, Any]], *, with_denied: bool) -> tuple[dict[str, Any], int]:
    """A policy that allows the calls of these events, and how many calls there were."""
    grants: set[Grant] = set()
    seen = 0
    for event in events:
        if event.get("errorCode") == "AccessDenied" and not with_denied:
            continue
        seen += 1
        grants |= set(_grants(event))
    return {"Version": "2012-10-17", "Statement": _statements(grants)}, seen


def _grants(event: Mapping[str, Any]) -> Iterator[Grant]:
    source = event["eventSource"].partition(".")[0]
    prefix = _PREFIXES.get(source, source)
    operation = _VERSION.sub("", event["eventName"])
    name = _ACTIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
    action = _action(name)
    if action is None or (prefix, operation) in corrections.UNRESTRICTED:
        return
    arns = [one["ARN"] for one in event.get("resources", ())] if action.resource_types else []
    for arn in arns or ["*"]:
        yield action.name, arn, ""
    if PASS_ROLE in action.needs:
        for role in _roles(event.get("requestParameters")):
            yield PASS_ROLE, role, f"{prefix}.amazonaws.com"


def _action(name: str) -> Action | None:
    prefix, _, bare = name.partition(":")
    access = service_access(prefix)
    return access.actions.get(bare.lower()) if access is not None else None


def _roles(value: Any) -> Iterator[str]:
    if isinstance(value, str) and _ROLE_ARN.fullmatch(value):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _roles(inner)


def _statements(grants: set[Grant]) -> list[dict[str, Any]]:
    """A statement for all actions of a service that are about the same resources."""
    resources: dict[tuple[str, str], set[str]] = {}
    for action, resource, receiver in grants:
        resources.setdefault((action, receiver), set()).add(resource)
    actions: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (action, receiver), found in sorted(resources.items()):
        actions.setdefault((action.partition(":")[0], receiver, tuple(sorted(found))), []).append(action)
    return [_statement(names, arns, receiver) for (_, receiver, arns), names in sorted(actions.items())]


def _statement(actions: list[str], arns: tuple[str, ...], receiver: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": actions if len(actions) > 1 else actions[0],
        "Resource": list(arns) if len(arns) > 1 else arns[0],
    }
    if receiver:
        statement["Condition"] = {"StringEquals": {"iam:PassedToService": receiver}}
    return statement
