"""IAM's operations on roles, their inline policies and their tags."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudlet.iam import entity_table, role_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.role_table import KIND, Role
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam.shapes import encoded, page, page_request, tag_list
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class RoleOperations(Service):
    """CreateRole and its like."""

    @operation("CreateRole")
    async def create_role(self, context: RequestContext, params: "types.CreateRoleRequestTypeDef") -> Result:
        tags = tagging.read_tags(params.get("Tags", ()))
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
        role, tags = await self.platform.store.read(lambda reader: _with_tags(reader, context, params["RoleName"]))
        return {"Role": roles.describe_whole(role, tags)}

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

        return {"Role": roles.describe_listed(await self.platform.store.transact(update))}

    @operation("UpdateAssumeRolePolicy")
    async def update_assume_role_policy(
        self, context: RequestContext, params: "types.UpdateAssumeRolePolicyRequestTypeDef"
    ) -> Result:
        def update(tx: Transaction) -> None:
            role = roles.get(tx, context.account, params["RoleName"])
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
            roles.check_boundary(tx, policy_arn)
            role_table.update(tx, replace(role, boundary_arn=policy_arn))

        await self.platform.store.transact(update)

    # Inline policies

    @operation("PutRolePolicy")
    async def put_role_policy(self, context: RequestContext, params: "types.PutRolePolicyRequestTypeDef") -> Result:
        name, document = params["PolicyName"], params["PolicyDocument"]
        await self.platform.store.transact(
            lambda tx: roles.put_policy(tx, context.account, params["RoleName"], name, document)
        )
        return {}

    @operation("GetRolePolicy")
    async def get_role_policy(self, context: RequestContext, params: "types.GetRolePolicyRequestTypeDef") -> Result:
        role_name, policy_name, document = await self.platform.store.read(
            lambda reader: roles.get_policy(reader, context.account, params["RoleName"], params["PolicyName"])
        )
        return {"RoleName": role_name, "PolicyName": policy_name, "PolicyDocument": encoded(document)}

    @operation("DeleteRolePolicy")
    async def delete_role_policy(
        self, context: RequestContext, params: "types.DeleteRolePolicyRequestTypeDef"
    ) -> Result:
        await self.platform.store.transact(
            lambda tx: roles.delete_policy(tx, context.account, params["RoleName"], params["PolicyName"])
        )
        return {}

    @operation("ListRolePolicies")
    async def list_role_policies(
        self, context: RequestContext, params: "types.ListRolePoliciesRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[str]:
            role = roles.get(reader, context.account, params["RoleName"])
            found = entity_table.inline_policies(reader, context.account, KIND, role.key, after, limit + 1)
            return [name for name, _ in found]

        shown, rest = page(await self.platform.store.read(read), limit, str.lower)
        return {"PolicyNames": list(shown), **rest}

    # Tags

    @operation("TagRole")
    async def tag_role(self, context: RequestContext, params: "types.TagRoleRequestTypeDef") -> Result:
        tags = tagging.read_tags(params["Tags"])

        def tag(tx: Transaction) -> None:
            role = roles.get(tx, context.account, params["RoleName"])
            tagging.put(tx, context.account, KIND, role.key, tags)

        await self.platform.store.transact(tag)
        return {}

    @operation("UntagRole")
    async def untag_role(self, context: RequestContext, params: "types.UntagRoleRequestTypeDef") -> Result:
        def untag(tx: Transaction) -> None:
            role = roles.get(tx, context.account, params["RoleName"])
            entity_table.delete_tags(tx, context.account, KIND, role.key, params["TagKeys"])

        await self.platform.store.transact(untag)
        return {}

    @operation("ListRoleTags")
    async def list_role_tags(self, context: RequestContext, params: "types.ListRoleTagsRequestTypeDef") -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[tuple[str, str]]:
            role = roles.get(reader, context.account, params["RoleName"])
            return entity_table.tags(reader, context.account, KIND, role.key, after, limit + 1)

        shown, rest = page(await self.platform.store.read(read), limit, lambda tag: tag[0].lower())
        return {"Tags": tag_list(shown), **rest}


def _with_tags(reader: Reader, context: RequestContext, name: str) -> tuple[Role, list[tuple[str, str]]]:
    role = roles.get(reader, context.account, name)
    return role, entity_table.tags(reader, context.account, KIND, role.key)
