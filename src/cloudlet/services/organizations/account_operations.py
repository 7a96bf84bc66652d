"""Organizations' operations on accounts.

An account is made in the transaction of its request, so that it is there for good or not at all; the answer still says
IN_PROGRESS, as on AWS, where it takes minutes, and the status says what became of it.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from cloudlet.errors import AccessDenied
from cloudlet.iam import entity_table, role_table
from cloudlet.iam import organisation_table as table
from cloudlet.iam.organisation_table import FULL_ACCESS, FULL_ACCESS_DOCUMENT, AccountRequest, Member, Organisation
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.role_table import Role
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.organizations import organisation as domain
from cloudlet.services.organizations import shapes
from cloudlet.services.organizations.errors import (
    AccountAlreadyClosed,
    ChildNotFound,
    ConstraintViolation,
    CreateAccountStatusNotFound,
    DestinationParentNotFound,
    DuplicateAccount,
    MasterCannotLeave,
    ParentNotFound,
    SourceParentNotFound,
)
from cloudlet.store.base import Reader, Transaction

ACCESS_ROLE = "OrganizationAccountAccessRole"
_SESSION_S = 3600


@dataclass(frozen=True, slots=True)
class _New:
    """An account to be."""

    member: str
    name: str
    email: str
    role_name: str
    role_id: str
    request_id: str
    tags: list[tuple[str, str]]
    now: float


class AccountOperations(Service):
    """CreateAccount and its like."""

    @operation("CreateAccount")
    async def create_account(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ids = self.platform.ids
        number = 10**11 + int.from_bytes(ids.bytes(8), "big") % (9 * 10**11)
        new = _New(
            str(number),
            params["AccountName"],
            params["Email"].lower(),
            params.get("RoleName", ACCESS_ROLE),
            ids.unique_id("AROA"),
            f"car-{ids.hex(32)}",
            domain.read_tags(params.get("Tags", ())),
            self.platform.clock.now(),
        )
        request = await self.platform.store.transact(lambda tx: _create(tx, context.account, new))
        begun = shapes.describe_request(replace(request, state="IN_PROGRESS", member="", failure_reason=""))
        return {"CreateAccountStatus": {key: value for key, value in begun.items() if key != "CompletedTimestamp"}}

    @operation("DescribeCreateAccountStatus")
    async def describe_create_account_status(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> AccountRequest:
            found = domain.managed(reader, context.account)
            request = table.request(reader, found.account, params["CreateAccountRequestId"])
            if request is None:
                raise CreateAccountStatusNotFound
            return request

        return {"CreateAccountStatus": shapes.describe_request(await self.platform.store.read(read))}

    @operation("ListCreateAccountStatus")
    async def list_create_account_status(self, context: RequestContext, params: dict[str, Any]) -> Result:
        after, limit = shapes.page_request(params)
        states = params.get("States") or ("SUCCEEDED", "FAILED", "IN_PROGRESS")

        def read(reader: Reader) -> list[AccountRequest]:
            found = domain.managed(reader, context.account)
            return table.requests(reader, found.account, after, limit + 1)

        shown, rest = shapes.page(await self.platform.store.read(read), limit, lambda request: request.request_id)
        found = [shapes.describe_request(request) for request in shown if request.state in states]
        return {"CreateAccountStatuses": found, **rest}

    @operation("DescribeAccount")
    async def describe_account(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            found = domain.managed(reader, context.account)
            return shapes.describe_member(found, domain.member(reader, found, params["AccountId"]))

        return {"Account": await self.platform.store.read(read)}

    @operation("ListAccounts")
    async def list_accounts(self, context: RequestContext, params: dict[str, Any]) -> Result:
        return await self._accounts(context, params, None)

    @operation("ListAccountsForParent")
    async def list_accounts_for_parent(self, context: RequestContext, params: dict[str, Any]) -> Result:
        return await self._accounts(context, params, params["ParentId"])

    async def _accounts(self, context: RequestContext, params: dict[str, Any], parent_id: str | None) -> Result:
        after, limit = shapes.page_request(params)

        def read(reader: Reader) -> tuple[Organisation, list[Member]]:
            found = domain.managed(reader, context.account)
            if parent_id is not None:
                domain.check_parent(reader, found, parent_id, ParentNotFound)
            return found, table.members(reader, found.account, after, limit + 1, parent_id)

        found, members = await self.platform.store.read(read)
        shown, rest = shapes.page(members, limit, lambda member: member.member)
        return {"Accounts": [shapes.describe_member(found, member) for member in shown], **rest}

    @operation("MoveAccount")
    async def move_account(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def move(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            member = domain.member(tx, found, params["AccountId"])
            domain.check_parent(tx, found, params["SourceParentId"], SourceParentNotFound)
            domain.check_parent(tx, found, params["DestinationParentId"], DestinationParentNotFound)
            if member.parent_id == params["DestinationParentId"]:
                raise DuplicateAccount
            if member.parent_id != params["SourceParentId"]:
                raise SourceParentNotFound
            table.put_member(tx, replace(member, parent_id=params["DestinationParentId"]))

        await self.platform.store.transact(move)
        return {}

    @operation("CloseAccount")
    async def close_account(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def close(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            member = domain.member(tx, found, params["AccountId"])
            if member.member == found.account:
                text = "You can't close the management account of an organization."
                raise ConstraintViolation(text, Reason="CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
            if member.status != "ACTIVE":
                raise AccountAlreadyClosed
            table.put_member(tx, replace(member, status="SUSPENDED"))

        await self.platform.store.transact(close)
        return {}

    @operation("RemoveAccountFromOrganization")
    async def remove_account_from_organization(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def remove(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            member = domain.member(tx, found, params["AccountId"])
            if member.member == found.account:
                raise MasterCannotLeave
            if member.status != "ACTIVE":
                raise AccessDenied("You don't have permissions to access this resource.")
            table.delete_member(tx, member)

        await self.platform.store.transact(remove)
        return {}

    @operation("ListParents")
    async def list_parents(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> tuple[Organisation, str]:
            found = domain.managed(reader, context.account)
            child_id = params["ChildId"]
            if child_id.startswith("ou-"):
                unit = domain.check_parent(reader, found, child_id, ChildNotFound)
                return found, unit.parent_id if unit is not None else ""
            return found, domain.member(reader, found, child_id, ChildNotFound).parent_id

        found, parent_id = await self.platform.store.read(read)
        kind = "ROOT" if parent_id == found.root_id else "ORGANIZATIONAL_UNIT"
        return {"Parents": [{"Id": parent_id, "Type": kind}]}


def _create(tx: Transaction, account: str, new: _New) -> AccountRequest:
    """Make the account, or note why not. Raises OrganizationsError, AccessDenied."""
    found = domain.managed(tx, account)
    request = AccountRequest(account, new.request_id, new.name, "SUCCEEDED", new.member, "", new.now, new.now)
    if table.is_email_used(tx, new.email):
        request = replace(request, state="FAILED", member="", failure_reason="EMAIL_ALREADY_EXISTS")
    else:
        count = len(table.members(tx, account, limit=domain.ACCOUNTS)) + 1
        domain.check_quota(count, domain.ACCOUNTS, "ACCOUNT_NUMBER_LIMIT_EXCEEDED", "AWS accounts")
        _add_member(tx, found, new)
    table.add_request(tx, request)
    return request


def _add_member(tx: Transaction, found: Organisation, new: _New) -> None:
    member = Member(found.account, new.member, found.root_id, new.name, new.email, "ACTIVE", "CREATED", new.now)
    table.put_member(tx, member)
    table.put_tags(tx, found.account, new.member, new.tags)
    if found.has_service_control:
        table.attach(tx, found.account, new.member, FULL_ACCESS)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{found.account}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = Role(new.member, new.role_name, "/", new.role_id, json.dumps(trust), None, _SESSION_S, None, new.now)
    role_table.add(tx, role)
    entity_table.put_inline_policy(
        tx, role.account, role_table.KIND, role.key, "AdministratorAccess", FULL_ACCESS_DOCUMENT
    )
