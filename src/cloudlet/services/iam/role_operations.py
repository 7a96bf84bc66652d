"""IAM's operations on roles."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudlet.iam import role_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.role_table import KIND, Role
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam.boundary import check_boundary
from cloudlet.services.iam.shapes import page, page_request
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class RoleOperations(Service):
    """CreateRole and its like."""

    @operation("CreateRole")
    async def create_role(self, context: RequestContext, params: "types.CreateRoleRequestTypeDef") -> Result:
        tags = tagging.read_tags(KIND, params.get("Tags", ()))
        role = Role(
            context.account,
            params["RoleName"],
            params.get("Path", "/"),
            self.platform.ids.unique_id("AROA"),
            params["AssumeRolePolicyDocument"],
            params.get("Description"),
            params.get("MaxSessionDuration", roles.DEFAULT_MAX_SESSION_S),
            params.get("PermissionsBoundary"),
            self.platform.clock.now(),
        )
        await self.platform.store.transact(lambda tx: roles.create(tx, role, tags))
        return {"Role": roles.describe(role) | roles.describe_extras(role, tags)}

    @operation("GetRole")
    async def get_role(self, context: RequestContext, params: "types.GetRoleRequestTypeDef") -> Result:
        def read(reader: Reader) -> Result:
            return roles.describe_whole(reader, roles.get(reader, context.account, params["RoleName"]))

        return {"Role": await self.platform.store.read(read)}

    @operation("DeleteRole")
    async def delete_role(self, context: RequestContext, params: "types.DeleteRoleRequestTypeDef") -> Result:
        await self.platform.store.transact(lambda tx: roles.delete(tx, context.account, params["RoleName"]))
        return {}

    @operation("ListRoles")
    async def list_roles(self, context: RequestContext, params: "types.ListRolesRequestTypeDef") -> Result:
        after, limit = page_request(params)
        path_prefix = params.get("PathPrefix", "/")
        found = await self.platform.store.read(
            lambda reader: role_table.page(reader, context.account, path_prefix, after, limit + 1)
        )
        shown, rest = page(found, limit, lambda role: role.key)
        return {"Roles": [roles.describe_listed(role) for role in shown], **rest}

    @operation("UpdateRole")
    async def update_role(self, context: RequestContext, params: "types.UpdateRoleRequestTypeDef") -> Result:
        def update(tx: Transaction) -> None:
            role = roles.get(tx, context.account, params["RoleName"])
            description = params.get("Description", role.description)
            max_session_s = params.get("MaxSessionDuration", role.max_session_s)
            if max_session_s != role.max_session_s:
                roles.check_modifiable(role)
            role_table.update(tx, replace(role, description=description, max_session_s=max_session_s))

        await self.platform.store.transact(update)
        return {}

    @operation("UpdateRoleDescription")
    async def update_role_description(
        self, context: RequestContext, params: "types.UpdateRoleDescriptionRequestTypeDef"
    ) -> Result:
        def update(tx: Transaction) -> Role:
            role = roles.get(tx, context.account, params["RoleName"])
            role = replace(role, description=params["Description"])
            role_table.update(tx, role)
            return role

        return {"Role": roles.describe_with_description(await self.platform.store.transact(update))}

    @operation("UpdateAssumeRolePolicy")
    async def update_assume_role_policy(
        self, context: RequestContext, params: "types.UpdateAssumeRolePolicyRequestTypeDef"
    ) -> Result:
        def update(tx: Transaction) -> None:
            role = roles.get(tx, context.account, params["RoleName"])
            roles.check_modifiable(role)
            roles.check_trust(tx, context.account, params["PolicyDocument"])
            role_table.update(tx, replace(role, trust_policy=params["PolicyDocument"]))

        await self.platform.store.transact(update)
        return {}

    @operation("PutRolePermissionsBoundary")
    async def put_role_permissions_boundary(
        self, context: RequestContext, params: "types.PutRolePermissionsBoundaryRequestTypeDef"
    ) -> Result:
        await self._set_boundary(context, params["RoleName"], params["PermissionsBoundary"])
        return {}

    @operation("DeleteRolePermissionsBoundary")
    async def delete_role_permissions_boundary(
        self, context: RequestContext, params: "types.DeleteRolePermissionsBoundaryRequestTypeDef"
    ) -> Result:
        await self._set_boundary(context, params["RoleName"], None)
        return {}

    async def _set_boundary(self, context: RequestContext, role_name: str, policy_arn: str | None) -> None:
        def update(tx: Transaction) -> None:
            role = roles.get(tx, context.account, role_name)
            roles.check_modifiable(role)
            check_boundary(tx, context.account, policy_arn)
            role_table.update(tx, replace(role, boundary_arn=policy_arn))

        await self.platform.store.transact(update)
