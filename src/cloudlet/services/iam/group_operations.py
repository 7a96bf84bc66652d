"""IAM's operations on groups and who is in them."""

from typing import TYPE_CHECKING

from cloudlet.iam import group_table, user_table
from cloudlet.iam.group_table import Group
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import group as groups
from cloudlet.services.iam import user as users
from cloudlet.services.iam.shapes import page, page_request
from cloudlet.store.base import Reader

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class GroupOperations(Service):
    """CreateGroup and its like."""

    @operation("CreateGroup")
    async def create_group(self, context: RequestContext, params: "types.CreateGroupRequestTypeDef") -> Result:
        group = Group(
            context.account,
            params["GroupName"],
            params.get("Path", "/"),
            self.platform.ids.unique_id("AGPA"),
            self.platform.clock.now(),
        )
        await self.platform.store.transact(lambda tx: groups.create(tx, group))
        return {"Group": groups.describe(group)}

    @operation("GetGroup")
    async def get_group(self, context: RequestContext, params: "types.GetGroupRequestTypeDef") -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> tuple[Group, list[user_table.User]]:
            group = groups.get(reader, context.account, params["GroupName"])
            return group, user_table.in_group(reader, context.account, group.key, after, limit + 1)

        group, members = await self.platform.store.read(read)
        shown, rest = page(members, limit, lambda user: user.key)
        return {"Group": groups.describe(group), "Users": [users.describe(user) for user in shown], **rest}

    @operation("ListGroups")
    async def list_groups(self, context: RequestContext, params: "types.ListGroupsRequestTypeDef") -> Result:
        after, limit = page_request(params)
        path_prefix = params.get("PathPrefix", "/")
        found = await self.platform.store.read(
            lambda reader: group_table.page(reader, context.account, path_prefix, after, limit + 1)
        )
        shown, rest = page(found, limit, lambda group: group.key)
        return {"Groups": [groups.describe(group) for group in shown], **rest}

    @operation("UpdateGroup")
    async def update_group(self, context: RequestContext, params: "types.UpdateGroupRequestTypeDef") -> Result:
        name, new_name, new_path = params["GroupName"], params.get("NewGroupName"), params.get("NewPath")
        await self.platform.store.transact(lambda tx: groups.update(tx, context.account, name, new_name, new_path))
        return {}

    @operation("DeleteGroup")
    async def delete_group(self, context: RequestContext, params: "types.DeleteGroupRequestTypeDef") -> Result:
        await self.platform.store.transact(lambda tx: groups.delete(tx, context.account, params["GroupName"]))
        return {}

    @operation("AddUserToGroup")
    async def add_user_to_group(self, context: RequestContext, params: "types.AddUserToGroupRequestTypeDef") -> Result:
        group_name, user_name = params["GroupName"], params["UserName"]
        await self.platform.store.transact(lambda tx: groups.add_user(tx, context.account, group_name, user_name))
        return {}

    @operation("RemoveUserFromGroup")
    async def remove_user_from_group(
        self, context: RequestContext, params: "types.RemoveUserFromGroupRequestTypeDef"
    ) -> Result:
        group_name, user_name = params["GroupName"], params["UserName"]
        await self.platform.store.transact(lambda tx: groups.remove_user(tx, context.account, group_name, user_name))
        return {}
