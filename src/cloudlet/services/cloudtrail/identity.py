"""Who made a call, as events say it.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from datetime import UTC, datetime
from typing import Any

from cloudlet.iam.principals import Principal, RequestContext

_TYPES = {"root": "Root", "user": "IAMUser", "assumed-role": "AssumedRole", "federated-user": "FederatedUser"}


def user_identity(context: RequestContext) -> dict[str, Any]:
    """The element `userIdentity`."""
    principal = context.principal
    if principal.kind == "service":
        return {"type": "AWSService", "accountId": principal.account, "invokedBy": principal.source_service}
    if principal.kind == "anonymous":
        return {"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}
    identity: dict[str, Any] = {
        "type": _TYPES[principal.kind],
        "principalId": principal.user_id,
        "arn": principal.arn,
        "accountId": principal.account,
        "accessKeyId": principal.access_key_id,
    }
    if principal.kind == "user":
        identity["userName"] = user_name(principal)
    if principal.is_session:
        identity["sessionContext"] = _session(principal)
    if context.called_via:
        identity["invokedBy"] = context.called_via[-1]
    return identity


def user_name(principal: Principal) -> str:
    """What LookupEvents calls the caller: a user's name, a role's session; empty for a service."""
    if principal.kind == "root":
        return "root"
    return "" if principal.kind in ("service", "anonymous") else principal.arn.rpartition("/")[2]


def _session(principal: Principal) -> dict[str, Any]:
    began = datetime.fromtimestamp(int(principal.token_issued), UTC)
    session: dict[str, Any] = {
        "attributes": {"creationDate": began.strftime("%Y-%m-%dT%H:%M:%SZ"), "mfaAuthenticated": "false"}
    }
    if principal.role_arn:
        session["sessionIssuer"] = {
            "type": "Role",
            "principalId": principal.user_id.partition(":")[0],
            "arn": principal.role_arn,
            "accountId": principal.account,
            "userName": principal.role_arn.rpartition("/")[2],
        }
    if principal.source_identity:
        session["sourceIdentity"] = principal.source_identity
    return session
