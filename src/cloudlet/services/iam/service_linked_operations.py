"""IAM's operations on service-linked roles."""

from typing import TYPE_CHECKING

from cloudlet.iam.principals import RequestContext
from cloudlet.iam.role_table import Role
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import service_linked

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class ServiceLinkedOperations(Service):
    """CreateServiceLinkedRole and its like."""

    @operation("CreateServiceLinkedRole")
    async def create_service_linked_role(
        self, context: RequestContext, params: "types.CreateServiceLinkedRoleRequestTypeDef"
    ) -> Result:
        service_name = params["AWSServiceName"]
        role = Role(
            context.account,
            service_linked.role_name(service_name, params.get("CustomSuffix")),
            f"{roles.SERVICE_LINKED_PATH}{service_name}/",
            self.platform.ids.unique_id("AROA"),
            service_linked.trust_policy(service_name),
            params.get("Description"),
            roles.DEFAULT_MAX_SESSION_S,
            None,
            self.platform.clock.now(),
        )
        await self.platform.store.transact(lambda tx: service_linked.create(tx, role))
        return {"Role": roles.describe(role)}

    @operation("DeleteServiceLinkedRole")
    async def delete_service_linked_role(
        self, context: RequestContext, params: "types.DeleteServiceLinkedRoleRequestTypeDef"
    ) -> Result:
        task_uuid, now = self.platform.ids.uuid(), self.platform.clock.now()
        task = await self.platform.store.transact(
            lambda tx: service_linked.delete(tx, context.account, params["RoleName"], task_uuid, now)
        )
        return {"DeletionTaskId": task}

    @operation("GetServiceLinkedRoleDeletionStatus")
    async def get_service_linked_role_deletion_status(
        self, context: RequestContext, params: "types.GetServiceLinkedRoleDeletionStatusRequestTypeDef"
    ) -> Result:
        task = params["DeletionTaskId"]
        status = await self.platform.store.read(
            lambda reader: service_linked.deletion_status(reader, context.account, task)
        )
        return {"Status": status}
