"""IAM's operations on what managed policies are attached to: users, groups and roles."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.iam import entity_table, group_table, role_table, user_table
from cloudlet.iam.group_table import Group
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.role_table import Role
from cloudlet.iam.user_table import User
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import holder as holders
from cloudlet.services.iam import policy as policies
from cloudlet.services.iam.shapes import attached_list, page, page_request
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types

_NAMES = {user_table.KIND: "UserName", group_table.KIND: "GroupName", role_table.KIND: "RoleName"}
"""What requests call the name of each kind of holder."""
_FILTERS = {"User": user_table.KIND, "Group": group_table.KIND, "Role": role_table.KIND}
"""The entity filters that name one kind of holder; the others name managed policies."""


class AttachmentOperations(Service):
    """AttachRolePolicy and its like."""

    @operation("AttachUserPolicy")
    async def attach_user_policy(
        self, context: RequestContext, params: "types.AttachUserPolicyRequestTypeDef"
    ) -> Result:
        return await self._attach(user_table.KIND, context, params)

    @operation("DetachUserPolicy")
    async def detach_user_policy(
        self, context: RequestContext, params: "types.DetachUserPolicyRequestTypeDef"
    ) -> Result:
        return await self._detach(user_table.KIND, context, params)

    @operation("ListAttachedUserPolicies")
    async def list_attached_user_policies(
        self, context: RequestContext, params: "types.ListAttachedUserPoliciesRequestTypeDef"
    ) -> Result:
        return await self._list_attached(user_table.KIND, context, params)

    @operation("AttachGroupPolicy")
    async def attach_group_policy(
        self, context: RequestContext, params: "types.AttachGroupPolicyRequestTypeDef"
    ) -> Result:
        return await self._attach(group_table.KIND, context, params)

    @operation("DetachGroupPolicy")
    async def detach_group_policy(
        self, context: RequestContext, params: "types.DetachGroupPolicyRequestTypeDef"
    ) -> Result:
        return await self._detach(group_table.KIND, context, params)

    @operation("ListAttachedGroupPolicies")
    async def list_attached_group_policies(
        self, context: RequestContext, params: "types.ListAttachedGroupPoliciesRequestTypeDef"
    ) -> Result:
        return await self._list_attached(group_table.KIND, context, params)

    @operation("AttachRolePolicy")
    async def attach_role_policy(
        self, context: RequestContext, params: "types.AttachRolePolicyRequestTypeDef"
    ) -> Result:
        return await self._attach(role_table.KIND, context, params)

    @operation("DetachRolePolicy")
    async def detach_role_policy(
        self, context: RequestContext, params: "types.DetachRolePolicyRequestTypeDef"
    ) -> Result:
        return await self._detach(role_table.KIND, context, params)

    @operation("ListAttachedRolePolicies")
    async def list_attached_role_policies(
        self, context: RequestContext, params: "types.ListAttachedRolePoliciesRequestTypeDef"
    ) -> Result:
        return await self._list_attached(role_table.KIND, context, params)

    @operation("ListEntitiesForPolicy")
    async def list_entities_for_policy(
        self, context: RequestContext, params: "types.ListEntitiesForPolicyRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        found = await self.platform.store.read(lambda reader: _entities(reader, context.account, params))
        later = [(key, found[key]) for key in sorted(found) if key > after]
        shown, rest = page(later, limit, lambda item: item[0])
        entities = [entity for _, entity in shown]
        return {
            "PolicyGroups": [_group(entity) for entity in entities if isinstance(entity, Group)],
            "PolicyUsers": [_user(entity) for entity in entities if isinstance(entity, User)],
            "PolicyRoles": [_role(entity) for entity in entities if isinstance(entity, Role)],
            **rest,
        }

    async def _attach(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        def attach(tx: Transaction) -> None:
            holder = holders.find_modifiable(tx, context.account, kind, params[_NAMES[kind]])
            holders.attach(tx, holder, params["PolicyArn"])

        await self.platform.store.transact(attach)
        return {}

    async def _detach(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        def detach(tx: Transaction) -> None:
            holder = holders.find_modifiable(tx, context.account, kind, params[_NAMES[kind]])
            holders.detach(tx, holder, params["PolicyArn"])

        await self.platform.store.transact(detach)
        return {}

    async def _list_attached(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        after, limit = page_request(params)
        prefix = params.get("PathPrefix", "/")

        def read(reader: Reader) -> list[str]:
            holder = holders.find(reader, context.account, kind, params[_NAMES[kind]])
            found = entity_table.attached(reader, context.account, kind, holder.key)
            return sorted(arn for arn in found if arn > after and arn.partition(":policy")[2].startswith(prefix))

        shown, rest = page(await self.platform.store.read(read), limit, str)
        return {"AttachedPolicies": attached_list(shown), **rest}


def _entities(reader: Reader, account: str, params: Mapping[str, Any]) -> dict[str, Group | User | Role]:
    """Who uses a policy in the ways that a request asks for, by kind and key."""
    arn = params["PolicyArn"]
    policies.get(reader, account, arn)
    wanted, prefix = params.get("PolicyUsageFilter"), params.get("PathPrefix", "/")
    users, bounded_users = user_table.using(reader, account, arn)
    roles, bounded_roles = role_table.using(reader, account, arn)
    attached = [*group_table.using(reader, account, arn), *users, *roles]
    bounded = [*bounded_users, *bounded_roles]
    used = [
        *(attached if wanted != "PermissionsBoundary" else ()),
        *(bounded if wanted != "PermissionsPolicy" else ()),
    ]
    kinds = {Group: group_table.KIND, User: user_table.KIND, Role: role_table.KIND}
    only = params.get("EntityFilter")
    return {
        f"{kinds[type(entity)]} {entity.key}": entity
        for entity in used
        if entity.path.startswith(prefix) and (only is None or _FILTERS.get(only) == kinds[type(entity)])
    }


def _group(group: Group) -> dict[str, str]:
    return {"GroupName": group.name, "GroupId": group.group_id}


def _user(user: User) -> dict[str, str]:
    return {"UserName": user.name, "UserId": user.user_id}


def _role(role: Role) -> dict[str, str]:
    return {"RoleName": role.name, "RoleId": role.role_id}
