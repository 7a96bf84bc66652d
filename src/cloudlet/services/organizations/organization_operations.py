"""Organizations' operations on organisations and their roots."""

from dataclasses import replace
from typing import Any

from cloudlet.iam import organisation_table as table
from cloudlet.iam.organisation_table import FULL_ACCESS, SERVICE_CONTROL_POLICY, Member, Organisation
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.organizations import organisation as domain
from cloudlet.services.organizations.errors import (
    AlreadyInOrganization,
    OrganizationNotEmpty,
    PolicyTypeAlreadyEnabled,
    PolicyTypeNotAvailable,
    PolicyTypeNotEnabled,
    RootNotFound,
)
from cloudlet.services.organizations.shapes import describe_organisation, describe_root
from cloudlet.store.base import Reader, Transaction


class OrganizationOperations(Service):
    """CreateOrganization and its like."""

    @operation("CreateOrganization")
    async def create_organization(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ids, now, account = self.platform.ids, self.platform.clock.now(), context.account
        feature_set = params.get("FeatureSet", "ALL")
        types = SERVICE_CONTROL_POLICY if feature_set == "ALL" else ""
        made = Organisation(account, f"o-{ids.hex(10)}", f"r-{ids.hex(4)}", feature_set, types, now)
        email = f"management@{account}.example.com"
        management = Member(account, account, made.root_id, "Management account", email, "ACTIVE", "INVITED", now)

        def create(tx: Transaction) -> None:
            if table.of_member(tx, account):
                raise AlreadyInOrganization
            table.put(tx, made)
            table.put_member(tx, management)
            if made.has_service_control:
                for target_id in (made.root_id, account):
                    table.attach(tx, account, target_id, FULL_ACCESS)

        await self.platform.store.transact(create)
        return {"Organization": describe_organisation(made, management)}

    @operation("DescribeOrganization")
    async def describe_organization(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            found, _ = domain.current(reader, context.account)
            return describe_organisation(found, domain.member(reader, found, found.account))

        return {"Organization": await self.platform.store.read(read)}

    @operation("DeleteOrganization")
    async def delete_organization(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        def delete(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            if len(table.members(tx, found.account, limit=2)) > 1:
                raise OrganizationNotEmpty
            table.delete(tx, found.account)

        await self.platform.store.transact(delete)
        return {}

    @operation("ListRoots")
    async def list_roots(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        found = await self.platform.store.read(lambda reader: domain.managed(reader, context.account))
        return {"Roots": [describe_root(found)]}

    @operation("EnablePolicyType")
    async def enable_policy_type(self, context: RequestContext, params: dict[str, Any]) -> Result:
        domain.check_type(params["PolicyType"])

        def enable(tx: Transaction) -> Organisation:
            found = _of_root(tx, context.account, params["RootId"])
            if found.feature_set != "ALL":
                raise PolicyTypeNotAvailable
            if found.has_service_control:
                raise PolicyTypeAlreadyEnabled
            found = replace(found, policy_types=SERVICE_CONTROL_POLICY)
            table.put(tx, found)
            for target_id in _all_targets(tx, found):
                table.attach(tx, found.account, target_id, FULL_ACCESS)
            return found

        return {"Root": describe_root(await self.platform.store.transact(enable))}

    @operation("DisablePolicyType")
    async def disable_policy_type(self, context: RequestContext, params: dict[str, Any]) -> Result:
        domain.check_type(params["PolicyType"])

        def disable(tx: Transaction) -> Organisation:
            found = _of_root(tx, context.account, params["RootId"])
            if not found.has_service_control:
                raise PolicyTypeNotEnabled
            found = replace(found, policy_types="")
            table.put(tx, found)
            table.detach_all(tx, found.account)
            return found

        return {"Root": describe_root(await self.platform.store.transact(disable))}


def _of_root(reader: Reader, account: str, root_id: str) -> Organisation:
    found = domain.managed(reader, account)
    if found.root_id != root_id:
        raise RootNotFound
    return found


def _all_targets(reader: Reader, found: Organisation) -> list[str]:
    """The root, all units, all accounts."""
    targets = [found.root_id]
    for parent_id in targets:
        targets += [unit.unit_id for unit in table.units_of(reader, found.account, parent_id)]
    return targets + [member.member for member in table.members(reader, found.account)]
