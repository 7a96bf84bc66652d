"""A decision as it stands in an encoded authorization message, which STS decodes for those who may see it.

https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from cloudlet.iam.compiled import Verdict
from cloudlet.iam.evaluate import Decision
from cloudlet.iam.request import AccessRequest


def describe(request: AccessRequest, decision: Decision) -> str:
    """The decision on a request as JSON, in the members that AWS's messages have."""
    principal = request.principal
    content = {
        "allowed": decision.is_allowed,
        "explicitDeny": decision.is_explicit_deny,
        "matchedStatements": _items(
            _statement(request, verdict) for _, verdict in decision.applied if verdict.effect == "Deny"
        ),
        "failures": _items(()),
        "context": {
            "principal": {
                "id": principal.user_id,
                "name": principal.arn.rpartition("/")[2],
                "arn": principal.arn,
            },
            "action": request.action,
            "resource": request.resource,
            "conditions": _conditions(request.keys),
        },
    }
    return orjson.dumps(content).decode()


def _statement(request: AccessRequest, verdict: Verdict) -> dict[str, Any]:
    return {
        "statementId": verdict.statement.sid,
        "effect": verdict.effect.upper(),
        "principals": _items([{"value": request.principal.user_id}]),
        "principalGroups": _items(()),
        "actions": _items([{"value": request.action}]),
        "resources": _items([{"value": request.resource}]),
        "conditions": _items(()),
    }


def _conditions(keys: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return _items({"key": key, "values": _items({"value": value} for value in keys[key])} for key in sorted(keys))


def _items(items: Iterable[Any]) -> dict[str, Any]:
    return {"items": list(items)}
