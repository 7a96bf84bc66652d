"""What a call needs: an operation means an action, on certain resources, and maybe further actions.

The reference's data says it (`access_data`), `corrections` says where that does not fit, `naming` finds the ARNs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cloudlet.arn import PARTITION
from cloudlet.iam import corrections
from cloudlet.iam.access_data import Action, ServiceAccess, service_access
from cloudlet.iam.naming.base import ANY, NamedRequest, Namer, Spellings, by_members
from cloudlet.iam.naming.ecr import ecr_resources
from cloudlet.iam.naming.iam import iam_resources
from cloudlet.iam.naming.lambda_ import lambda_keys, lambda_resources
from cloudlet.iam.naming.logs import logs_resources
from cloudlet.iam.naming.organizations import organizations_keys, organizations_resources
from cloudlet.iam.naming.sns import sns_resources
from cloudlet.iam.naming.sqs import sqs_resources
from cloudlet.iam.naming.sts import sts_resources
from cloudlet.iam.principals import RequestContext
from cloudlet.store.base import Reader

_NAMERS: Mapping[str, Namer] = {
    "ecr": ecr_resources,
    "iam": iam_resources,
    "lambda": lambda_resources,
    "logs": logs_resources,
    "organizations": organizations_resources,
    "sns": sns_resources,
    "sqs": sqs_resources,
    "sts": sts_resources,
}
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")
PASS_ROLE = "iam:PassRole"
_TEXTS = frozenset({"Variables", "Tags", "tags"})
"""Members that hold a person's own names and texts: a role that stands there is not handed over."""
_NESTED = 8
"""Levels of a request that are looked through for roles."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that has to be allowed."""

    action: str
    resource: Spellings
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Condition keys of this requirement alone."""


@lru_cache(maxsize=4096)
def action_of(service: str, operation: str) -> tuple[Action, ServiceAccess] | None:
    """The action that an operation means; None when the data does not have it."""
    prefix = corrections.PREFIXES.get(service, service)
    name = corrections.OPERATIONS.get((service, operation), f"{prefix}:{operation}")
    prefix, _, bare = name.partition(":")
    access = service_access(prefix)
    action = access.actions.get(bare.lower()) if access is not None else None
    return (action, access) if action is not None and access is not None else None


def requirements(
    context: RequestContext, found: tuple[Action, ServiceAccess], params: Mapping[str, Any], reader: Reader
) -> list[Requirement]:
    """All that has to be allowed for a call to go on."""
    action, service = found
    request = NamedRequest(action, service, params, context.principal, context.region)
    resources = _NAMERS.get(service.prefix, by_members)(request, reader) if action.resource_types else [ANY]
    keys = lambda_keys(request) if service.prefix == "lambda" else {}
    if service.prefix == "organizations":
        keys = organizations_keys(request, resources)
    needed = [Requirement(action.name, tuple(map(_of_ours, resource)), keys) for resource in resources]
    if PASS_ROLE in action.needs:
        receiver = {"iam:passedtoservice": (f"{service.prefix}.amazonaws.com",)}
        needed += (Requirement(PASS_ROLE, (_of_ours(arn),), receiver) for arn in dict.fromkeys(_roles(params)))
    return needed


def _of_ours(arn: str) -> str:
    """An ARN as policies speak of it: there is one partition, whatever a request calls it."""
    parts = arn.split(":", 2)
    return f"arn:{PARTITION}:{parts[2]}" if parts[0] == "arn" and len(parts) == 3 else arn


def _roles(value: Any, depth: int = 0) -> Iterator[str]:
    """The ARNs of roles that a request hands over, wherever they stand in it."""
    if isinstance(value, str):
        if len(value) <= 2048 and _ROLE_ARN.fullmatch(value):
            yield value
    elif depth < _NESTED:
        if isinstance(value, dict):
            inner = [one for name, one in value.items() if name not in _TEXTS]
        else:
            inner = value if isinstance(value, list) else []
        for one in inner:
            yield from _roles(one, depth + 1)
