"""May they? The one question that the dispatcher asks before it calls a service."""

from collections.abc import Mapping
from typing import Any, Protocol

from cloudlet.iam.principals import RequestContext


class Authorizer(Protocol):
    """Decides on every call, also on those that services make. The dispatcher asks; nobody else does.

    What it is given is enough for the whole of AWS's logic: the principal with its account, role and session policies;
    the resource, which `params` names and which may be another account's; and in the context how the call came. The
    policies themselves are read from the store when they are not in memory, which is why it is awaited.

    An operation that acts on another account's resource (assuming a role there, sending to a queue there) is decided
    by both sides. The caller's side is decided here; the resource's side is the policy on the resource, for a role its
    trust policy, which `cloudlet.iam.trust` evaluates for STS.
    """

    async def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        """Return when `context.principal` may call `context.operation` with `params`; raise AccessDenied when not."""
