"""AWS Security Token Service: who the caller is, and sessions of roles.

https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudlet.arn import Arn
from cloudlet.errors import AccessDenied, ValidationError
from cloudlet.iam.credentials import Credentials, SessionCredentials, account_of
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.role_table import Role
from cloudlet.iam.trust import AssumeRequest, refused_action
from cloudlet.services.base import Platform, Result, Service, operation
from cloudlet.services.sts import role as roles
from cloudlet.services.sts import session
from cloudlet.store.base import Reader

if TYPE_CHECKING:
    from types_boto3_sts import type_defs as types

USER_TOKEN_S = 12 * 3600
ROOT_TOKEN_S = 3600
"""GetSessionToken's default for a user, and the most that root gets."""


class StsService(Service):
    """The STS service. Keeps nothing: a session is in its token."""

    name = "sts"

    def __init__(self, platform: Platform, credentials: Credentials) -> None:
        super().__init__(platform)
        self._credentials = credentials

    @operation("GetCallerIdentity")
    async def get_caller_identity(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        principal = context.principal
        return {"UserId": principal.user_id, "Account": principal.account, "Arn": principal.arn}

    @operation("GetAccessKeyInfo")
    async def get_access_key_info(
        self,
        _context: RequestContext,
        params: "types.GetAccessKeyInfoRequestTypeDef",
    ) -> Result:
        account = account_of(params["AccessKeyId"])
        if account is None:
            raise ValidationError(f"{params['AccessKeyId']} is invalid")
        return {"Account": account}

    @operation("AssumeRole")
    async def assume_role(self, context: RequestContext, params: "types.AssumeRoleRequestTypeDef") -> Result:
        caller = context.principal
        arn, session_name = roles.parse_arn(params["RoleArn"]), params["RoleSessionName"]
        narrowing = session.read(params, caller)
        role = await self._role(context, arn, params, narrowing)
        duration_s = session.duration_s(params.get("DurationSeconds"), role, caller)
        principal = session.principal(role, session_name, narrowing)
        issued = self._credentials.issue(principal, duration_s, params.get("MinimumSessionTokenSize", 0))
        result: dict[str, Any] = {
            "Credentials": _described(issued),
            "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
        }
        if narrowing.packed_percent is not None:
            result["PackedPolicySize"] = narrowing.packed_percent
        if narrowing.source_identity:
            result["SourceIdentity"] = narrowing.source_identity
        return result | _token_size(issued, params)

    async def _role(
        self,
        context: RequestContext,
        arn: Arn,
        params: "types.AssumeRoleRequestTypeDef",
        narrowing: session.Narrowing,
    ) -> Role:
        """The role, which trusts the caller. Raises AccessDenied, ValidationError."""

        def read(reader: Reader) -> Role | None:
            role = roles.find(reader, arn)
            if role is not None:
                session.check_policies_exist(reader, role.account, narrowing.policy_arns)
            return role

        role = await self.platform.store.read(read)
        if role is None:
            if imagined := roles.imagined(arn, context.principal, self.platform.config):
                return imagined
            raise _denied(context, "sts:AssumeRole", arn)
        request = AssumeRequest(
            str(arn),
            params["RoleSessionName"],
            params.get("ExternalId", ""),
            params.get("SourceIdentity", ""),
            {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())},
            tuple(params.get("TransitiveTagKeys", ())),
        )
        if action := refused_action(role.trust_policy, request, context):
            raise _denied(context, action, arn)
        return role

    @operation("GetSessionToken")
    async def get_session_token(self, context: RequestContext, params: "types.GetSessionTokenRequestTypeDef") -> Result:
        caller = context.principal
        if caller.kind not in ("root", "user") or caller.is_session:
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        if params.get("SerialNumber") or params.get("TokenCode"):
            raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
        if caller.kind == "root":
            duration_s = min(params.get("DurationSeconds", ROOT_TOKEN_S), ROOT_TOKEN_S)
        else:
            duration_s = params.get("DurationSeconds", USER_TOKEN_S)
        issued = self._credentials.issue(caller, duration_s, params.get("MinimumSessionTokenSize", 0))
        return {"Credentials": _described(issued)} | _token_size(issued, params)


def _token_size(issued: SessionCredentials, params: Mapping[str, Any]) -> dict[str, int]:
    """The token's size, for those who asked for a certain one."""
    return {"SessionTokenSize": len(issued.session_token)} if params.get("MinimumSessionTokenSize") else {}


def _denied(context: RequestContext, action: str, arn: Arn) -> AccessDenied:
    return AccessDenied(f"User: {context.principal.arn} is not authorized to perform: {action} on resource: {arn}")


def _described(issued: SessionCredentials) -> dict[str, Any]:
    return {
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret_access_key,
        "SessionToken": issued.session_token,
        "Expiration": datetime.fromtimestamp(issued.expires, UTC),
    }
