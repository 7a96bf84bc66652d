"""IAM's operations on instance profiles."""

from typing import TYPE_CHECKING, Any

from cloudlet.iam import instance_profile_table
from cloudlet.iam.instance_profile_table import KIND, InstanceProfile
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import instance_profile as profiles
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam.shapes import page, page_request, tag_list
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class InstanceProfileOperations(Service):
    """CreateInstanceProfile and its like."""

    @operation("CreateInstanceProfile")
    async def create_instance_profile(
        self, context: RequestContext, params: "types.CreateInstanceProfileRequestTypeDef"
    ) -> Result:
        tags = tagging.read_tags(KIND, params.get("Tags", ()))
        profile = InstanceProfile(
            context.account,
            params["InstanceProfileName"],
            params.get("Path", "/"),
            self.platform.ids.unique_id("AIPA"),
            None,
            self.platform.clock.now(),
        )

        def create(tx: Transaction) -> dict[str, Any]:
            profiles.create(tx, profile, tags)
            return profiles.describe(tx, profile)

        described = await self.platform.store.transact(create)
        return {"InstanceProfile": described | ({"Tags": tag_list(tags)} if tags else {})}

    @operation("GetInstanceProfile")
    async def get_instance_profile(
        self, context: RequestContext, params: "types.GetInstanceProfileRequestTypeDef"
    ) -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            profile = profiles.get(reader, context.account, params["InstanceProfileName"])
            return profiles.describe_whole(reader, profile)

        return {"InstanceProfile": await self.platform.store.read(read)}

    @operation("DeleteInstanceProfile")
    async def delete_instance_profile(
        self, context: RequestContext, params: "types.DeleteInstanceProfileRequestTypeDef"
    ) -> Result:
        name = params["InstanceProfileName"]
        await self.platform.store.transact(lambda tx: profiles.delete(tx, context.account, name))
        return {}

    @operation("ListInstanceProfiles")
    async def list_instance_profiles(
        self, context: RequestContext, params: "types.ListInstanceProfilesRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        path_prefix = params.get("PathPrefix", "/")

        def read(reader: Reader) -> Result:
            found = instance_profile_table.page(reader, context.account, path_prefix, after, limit + 1)
            shown, rest = page(found, limit, lambda profile: profile.key)
            return {"InstanceProfiles": [profiles.describe(reader, profile) for profile in shown], **rest}

        return await self.platform.store.read(read)

    @operation("ListInstanceProfilesForRole")
    async def list_instance_profiles_for_role(
        self, context: RequestContext, params: "types.ListInstanceProfilesForRoleRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> Result:
            role = roles.get(reader, context.account, params["RoleName"])
            found = instance_profile_table.of_role(reader, context.account, role.key, after, limit + 1)
            shown, rest = page(found, limit, lambda profile: profile.key)
            return {"InstanceProfiles": [profiles.describe(reader, profile) for profile in shown], **rest}

        return await self.platform.store.read(read)

    @operation("AddRoleToInstanceProfile")
    async def add_role_to_instance_profile(
        self, context: RequestContext, params: "types.AddRoleToInstanceProfileRequestTypeDef"
    ) -> Result:
        name, role_name = params["InstanceProfileName"], params["RoleName"]
        await self.platform.store.transact(lambda tx: profiles.add_role(tx, context.account, name, role_name))
        return {}

    @operation("RemoveRoleFromInstanceProfile")
    async def remove_role_from_instance_profile(
        self, context: RequestContext, params: "types.RemoveRoleFromInstanceProfileRequestTypeDef"
    ) -> Result:
        name, role_name = params["InstanceProfileName"], params["RoleName"]
        await self.platform.store.transact(lambda tx: profiles.remove_role(tx, context.account, name, role_name))
        return {}
