"""The role that a function runs with: checked when it is given, assumed when an environment starts.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
"""

import datetime
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudlet.arn import Arn
from cloudlet.compute.function import ComputeError, FunctionVersion, TemporaryCredentials
from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.tables import CHANNEL
from cloudlet.services.base import Platform
from cloudlet.services.lambda_.errors import CrossAccount, InvalidParameterValue
from cloudlet.services.role_session import is_change_of, session_principal

SERVICE = "lambda.amazonaws.com"
_OWN = re.compile(r"arn:aws:iam::(?P<account>\d{12}):(?P<kind>role|user)/(?:.*/)?(?P<name>[^/]+)")
MAX_SESSIONS = 10_000
REFUSED = "The role defined for the function cannot be assumed by Lambda."


class RoleRefused(ComputeError):
    """The role defined for the function cannot be assumed by Lambda."""


class FunctionCredentials:
    """The `CredentialSource` of the compute engine: temporary credentials of functions' roles, from STS."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._sessions: OrderedDict[tuple[str, str], Principal] = OrderedDict()
        """The last session for each function and role."""
        platform.store.listen(CHANNEL, self._changed)

    async def credentials(self, function: FunctionVersion) -> TemporaryCredentials:
        """Fresh credentials for the role of `function`. Raises RoleRefused, ComputeError.

        In dev mode, a role of another account that is not there means the one of this name in the function's account:
        what the function then calls must be where its caller looks for it.
        """
        try:
            return await self._assume(function, function.role_arn)
        except RoleRefused:
            own = str(replace(Arn.parse(function.role_arn), account=function.account))
            if self._platform.config.auth != "dev" or own == function.role_arn:
                raise
            return await self._assume(function, own)

    async def session(self, function: FunctionVersion) -> Principal:
        """Who `function` is with the credentials that it was given last. Raises RoleRefused, ComputeError."""
        key = function.function_arn, function.role_arn
        if (kept := self._sessions.get(key)) is not None:
            return kept
        await self.credentials(function)
        return self._sessions[key]

    def forget(self) -> None:
        """The store was emptied."""
        self._sessions.clear()

    def _changed(self, payload: str) -> None:
        for key in [key for key in self._sessions if is_change_of(payload, key[1])]:
            del self._sessions[key]

    def _keep(self, function: FunctionVersion, role_arn: str, answer: Mapping[str, Any]) -> None:
        session = session_principal(answer, role_arn, self._platform.clock.now())
        key_id = answer["Credentials"]["AccessKeyId"]
        session = replace(session, access_key_id=key_id, source_function_arn=function.function_arn)
        key = function.function_arn, function.role_arn
        self._sessions[key] = session
        self._sessions.move_to_end(key)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    async def _assume(self, function: FunctionVersion, role_arn: str) -> TemporaryCredentials:
        # A function's name may be one character long, a session's may not.
        request = {"RoleArn": role_arn, "RoleSessionName": function.name.ljust(2, "_")}
        context = _context(self._platform, function.account, function.region, function.function_arn)
        try:
            answer = await self._platform.calls.call(context, "sts", "AssumeRole", request)
        except ServiceError as error:
            if error.sender_fault:
                raise RoleRefused(REFUSED) from error
            raise ComputeError(f"no credentials for {role_arn}: {error}") from error
        self._keep(function, role_arn, answer)
        issued = answer["Credentials"]
        return TemporaryCredentials(
            issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], _seconds(issued["Expiration"])
        )


async def check_role(platform: Platform, context: RequestContext, role_arn: str, function_arn: str) -> None:
    """Raises InvalidParameterValue when Lambda cannot assume the role, CrossAccount when it is another account's.

    In dev mode a role that is not there is taken for one that will do: who only tries functions out makes no roles.
    """
    if platform.config.auth != "dev" and Arn.parse(role_arn).account != context.account:
        raise CrossAccount("Cross-account pass role is not allowed.")
    call = _context(platform, context.account, context.region, function_arn)
    try:
        await platform.calls.call(
            call, "sts", "AssumeRole", {"RoleArn": role_arn, "RoleSessionName": "cloudlet-role-check"}
        )
    except OperationNotImplemented:
        return
    except ServiceError as error:
        if not error.sender_fault:
            raise
        if platform.config.auth == "dev" and not await _exists(platform, context, role_arn):
            return
        raise InvalidParameterValue(REFUSED) from error


async def _exists(platform: Platform, context: RequestContext, role_arn: str) -> bool:
    role = Arn.parse(role_arn)
    name = role.resource.rpartition("/")[2]
    try:
        await platform.calls.call(
            _context(platform, role.account, context.region, ""), "iam", "GetRole", {"RoleName": name}
        )
    except ServiceError:
        return False
    return True


async def is_known(platform: Platform, context: RequestContext, principal: str) -> bool:
    """False for a role or user of the caller's account that is not there. Other accounts may be of other nodes."""
    match = _OWN.fullmatch(principal)
    if match is None or match["account"] != context.account:
        return True
    kind = match["kind"].capitalize()
    call = _context(platform, context.account, context.region, "")
    try:
        found = await platform.calls.call(call, "iam", f"Get{kind}", {f"{kind}Name": match["name"]})
    except OperationNotImplemented:
        return True
    except ServiceError as error:
        if not error.sender_fault:
            raise
        return False
    return bool(found[kind]["Arn"] == principal)


def _context(platform: Platform, account: str, region: str, source_arn: str) -> RequestContext:
    return RequestContext(Principal.service(SERVICE, account), region, platform.ids.uuid(), source_arn=source_arn)


def _seconds(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime.datetime) else float(moment)
