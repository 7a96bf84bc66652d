"""IAM's operations on users."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudlet.iam import entity_table, group_table, user_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.user_table import KIND, User
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import group as groups
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam import user as users
from cloudlet.services.iam.boundary import check_boundary
from cloudlet.services.iam.shapes import page, page_request
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class UserOperations(Service):
    """CreateUser and its like."""

    @operation("CreateUser")
    async def create_user(self, context: RequestContext, params: "types.CreateUserRequestTypeDef") -> Result:
        tags = tagging.read_tags(KIND, params.get("Tags", ()))
        user = User(
            context.account,
            params["UserName"],
            params.get("Path", "/"),
            self.platform.ids.unique_id("AIDA"),
            params.get("PermissionsBoundary"),
            self.platform.clock.now(),
        )
        await self.platform.store.transact(lambda tx: users.create(tx, user, tags))
        return {"User": users.describe_whole(user, tags)}

    @operation("GetUser")
    async def get_user(self, context: RequestContext, params: "types.GetUserRequestTypeDef") -> Result:
        name = users.named(context, params)

        def read(reader: Reader) -> dict[str, Any]:
            if name is None:
                return users.describe_root(reader, context.account)
            user = users.get(reader, context.account, name)
            return users.describe_whole(user, entity_table.tags(reader, context.account, KIND, user.key))

        return {"User": await self.platform.store.read(read)}

    @operation("ListUsers")
    async def list_users(self, context: RequestContext, params: "types.ListUsersRequestTypeDef") -> Result:
        after, limit = page_request(params)
        path_prefix = params.get("PathPrefix", "/")
        found = await self.platform.store.read(
            lambda reader: user_table.page(reader, context.account, path_prefix, after, limit + 1)
        )
        shown, rest = page(found, limit, lambda user: user.key)
        return {"Users": [users.describe(user) for user in shown], **rest}

    @operation("UpdateUser")
    async def update_user(self, context: RequestContext, params: "types.UpdateUserRequestTypeDef") -> Result:
        def update(tx: Transaction) -> None:
            user = users.get(tx, context.account, params["UserName"])
            if "NewPath" in params:
                user_table.update(tx, replace(user, path=params["NewPath"]))
            if "NewUserName" in params:
                users.rename(tx, user, params["NewUserName"])

        await self.platform.store.transact(update)
        return {}

    @operation("DeleteUser")
    async def delete_user(self, context: RequestContext, params: "types.DeleteUserRequestTypeDef") -> Result:
        await self.platform.store.transact(lambda tx: users.delete(tx, context.account, params["UserName"]))
        return {}

    @operation("PutUserPermissionsBoundary")
    async def put_user_permissions_boundary(
        self, context: RequestContext, params: "types.PutUserPermissionsBoundaryRequestTypeDef"
    ) -> Result:
        return await self._set_user_boundary(context, params["UserName"], params["PermissionsBoundary"])

    @operation("DeleteUserPermissionsBoundary")
    async def delete_user_permissions_boundary(
        self, context: RequestContext, params: "types.DeleteUserPermissionsBoundaryRequestTypeDef"
    ) -> Result:
        return await self._set_user_boundary(context, params["UserName"], None)

    async def _set_user_boundary(self, context: RequestContext, user_name: str, policy_arn: str | None) -> Result:
        def update(tx: Transaction) -> None:
            user = users.get(tx, context.account, user_name)
            check_boundary(tx, context.account, policy_arn)
            user_table.update(tx, replace(user, boundary_arn=policy_arn))

        await self.platform.store.transact(update)
        return {}

    @operation("ListGroupsForUser")
    async def list_groups_for_user(
        self, context: RequestContext, params: "types.ListGroupsForUserRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[group_table.Group]:
            user = users.get(reader, context.account, params["UserName"])
            return group_table.groups_of(reader, context.account, user.key, after, limit + 1)

        shown, rest = page(await self.platform.store.read(read), limit, lambda group: group.key)
        return {"Groups": [groups.describe(group) for group in shown], **rest}
