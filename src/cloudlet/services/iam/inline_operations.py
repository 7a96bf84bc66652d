"""IAM's operations on inline policies, which are the same for users, groups and roles."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.iam import entity_table, group_table, role_table, user_table
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import holder as holders
from cloudlet.services.iam.shapes import encoded, page, page_request
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types

_NAMES = {user_table.KIND: "UserName", group_table.KIND: "GroupName", role_table.KIND: "RoleName"}
"""What requests and answers call the name of each kind of holder."""


class InlinePolicyOperations(Service):
    """PutRolePolicy and its like."""

    @operation("PutUserPolicy")
    async def put_user_policy(self, context: RequestContext, params: "types.PutUserPolicyRequestTypeDef") -> Result:
        return await self._put_policy(user_table.KIND, context, params)

    @operation("GetUserPolicy")
    async def get_user_policy(self, context: RequestContext, params: "types.GetUserPolicyRequestTypeDef") -> Result:
        return await self._get_policy(user_table.KIND, context, params)

    @operation("DeleteUserPolicy")
    async def delete_user_policy(
        self, context: RequestContext, params: "types.DeleteUserPolicyRequestTypeDef"
    ) -> Result:
        return await self._delete_policy(user_table.KIND, context, params)

    @operation("ListUserPolicies")
    async def list_user_policies(
        self, context: RequestContext, params: "types.ListUserPoliciesRequestTypeDef"
    ) -> Result:
        return await self._list_inline_policies(user_table.KIND, context, params)

    @operation("PutGroupPolicy")
    async def put_group_policy(self, context: RequestContext, params: "types.PutGroupPolicyRequestTypeDef") -> Result:
        return await self._put_policy(group_table.KIND, context, params)

    @operation("GetGroupPolicy")
    async def get_group_policy(self, context: RequestContext, params: "types.GetGroupPolicyRequestTypeDef") -> Result:
        return await self._get_policy(group_table.KIND, context, params)

    @operation("DeleteGroupPolicy")
    async def delete_group_policy(
        self, context: RequestContext, params: "types.DeleteGroupPolicyRequestTypeDef"
    ) -> Result:
        return await self._delete_policy(group_table.KIND, context, params)

    @operation("ListGroupPolicies")
    async def list_group_policies(
        self, context: RequestContext, params: "types.ListGroupPoliciesRequestTypeDef"
    ) -> Result:
        return await self._list_inline_policies(group_table.KIND, context, params)

    @operation("PutRolePolicy")
    async def put_role_policy(self, context: RequestContext, params: "types.PutRolePolicyRequestTypeDef") -> Result:
        return await self._put_policy(role_table.KIND, context, params)

    @operation("GetRolePolicy")
    async def get_role_policy(self, context: RequestContext, params: "types.GetRolePolicyRequestTypeDef") -> Result:
        return await self._get_policy(role_table.KIND, context, params)

    @operation("DeleteRolePolicy")
    async def delete_role_policy(
        self, context: RequestContext, params: "types.DeleteRolePolicyRequestTypeDef"
    ) -> Result:
        return await self._delete_policy(role_table.KIND, context, params)

    @operation("ListRolePolicies")
    async def list_role_policies(
        self, context: RequestContext, params: "types.ListRolePoliciesRequestTypeDef"
    ) -> Result:
        return await self._list_inline_policies(role_table.KIND, context, params)

    async def _put_policy(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        def put(tx: Transaction) -> None:
            holder = holders.find_modifiable(tx, context.account, kind, params[_NAMES[kind]])
            holders.put_policy(tx, holder, params["PolicyName"], params["PolicyDocument"])

        await self.platform.store.transact(put)
        return {}

    async def _get_policy(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        def read(reader: Reader) -> Result:
            holder = holders.find(reader, context.account, kind, params[_NAMES[kind]])
            name, document = holders.get_policy(reader, holder, params["PolicyName"])
            return {_NAMES[kind]: holder.name, "PolicyName": name, "PolicyDocument": encoded(document)}

        return await self.platform.store.read(read)

    async def _delete_policy(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        def delete(tx: Transaction) -> None:
            holder = holders.find_modifiable(tx, context.account, kind, params[_NAMES[kind]])
            holders.delete_policy(tx, holder, params["PolicyName"])

        await self.platform.store.transact(delete)
        return {}

    async def _list_inline_policies(self, kind: str, context: RequestContext, params: Mapping[str, Any]) -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[str]:
            holder = holders.find(reader, context.account, kind, params[_NAMES[kind]])
            found = entity_table.inline_policies(reader, context.account, kind, holder.key, after, limit + 1)
            return [name for name, _ in found]

        shown, rest = page(await self.platform.store.read(read), limit, str.lower)
        return {"PolicyNames": list(shown), **rest}
