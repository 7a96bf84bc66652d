"""An authoriser for services that are tried by themselves."""

from collections.abc import Mapping
from typing import Any

from cloudlet.iam.principals import RequestContext


class OwnAccountAuthorizer:
    """Every authenticated principal may do everything in its own account.

    A node decides by policies, with `cloudlet.iam.enforce.PolicyAuthorizer`.
    """

    async def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        """Allow: each operation works on the account of its caller; for `sts:AssumeRole` the trust policy decides."""
