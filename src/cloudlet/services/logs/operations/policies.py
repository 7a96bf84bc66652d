"""Resource policies: which services of AWS may write to the account's groups. They are kept, and shown as AWS does."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs import kept_tables
from cloudlet.services.logs.errors import InvalidParameter, LimitExceeded, ResourceNotFound
from cloudlet.services.logs.kept_tables import Policy
from cloudlet.services.logs.names import check_text, place_of
from cloudlet.services.logs.operations.base import Operations, not_implemented
from cloudlet.services.logs.tokens import decode_token, encode_token
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteResourcePolicyRequestTypeDef,
        DescribeResourcePoliciesRequestTypeDef,
        PutResourcePolicyRequestTypeDef,
    )

MAXIMUM_POLICIES = 10
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html"""
DEFAULT_LIMIT = 50
DEFAULT_VERSION = "2008-10-17"


class PolicyOperations(Operations):
    """Operations on resource policies."""

    @operation("PutResourcePolicy")
    async def put_resource_policy(self, context: RequestContext, params: "PutResourcePolicyRequestTypeDef") -> Result:
        if params.get("resourceArn"):
            not_implemented("resourceArn", params.get("resourceArn"))
        name, document = params.get("policyName"), params.get("policyDocument")
        if not name:
            raise InvalidParameter("policyName is required.")
        if not document:
            raise InvalidParameter("policyDocument is required.")
        check_text([name, document])
        _canonical(document)
        place, now_ms = place_of(context), self.now_ms()

        def put(tx: Transaction) -> Policy:
            kept = {each.name: each for each in kept_tables.list_policies(tx, place, "", MAXIMUM_POLICIES)}
            if len(kept) == MAXIMUM_POLICIES and name not in kept:
                raise LimitExceeded("Resource limit exceeded.")
            updated_ms = max(now_ms, kept[name].updated_ms + 1) if name in kept else now_ms
            policy = Policy(name, document, updated_ms)
            kept_tables.put_policy(tx, place, policy)
            return policy

        return {"resourcePolicy": _describe(await self.platform.store.transact(put), document)}

    @operation("DescribeResourcePolicies")
    async def describe_resource_policies(
        self, context: RequestContext, params: "DescribeResourcePoliciesRequestTypeDef"
    ) -> Result:
        if params.get("policyScope") == "RESOURCE" or params.get("resourceArn"):
            return {"resourcePolicies": []}  # none can be put
        place, limit, token = place_of(context), params.get("limit") or DEFAULT_LIMIT, params.get("nextToken")
        (after,) = decode_token("policies", token, [str]) if token else ("",)
        policies = await self.platform.store.read(
            lambda reader: kept_tables.list_policies(reader, place, after, limit + 1)
        )
        answer: dict[str, Any] = {
            "resourcePolicies": [_describe(policy, _canonical(policy.document)) for policy in policies[:limit]]
        }
        if len(policies) > limit:
            answer["nextToken"] = encode_token("policies", [policies[limit - 1].name])
        return answer

    @operation("DeleteResourcePolicy")
    async def delete_resource_policy(
        self, context: RequestContext, params: "DeleteResourcePolicyRequestTypeDef"
    ) -> Result:
        if params.get("resourceArn"):
            not_implemented("resourceArn", params.get("resourceArn"))
        place, name = place_of(context), params.get("policyName") or ""
        check_text(name)
        if not await self.platform.store.transact(lambda tx: kept_tables.delete_policy(tx, place, name)):
            raise ResourceNotFound(f"Policy with name [{name}] does not exist.")
        return {}


def _describe(policy: Policy, document: str) -> dict[str, Any]:
    return {
        "policyName": policy.name,
        "policyDocument": document,
        "lastUpdatedTime": policy.updated_ms,
        "policyScope": "ACCOUNT",
    }


def _canonical(document: str) -> str:
    """A document as it is described: with its version, and lists of one as what is in them. Raises InvalidParameter."""
    try:
        policy = orjson.loads(document)
        found = policy.get("Statement") if isinstance(policy, dict) else None
        statements = found if isinstance(found, list) else [found]
        if not all(isinstance(statement, dict) for statement in statements):
            raise InvalidParameter("The policy document has no statements.")
        shortened = {"Statement": [_without_lists_of_one(statement) for statement in statements]}
        return orjson.dumps({"Version": DEFAULT_VERSION} | policy | shortened).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidParameter("The policy document is not valid JSON, or too deep.") from error


def _without_lists_of_one(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        return _without_lists_of_one(value[0])
    if isinstance(value, dict):
        return {key: _without_lists_of_one(member) for key, member in value.items()}
    return value
