"""Organizations' operations on organisational units."""

from dataclasses import replace
from typing import Any

from cloudlet.iam import organisation_table as table
from cloudlet.iam.organisation_table import FULL_ACCESS, Organisation, Unit
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.organizations import organisation as domain
from cloudlet.services.organizations import shapes
from cloudlet.services.organizations.errors import (
    ConstraintViolation,
    DuplicateUnit,
    ParentNotFound,
    UnitNotEmpty,
    UnitNotFound,
)
from cloudlet.store.base import Reader, Transaction


class UnitOperations(Service):
    """CreateOrganizationalUnit and its like."""

    @operation("CreateOrganizationalUnit")
    async def create_organizational_unit(self, context: RequestContext, params: dict[str, Any]) -> Result:
        tags = domain.read_tags(params.get("Tags", ()))
        suffix, now = self.platform.ids.hex(8), self.platform.clock.now()

        def create(tx: Transaction) -> dict[str, Any]:
            found = domain.managed(tx, context.account)
            parent_id = params["ParentId"]
            domain.check_parent(tx, found, parent_id, ParentNotFound)
            _check_name(tx, found, parent_id, params["Name"])
            _check_room(tx, found, parent_id)
            unit = Unit(found.account, f"ou-{found.root_id[2:]}-{suffix}", parent_id, params["Name"], now)
            table.put_unit(tx, unit)
            table.put_tags(tx, found.account, unit.unit_id, tags)
            if found.has_service_control:
                table.attach(tx, found.account, unit.unit_id, FULL_ACCESS)
            return shapes.describe_unit(found, unit)

        return {"OrganizationalUnit": await self.platform.store.transact(create)}

    @operation("UpdateOrganizationalUnit")
    async def update_organizational_unit(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def update(tx: Transaction) -> dict[str, Any]:
            found = domain.managed(tx, context.account)
            unit = _unit(tx, found, params["OrganizationalUnitId"])
            name = params.get("Name", unit.name)
            if name != unit.name:
                _check_name(tx, found, unit.parent_id, name)
            unit = replace(unit, name=name)
            table.put_unit(tx, unit)
            return shapes.describe_unit(found, unit)

        return {"OrganizationalUnit": await self.platform.store.transact(update)}

    @operation("DeleteOrganizationalUnit")
    async def delete_organizational_unit(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def delete(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            unit = _unit(tx, found, params["OrganizationalUnitId"])
            units = table.units_of(tx, found.account, unit.unit_id, limit=1)
            if units or table.members(tx, found.account, limit=1, parent_id=unit.unit_id):
                raise UnitNotEmpty
            table.delete_unit(tx, unit)

        await self.platform.store.transact(delete)
        return {}

    @operation("DescribeOrganizationalUnit")
    async def describe_organizational_unit(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            found = domain.managed(reader, context.account)
            return shapes.describe_unit(found, _unit(reader, found, params["OrganizationalUnitId"]))

        return {"OrganizationalUnit": await self.platform.store.read(read)}

    @operation("ListOrganizationalUnitsForParent")
    async def list_organizational_units_for_parent(self, context: RequestContext, params: dict[str, Any]) -> Result:
        after, limit = shapes.page_request(params)

        def read(reader: Reader) -> tuple[Organisation, list[Unit]]:
            found = domain.managed(reader, context.account)
            domain.check_parent(reader, found, params["ParentId"], ParentNotFound)
            return found, table.units_of(reader, found.account, params["ParentId"], after, limit + 1)

        found, units = await self.platform.store.read(read)
        shown, rest = shapes.page(units, limit, lambda unit: unit.unit_id)
        return {"OrganizationalUnits": [shapes.describe_unit(found, unit) for unit in shown], **rest}

    @operation("ListChildren")
    async def list_children(self, context: RequestContext, params: dict[str, Any]) -> Result:
        after, limit = shapes.page_request(params)
        kind, parent_id = params["ChildType"], params["ParentId"]

        def read(reader: Reader) -> list[str]:
            found = domain.managed(reader, context.account)
            domain.check_parent(reader, found, parent_id, ParentNotFound)
            if kind == "ORGANIZATIONAL_UNIT":
                return [unit.unit_id for unit in table.units_of(reader, found.account, parent_id, after, limit + 1)]
            members = table.members(reader, found.account, after, limit + 1, parent_id)
            return [member.member for member in members]

        shown, rest = shapes.page(await self.platform.store.read(read), limit, str)
        return {"Children": [{"Id": child_id, "Type": kind} for child_id in shown], **rest}


def _unit(reader: Reader, found: Organisation, unit_id: str) -> Unit:
    unit = table.unit(reader, found.account, unit_id)
    if unit is None:
        raise UnitNotFound
    return unit


def _check_name(reader: Reader, found: Organisation, parent_id: str, name: str) -> None:
    if any(unit.name == name for unit in table.units_of(reader, found.account, parent_id)):
        raise DuplicateUnit


def _check_room(reader: Reader, found: Organisation, parent_id: str) -> None:
    # The path to the parent has the root, too: so many units are above the new one, and that one makes one more.
    if len(table.ancestors(reader, found, parent_id)) > domain.DEPTH:
        text = "You have exceeded the allowed depth of organizational units."
        raise ConstraintViolation(text, Reason="OU_DEPTH_LIMIT_EXCEEDED")
    count = table.count_units(reader, found.account) + 1
    domain.check_quota(count, domain.UNITS, "OU_NUMBER_LIMIT_EXCEEDED", "organizational units")
