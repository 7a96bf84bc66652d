"""May they? The one question that the dispatcher asks before it calls a service."""

from collections.abc import Mapping
from typing import Any, Protocol

from cloudlet.iam.principals import RequestContext


class Authorizer(Protocol):
    """Decides on every call, also on those that services make. The dispatcher asks; nobody else does."""

    def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        """Return when `context.principal` may call `context.operation` with `params`; raise AccessDenied when not."""


class OwnAccountAuthorizer:
    """Every authenticated principal may do everything in its own account.

    What policies say is kept but not evaluated yet: that is the next step of the project, and README says so.
    """

    def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        """Allow: each operation works on the account of its caller only, so there is nothing to refuse yet."""
