"""Organizations' operations on policies. Service control policies only: those of other types do nothing here."""

from dataclasses import replace
from typing import Any

from cloudlet.iam import organisation_table as table
from cloudlet.iam.organisation_table import FULL_ACCESS, Organisation, Policy
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.organizations import organisation as domain
from cloudlet.services.organizations import shapes
from cloudlet.services.organizations.errors import (
    ConstraintViolation,
    DuplicatePolicy,
    DuplicatePolicyAttachment,
    InvalidInput,
    MalformedPolicyDocument,
    PolicyInUse,
    PolicyNotAttached,
    PolicyTypeNotAvailable,
    PolicyTypeNotEnabled,
)
from cloudlet.store.base import Reader, Transaction


class PolicyOperations(Service):
    """CreatePolicy, AttachPolicy and their like."""

    @operation("CreatePolicy")
    async def create_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        domain.check_type(params["Type"])
        tags = domain.read_tags(params.get("Tags", ()))
        made = Policy(
            context.account,
            f"p-{self.platform.ids.hex(8)}",
            params["Type"],
            params["Name"],
            params["Description"],
            params["Content"],
            self.platform.clock.now(),
        )
        _check_content(made.content)

        def create(tx: Transaction) -> dict[str, Any]:
            found = domain.managed(tx, context.account)
            if found.feature_set != "ALL":
                raise PolicyTypeNotAvailable
            _check_name(tx, made)
            count = len(table.policies(tx, found.account, made.type, limit=domain.POLICIES)) + 1
            domain.check_quota(count, domain.POLICIES, "POLICY_NUMBER_LIMIT_EXCEEDED", "policies")
            table.put_policy(tx, made)
            table.put_tags(tx, found.account, made.policy_id, tags)
            return shapes.describe_whole_policy(found, made)

        return {"Policy": await self.platform.store.transact(create)}

    @operation("UpdatePolicy")
    async def update_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        if "Content" in params:
            _check_content(params["Content"])

        def update(tx: Transaction) -> dict[str, Any]:
            found = domain.managed(tx, context.account)
            before = _own(tx, found, params["PolicyId"])
            after = replace(
                before,
                name=params.get("Name", before.name),
                description=params.get("Description", before.description),
                content=params.get("Content", before.content),
            )
            _check_name(tx, after)
            table.put_policy(tx, after)
            return shapes.describe_whole_policy(found, after)

        return {"Policy": await self.platform.store.transact(update)}

    @operation("DeletePolicy")
    async def delete_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def delete(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            policy = _own(tx, found, params["PolicyId"])
            if table.targets(tx, found.account, policy.policy_id, limit=1):
                raise PolicyInUse
            table.delete_policy(tx, policy)

        await self.platform.store.transact(delete)
        return {}

    @operation("DescribePolicy")
    async def describe_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            found = domain.managed(reader, context.account)
            return shapes.describe_whole_policy(found, domain.policy(reader, found, params["PolicyId"]))

        return {"Policy": await self.platform.store.read(read)}

    @operation("ListPolicies")
    async def list_policies(self, context: RequestContext, params: dict[str, Any]) -> Result:
        domain.check_type(params["Filter"])
        after, limit = shapes.page_request(params)

        def read(reader: Reader) -> tuple[Organisation, list[Policy]]:
            found = domain.managed(reader, context.account)
            own = table.policies(reader, found.account, params["Filter"], after, limit + 1)
            # AWS's own comes where its id is in the order of ids.
            all_ = own + ([table.full_access(found.account)] if after < FULL_ACCESS else [])
            return found, sorted(all_, key=lambda policy: policy.policy_id)[: limit + 1]

        found, policies = await self.platform.store.read(read)
        shown, rest = shapes.page(policies, limit, lambda policy: policy.policy_id)
        return {"Policies": [shapes.describe_policy(found, policy) for policy in shown], **rest}

    @operation("AttachPolicy")
    async def attach_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def attach(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            policy = domain.policy(tx, found, params["PolicyId"])
            target = domain.target(tx, found, params["TargetId"])
            if not found.has_service_control:
                raise PolicyTypeNotEnabled
            attached = table.attached(tx, found.account, target.target_id)
            if any(one.policy_id == policy.policy_id for one in attached):
                raise DuplicatePolicyAttachment
            if len(attached) >= domain.ATTACHED:
                text = f"You have attached the maximum number of policies to the specified target: {domain.ATTACHED}."
                raise ConstraintViolation(text, Reason="MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
            table.attach(tx, found.account, target.target_id, policy.policy_id)

        await self.platform.store.transact(attach)
        return {}

    @operation("DetachPolicy")
    async def detach_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def detach(tx: Transaction) -> None:
            found = domain.managed(tx, context.account)
            policy = domain.policy(tx, found, params["PolicyId"])
            target = domain.target(tx, found, params["TargetId"])
            attached = [one.policy_id for one in table.attached(tx, found.account, target.target_id)]
            if policy.policy_id not in attached:
                raise PolicyNotAttached
            if len(attached) == 1:
                text = "You cannot remove the last policy attached to the specified target. You should have at least 1."
                raise ConstraintViolation(text, Reason="MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
            table.detach(tx, found.account, target.target_id, policy.policy_id)

        await self.platform.store.transact(detach)
        return {}

    @operation("ListPoliciesForTarget")
    async def list_policies_for_target(self, context: RequestContext, params: dict[str, Any]) -> Result:
        domain.check_type(params["Filter"])

        def read(reader: Reader) -> list[dict[str, Any]]:
            found = domain.managed(reader, context.account)
            target = domain.target(reader, found, params["TargetId"])
            policies = table.attached(reader, found.account, target.target_id)
            return [shapes.describe_policy(found, policy) for policy in policies]

        return {"Policies": await self.platform.store.read(read)}

    @operation("ListTargetsForPolicy")
    async def list_targets_for_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        after, limit = shapes.page_request(params)

        def read(reader: Reader) -> list[domain.Target]:
            found = domain.managed(reader, context.account)
            policy = domain.policy(reader, found, params["PolicyId"])
            ids = table.targets(reader, found.account, policy.policy_id, after, limit + 1)
            return [domain.target(reader, found, target_id) for target_id in ids]

        shown, rest = shapes.page(await self.platform.store.read(read), limit, lambda target: target.target_id)
        return {"Targets": [target.describe() for target in shown], **rest}


def _own(reader: Reader, found: Organisation, policy_id: str) -> Policy:
    """A policy that can be changed. Raises PolicyNotFound, InvalidInput."""
    policy = domain.policy(reader, found, policy_id)
    if policy.policy_id == FULL_ACCESS:
        raise InvalidInput("You specified a policy that can't be modified.", Reason="IMMUTABLE_POLICY")
    return policy


def _check_name(reader: Reader, policy: Policy) -> None:
    others = table.policies(reader, policy.account, policy.type)
    if any(one.name == policy.name and one.policy_id != policy.policy_id for one in others):
        raise DuplicatePolicy


def _check_content(content: str) -> None:
    if len(content) > domain.POLICY_CHARACTERS:
        text = "You have exceeded the maximum policy size."
        raise ConstraintViolation(text, Reason="POLICY_CONTENT_LIMIT_EXCEEDED")
    try:
        check_identity_policy(content)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument from error
