"""Who checks the callers of function URLs: the same authentication and policies as for operations."""

from collections.abc import Mapping
from typing import Any

from cloudlet.iam.authenticate import Authenticator, Target
from cloudlet.iam.authorizer import Authorizer
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.wire.http import HttpRequest

TARGET = Target("lambda", "lambda", "rest-json", "Invoke")


class FunctionUrlGate:
    """Implements `services.base.Gate`."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    async def authenticate(self, request: HttpRequest) -> Principal:
        """Who signed the request. Raises ServiceError."""
        found = await self._authenticator.authenticate(request, TARGET, sandboxed=request.sandboxed)
        return found.principal

    async def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        """Return when `context.principal` may; raise AccessDenied when not."""
        await self._authorizer.authorize(context, params)
