"""AWS Security Token Service: who the caller is, and sessions of roles and users.

https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudlet.arn import Arn
from cloudlet.errors import AccessDenied, OperationNotImplemented, ValidationError
from cloudlet.iam.credentials import Credentials, SessionCredentials, account_of
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.role_table import Role
from cloudlet.iam.tokens import InvalidToken
from cloudlet.iam.trust import AssumeRequest, refused_action
from cloudlet.services.base import Platform, Result, Service, operation
from cloudlet.services.sts import federation, session
from cloudlet.services.sts import role as roles
from cloudlet.services.sts.errors import InvalidAuthorizationMessage
from cloudlet.services.sts.web_identity import WebIdentities, WebIdentity
from cloudlet.store.base import Reader

if TYPE_CHECKING:
    from types_boto3_sts import type_defs as types

LAMBDA = "lambda.amazonaws.com"
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"


class StsService(Service):
    """The STS service. Keeps nothing: a session is in its token."""

    name = "sts"

    def __init__(self, platform: Platform, credentials: Credentials) -> None:
        super().__init__(platform)
        self._credentials = credentials
        self._web_identities = WebIdentities(platform.store, platform.clock, with_http=platform.config.is_open)

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
        arn, caller = roles.parse_arn(params["RoleArn"]), context.principal
        narrowing = session.read(params, caller)
        role = await self._role(context, arn, params, narrowing)
        function_arn = context.source_arn if caller.source_service == LAMBDA else ""
        return self._assumed(role, params, narrowing, caller, source_function_arn=function_arn)

    @operation("AssumeRoleWithWebIdentity")
    async def assume_role_with_web_identity(
        self, context: RequestContext, params: "types.AssumeRoleWithWebIdentityRequestTypeDef"
    ) -> Result:
        if params.get("ProviderId"):
            raise OperationNotImplemented("OAuth 2.0 access tokens are not implemented by Cloudlet; give an ID token.")
        arn = roles.parse_arn(params["RoleArn"])
        identity = await self._web_identities.verified(params["WebIdentityToken"], arn.account)
        given: dict[str, Any] = {**params, **identity.session}
        narrowing = session.read(given, context.principal)
        role = await self._role_for(identity, context, arn, given, narrowing)
        federation_keys = tuple((key, tuple(values)) for key, values in identity.keys.items())
        answer = self._assumed(role, params, narrowing, context.principal, federation_keys)
        return {
            **answer,
            "SubjectFromWebIdentityToken": identity.subject,
            "Provider": identity.issuer,
            "Audience": identity.audience,
        }

    def _assumed(
        self,
        role: Role,
        params: Mapping[str, Any],
        narrowing: session.Narrowing,
        caller: Principal,
        federation_keys: tuple[tuple[str, tuple[str, ...]], ...] = (),
        source_function_arn: str = "",
    ) -> dict[str, Any]:
        """The answer to whoever may assume `role`. Raises ValidationError for a duration that it does not have."""
        duration_s = session.duration_s(params.get("DurationSeconds"), role, caller)
        principal = session.principal(role, params["RoleSessionName"], narrowing, federation_keys, source_function_arn)
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

    async def _find(self, arn: Arn, narrowing: session.Narrowing) -> Role | None:
        """The role of this ARN. Raises ValidationError when it has not the policies that the session names."""

        def read(reader: Reader) -> Role | None:
            role = roles.find(reader, arn)
            if role is not None:
                session.check_policies_exist(reader, role.account, narrowing.policy_arns)
            return role

        return await self.platform.store.read(read)

    async def _role(
        self,
        context: RequestContext,
        arn: Arn,
        params: "types.AssumeRoleRequestTypeDef",
        narrowing: session.Narrowing,
    ) -> Role:
        """The role, which trusts the caller. Raises AccessDenied, ValidationError."""
        role = await self._find(arn, narrowing)
        if role is None:
            if imagined := roles.imagined(arn, context.principal, self.platform.config):
                return imagined
            raise _denied(context, "sts:AssumeRole", arn)
        source_identity = context.principal.source_identity
        if source_identity and params.get("SourceIdentity", source_identity) != source_identity:
            # It is the one thing of a chain of sessions that nobody in it may change.
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
            raise _denied(context, "sts:SetSourceIdentity", arn)
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

    async def _role_for(
        self,
        identity: WebIdentity,
        context: RequestContext,
        arn: Arn,
        given: Mapping[str, Any],
        narrowing: session.Narrowing,
    ) -> Role:
        """The role, which trusts the identity. Raises AccessDenied, ValidationError."""
        role = await self._find(arn, narrowing)
        request = AssumeRequest(
            str(arn),
            given["RoleSessionName"],
            source_identity=given.get("SourceIdentity", ""),
            tags={tag["Key"]: tag["Value"] for tag in given.get("Tags", ())},
            transitive_tag_keys=tuple(given.get("TransitiveTagKeys", ())),
            action=WEB_IDENTITY,
            federated=identity.provider_arn,
            provider_keys=identity.keys,
        )
        action = WEB_IDENTITY if role is None else refused_action(role.trust_policy, request, context)
        if role is None or action is not None:
            raise AccessDenied(f"Not authorized to perform {action}")
        return role

    @operation("GetSessionToken")
    async def get_session_token(self, context: RequestContext, params: "types.GetSessionTokenRequestTypeDef") -> Result:
        caller = context.principal
        federation.check_lasting(caller, "GetSessionToken")
        if params.get("SerialNumber") or params.get("TokenCode"):
            raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
        duration_s = federation.duration_s(params.get("DurationSeconds"), caller)
        issued = self._credentials.issue(caller, duration_s, params.get("MinimumSessionTokenSize", 0))
        return {"Credentials": _described(issued)} | _token_size(issued, params)

    @operation("GetFederationToken")
    async def get_federation_token(
        self, context: RequestContext, params: "types.GetFederationTokenRequestTypeDef"
    ) -> Result:
        caller = context.principal
        federation.check_lasting(caller, "GetFederationToken")
        narrowing = session.read(params, caller)
        await self.platform.store.read(
            lambda reader: session.check_policies_exist(reader, caller.account, narrowing.policy_arns)
        )
        principal = federation.principal(caller, params["Name"], narrowing)
        duration_s = federation.duration_s(params.get("DurationSeconds"), caller)
        issued = self._credentials.issue(principal, duration_s, params.get("MinimumSessionTokenSize", 0))
        return {
            "Credentials": _described(issued),
            "FederatedUser": {"FederatedUserId": principal.user_id, "Arn": principal.arn},
            "PackedPolicySize": narrowing.packed_percent or 0,
        } | _token_size(issued, params)

    @operation("DecodeAuthorizationMessage")
    async def decode_authorization_message(
        self, context: RequestContext, params: "types.DecodeAuthorizationMessageRequestTypeDef"
    ) -> Result:
        try:
            message = self._credentials.open_message(context.account, params["EncodedMessage"])
        except InvalidToken as error:
            raise InvalidAuthorizationMessage("Message is not valid") from error
        return {"DecodedMessage": message}


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
