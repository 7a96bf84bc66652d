"""IAM's operations on login profiles, passwords, and the account's password policy."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudlet.errors import AccessDenied
from cloudlet.iam import login_table
from cloudlet.iam.login_table import LoginProfile
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.user_table import User
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import password as passwords
from cloudlet.services.iam import password_policy
from cloudlet.services.iam import user as users
from cloudlet.services.iam.errors import (
    EntityAlreadyExists,
    InvalidUserType,
    NoSuchEntity,
    PasswordPolicyViolation,
)
from cloudlet.services.iam.shapes import moment
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types

_MOST_PREVIOUS = 24
"""Passwords before the present one that can be forbidden."""


class LoginOperations(Service):
    """CreateLoginProfile, ChangePassword and their like."""

    @operation("CreateLoginProfile")
    async def create_login_profile(
        self, context: RequestContext, params: "types.CreateLoginProfileRequestTypeDef"
    ) -> Result:
        name, password = users.named_user(context, params), params.get("Password", "")
        new_hash = await self._hash(password)
        now = self.platform.clock.now()

        def create(tx: Transaction) -> tuple[User, LoginProfile]:
            user = users.get(tx, context.account, name)
            if login_table.find(tx, context.account, user.key):
                raise EntityAlreadyExists(f"Login Profile for user {user.name} already exists.")
            passwords.check_password(password, user.name, password_policy.find(tx, context.account))
            reset_required = params.get("PasswordResetRequired", False)
            profile = LoginProfile(context.account, user.key, new_hash, (), reset_required, now, now)
            login_table.put(tx, profile)
            return user, profile

        return {"LoginProfile": _describe(*await self.platform.store.transact(create))}

    @operation("GetLoginProfile")
    async def get_login_profile(self, context: RequestContext, params: "types.GetLoginProfileRequestTypeDef") -> Result:
        name = users.named_user(context, params)
        user, profile = await self.platform.store.read(lambda reader: _get(reader, context.account, name))
        return {"LoginProfile": _describe(user, profile)}

    @operation("UpdateLoginProfile")
    async def update_login_profile(
        self, context: RequestContext, params: "types.UpdateLoginProfileRequestTypeDef"
    ) -> Result:
        password = params.get("Password")
        new_hash = None if password is None else await self._hash(password)
        now = self.platform.clock.now()

        def update(tx: Transaction) -> None:
            user, profile = _get(tx, context.account, params["UserName"])
            if password is not None and new_hash is not None:
                passwords.check_password(password, user.name, password_policy.find(tx, context.account))
                profile = _with_password(profile, new_hash, now)
            reset_required = params.get("PasswordResetRequired", profile.reset_required)
            login_table.put(tx, replace(profile, reset_required=reset_required))

        await self.platform.store.transact(update)
        return {}

    @operation("DeleteLoginProfile")
    async def delete_login_profile(
        self, context: RequestContext, params: "types.DeleteLoginProfileRequestTypeDef"
    ) -> Result:
        name = users.named_user(context, params)

        def delete(tx: Transaction) -> None:
            user, _ = _get(tx, context.account, name)
            login_table.delete(tx, context.account, user.key)

        await self.platform.store.transact(delete)
        return {}

    @operation("ChangePassword")
    async def change_password(self, context: RequestContext, params: "types.ChangePasswordRequestTypeDef") -> Result:
        if context.principal.kind != "user":
            raise InvalidUserType("Only IAM Users can change their own password.")
        name = users.named_user(context, {})
        user, profile = await self.platform.store.read(lambda reader: _get(reader, context.account, name))
        policy = await self.platform.store.read(lambda reader: password_policy.find(reader, context.account))
        if not await asyncio.to_thread(passwords.is_password, params["OldPassword"], profile.password_hash):
            raise AccessDenied("The old password was incorrect.")
        passwords.check_password(params["NewPassword"], user.name, policy)
        await self._check_not_used_before(params["NewPassword"], profile, policy)
        new_hash = await self._hash(params["NewPassword"])
        now = self.platform.clock.now()

        def change(tx: Transaction) -> None:
            _, present = _get(tx, context.account, name)
            if present.password_hash != profile.password_hash:
                raise AccessDenied("The old password was incorrect.")
            login_table.put(tx, replace(_with_password(present, new_hash, now), reset_required=False))

        await self.platform.store.transact(change)
        return {}

    async def _check_not_used_before(self, password: str, profile: LoginProfile, policy: dict[str, Any] | None) -> None:
        count = 0 if policy is None else policy.get("PasswordReusePrevention", 0)
        for password_hash in (profile.password_hash, *profile.previous_hashes)[:count]:
            if await asyncio.to_thread(passwords.is_password, password, password_hash):
                raise PasswordPolicyViolation(
                    "Policy constraint violation with password reuse prevention during password change"
                )

    async def _hash(self, password: str) -> str:
        salt = self.platform.ids.bytes(passwords.SALT_BYTES)
        return await asyncio.to_thread(passwords.hash_password, password, salt)

    # The account's password policy

    @operation("UpdateAccountPasswordPolicy")
    async def update_account_password_policy(
        self, context: RequestContext, params: "types.UpdateAccountPasswordPolicyRequestTypeDef"
    ) -> Result:
        now = self.platform.clock.now()
        await self.platform.store.transact(lambda tx: password_policy.put(tx, context.account, params, now))
        return {}

    @operation("GetAccountPasswordPolicy")
    async def get_account_password_policy(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        policy = await self.platform.store.read(lambda reader: password_policy.get(reader, context.account))
        return {"PasswordPolicy": policy}

    @operation("DeleteAccountPasswordPolicy")
    async def delete_account_password_policy(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        await self.platform.store.transact(lambda tx: password_policy.delete(tx, context.account))
        return {}


def _get(reader: Reader, account: str, name: str) -> tuple[User, LoginProfile]:
    """A user and its login profile. Raises NoSuchEntity."""
    user = users.get(reader, account, name)
    profile = login_table.find(reader, account, user.key)
    if profile is None:
        raise NoSuchEntity(f"Login Profile for User {user.name} cannot be found.")
    return user, profile


def _with_password(profile: LoginProfile, password_hash: str, now: float) -> LoginProfile:
    previous = (profile.password_hash, *profile.previous_hashes)[:_MOST_PREVIOUS]
    return replace(profile, password_hash=password_hash, previous_hashes=previous, changed=now)


def _describe(user: User, profile: LoginProfile) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "CreateDate": moment(profile.created),
        "PasswordResetRequired": profile.reset_required,
    }
