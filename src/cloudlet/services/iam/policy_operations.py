"""IAM's operations on managed policies and their versions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.iam import entity_table, policy_table
from cloudlet.iam.policy_table import KIND, ManagedPolicy, aws_policies
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import limits
from cloudlet.services.iam import policy as policies
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam.policy import Usage
from cloudlet.services.iam.shapes import page, page_request, tag_list
from cloudlet.store.base import Reader

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class PolicyOperations(Service):
    """CreatePolicy and its like."""

    @operation("CreatePolicy")
    async def create_policy(self, context: RequestContext, params: "types.CreatePolicyRequestTypeDef") -> Result:
        tags = tagging.read_tags(KIND, params.get("Tags", ()))
        now = self.platform.clock.now()
        policy = ManagedPolicy(
            context.account,
            params["PolicyName"],
            params.get("Path", "/"),
            self.platform.ids.unique_id("ANPA"),
            params.get("Description"),
            default_version=1,
            last_version=1,
            created=now,
            updated=now,
        )
        await self.platform.store.transact(lambda tx: policies.create(tx, policy, params["PolicyDocument"], tags))
        described = policies.describe(policy, Usage({}, {}))
        return {"Policy": described | ({"Tags": tag_list(tags)} if tags else {})}

    @operation("GetPolicy")
    async def get_policy(self, context: RequestContext, params: "types.GetPolicyRequestTypeDef") -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            policy = policies.get(reader, context.account, params["PolicyArn"])
            tags = entity_table.tags(reader, policy.account, KIND, policy.key)
            return policies.describe_whole(policy, policies.usage(reader, context.account), tags)

        return {"Policy": await self.platform.store.read(read)}

    @operation("DeletePolicy")
    async def delete_policy(self, context: RequestContext, params: "types.DeletePolicyRequestTypeDef") -> Result:
        await self.platform.store.transact(lambda tx: policies.delete(tx, context.account, params["PolicyArn"]))
        return {}

    @operation("ListPolicies")
    async def list_policies(self, context: RequestContext, params: "types.ListPoliciesRequestTypeDef") -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> tuple[list[ManagedPolicy], Usage]:
            own = policy_table.page(reader, context.account, "", "", limits.POLICIES_PER_ACCOUNT)
            return own, policies.usage(reader, context.account)

        own, used = await self.platform.store.read(read)
        scope = params.get("Scope", "All")
        found = [*(own if scope != "AWS" else ()), *(_of_aws() if scope != "Local" else ())]
        wanted = sorted((policy for policy in found if _is_wanted(policy, params, used)), key=_listed_key)
        later = [policy for policy in wanted if _listed_key(policy) > after]
        shown, rest = page(later, limit, _listed_key)
        return {"Policies": [policies.describe(policy, used) for policy in shown], **rest}

    # Versions

    @operation("CreatePolicyVersion")
    async def create_policy_version(
        self, context: RequestContext, params: "types.CreatePolicyVersionRequestTypeDef"
    ) -> Result:
        now = self.platform.clock.now()
        policy, version = await self.platform.store.transact(
            lambda tx: policies.add_version(
                tx,
                context.account,
                params["PolicyArn"],
                params["PolicyDocument"],
                now,
                make_default=params.get("SetAsDefault", False),
            )
        )
        return {"PolicyVersion": policies.describe_version(policy, version)}

    @operation("GetPolicyVersion")
    async def get_policy_version(
        self, context: RequestContext, params: "types.GetPolicyVersionRequestTypeDef"
    ) -> Result:
        def read(reader: Reader) -> dict[str, Any]:
            policy = policies.get(reader, context.account, params["PolicyArn"])
            return policies.describe_document(policy, policies.get_version(reader, policy, params["VersionId"]))

        return {"PolicyVersion": await self.platform.store.read(read)}

    @operation("ListPolicyVersions")
    async def list_policy_versions(
        self, context: RequestContext, params: "types.ListPolicyVersionsRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[dict[str, Any]]:
            policy = policies.get(reader, context.account, params["PolicyArn"])
            found = policy_table.versions(reader, policy)
            return [policies.describe_version(policy, version) for version in found]

        listed = await self.platform.store.read(read)
        position = next((index + 1 for index, version in enumerate(listed) if version["VersionId"] == after), 0)
        shown, rest = page(listed[position:], limit, lambda version: str(version["VersionId"]))
        return {"Versions": shown, **rest}

    @operation("SetDefaultPolicyVersion")
    async def set_default_policy_version(
        self, context: RequestContext, params: "types.SetDefaultPolicyVersionRequestTypeDef"
    ) -> Result:
        arn, version_id = params["PolicyArn"], params["VersionId"]
        now = self.platform.clock.now()
        await self.platform.store.transact(lambda tx: policies.set_default(tx, context.account, arn, version_id, now))
        return {}

    @operation("DeletePolicyVersion")
    async def delete_policy_version(
        self, context: RequestContext, params: "types.DeletePolicyVersionRequestTypeDef"
    ) -> Result:
        arn, version_id = params["PolicyArn"], params["VersionId"]
        await self.platform.store.transact(lambda tx: policies.delete_version(tx, context.account, arn, version_id))
        return {}


def _of_aws() -> list[ManagedPolicy]:
    return [policy for policy, _ in aws_policies().values()]


def _listed_key(policy: ManagedPolicy) -> str:
    return f"{policy.key} {policy.arn}"


def _is_wanted(policy: ManagedPolicy, params: Mapping[str, Any], used: Usage) -> bool:
    if not policy.path.startswith(params.get("PathPrefix", "/")):
        return False
    counts = {"PermissionsPolicy": used.attached, "PermissionsBoundary": used.as_boundary}
    usages = [counts[params["PolicyUsageFilter"]]] if "PolicyUsageFilter" in params else list(counts.values())
    if params.get("OnlyAttached", False) or "PolicyUsageFilter" in params:
        return any(policy.arn in usage for usage in usages)
    return True
