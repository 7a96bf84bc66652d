"""Services that act as a role: a function's execution role, a rule's, a schedule's.

The role is assumed from STS, so its trust policy decides; what it may do is decided at each call that is made as it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudlet.arn import Arn
from cloudlet.errors import ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.role_table import KIND
from cloudlet.iam.tables import CHANNEL
from cloudlet.services.base import Platform

SESSION_S = 900.0
"""A role is assumed anew after this time, so that a change of whom it trusts takes effect."""
MAX_SESSIONS = 1000


def session_principal(answer: Mapping[str, Any], role_arn: str, now: float) -> Principal:
    """Who acts in the session that STS has just begun with `answer`, without its keys."""
    assumed = answer["AssumedRoleUser"]
    account = Arn.parse(assumed["Arn"]).account
    return Principal(
        "assumed-role",
        account,
        assumed["Arn"],
        assumed["AssumedRoleId"],
        role_arn=str(replace(Arn.parse(role_arn), account=account)),
        token_issued=now,
    )


def is_change_of(payload: str, role_arn: str) -> bool:
    """True when a notification of IAM's (`cloudlet.iam.tables.CHANNEL`) may be about this role, in any account."""
    kind, _, key = payload.partition("/")[2].partition("/")
    return not payload or (kind == KIND and key == role_arn.rpartition("/")[2].lower())


class RoleSessions:
    """The sessions of one service (`lambda.amazonaws.com`)."""

    def __init__(self, platform: Platform, service: str) -> None:
        self._platform = platform
        self._service = service
        self._sessions: OrderedDict[tuple[str, str], tuple[Principal, float]] = OrderedDict()
        platform.store.listen(CHANNEL, self._changed)

    async def principal(self, role_arn: str, account: str, region: str, source_arn: str, name: str) -> Principal:
        """Who acts as the role for the resource `source_arn` of `account`; `name` names the session.

        In dev mode, a role of another account that is not there means the one of this name in `account`.

        Raises ServiceError when the role is not there or does not trust the service.
        """
        now = self._platform.clock.now()
        kept = self._sessions.get((role_arn, source_arn))
        if kept is not None and kept[1] > now:
            return kept[0]
        context = self._context(account, region, source_arn)
        request = {"RoleArn": role_arn, "RoleSessionName": name[:64].ljust(2, "_")}
        try:
            answer = await self._platform.calls.call(context, "sts", "AssumeRole", request)
        except ServiceError as error:
            own = str(replace(Arn.parse(role_arn), account=account))
            if self._platform.config.auth != "dev" or own == role_arn or not error.sender_fault:
                raise
            answer = await self._platform.calls.call(context, "sts", "AssumeRole", request | {"RoleArn": own})
        principal = session_principal(answer, role_arn, now)
        self._sessions[role_arn, source_arn] = principal, now + SESSION_S
        self._sessions.move_to_end((role_arn, source_arn))
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return principal

    async def may(self, role_arn: str, region: str, action: str, resource: str) -> bool:
        """True when the role's own policies allow `action` on `resource`.

        A role that is not there may do everything in dev mode, where STS gives it to functions nevertheless.
        """
        context = self._context(Arn.parse(role_arn).account, region, "")
        request = {"PolicySourceArn": role_arn, "ActionNames": [action], "ResourceArns": [resource]}
        try:
            answer = await self._platform.calls.call(context, "iam", "SimulatePrincipalPolicy", request)
        except ServiceError as error:
            if error.code in ("NoSuchEntity", "NoSuchEntityException"):
                return self._platform.config.auth == "dev"
            raise
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])

    def _changed(self, payload: str) -> None:
        # One who was made anew is another one, and whom it trusts may be another matter now.
        for key in [key for key in self._sessions if is_change_of(payload, key[0])]:
            del self._sessions[key]

    def forget(self) -> None:
        """The store was emptied."""
        self._sessions.clear()

    def _context(self, account: str, region: str, source_arn: str) -> RequestContext:
        principal = Principal.service(self._service, account)
        return RequestContext(principal, region, self._platform.ids.uuid(), source_arn=source_arn)
