"""Policies on repositories: who may use them, and what is to expire."""

from typing import Any

import orjson

from cloudlet.iam.policy import PolicyError
from cloudlet.iam.policy import parse as parse_policy
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.ecr import lifecycle, repository, tables
from cloudlet.services.ecr.errors import InvalidParameter, LifecyclePolicyNotFound, RepositoryPolicyNotFound
from cloudlet.services.ecr.operations.base import EcrParts, named
from cloudlet.services.ecr.repository import Repository
from cloudlet.store.base import Transaction

_INVALID_POLICY = "Invalid parameter at 'PolicyText' failed to satisfy constraint: '{}'"


class PolicyOperations(EcrParts):
    """SetRepositoryPolicy, PutLifecyclePolicy and what follows."""

    @operation("SetRepositoryPolicy")
    async def set_repository_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        text = params["policyText"]
        _check_policy(text)

        def change(tx: Transaction, found: Repository) -> Repository:
            tables.set_column(tx, found.key, "policy", text)
            return found

        changed = await self.change(context, params, change)
        return {**named(changed.key), "policyText": text}

    @operation("GetRepositoryPolicy")
    async def get_repository_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        found = await self._with_policy(context, params)
        return {**named(found.key), "policyText": found.policy}

    @operation("DeleteRepositoryPolicy")
    async def delete_repository_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def change(tx: Transaction, found: Repository) -> Repository:
            _require_policy(found)
            tables.set_column(tx, found.key, "policy", "")
            return found

        found = await self.change(context, params, change)
        return {**named(found.key), "policyText": found.policy}

    async def _with_policy(self, context: RequestContext, params: dict[str, Any]) -> Repository:
        key = repository.key_of(context, params)
        found = await self.store.read(lambda reader: repository.find(reader, key))
        _require_policy(found)
        return found

    @operation("PutLifecyclePolicy")
    async def put_lifecycle_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        text = params["lifecyclePolicyText"]
        lifecycle.parse(text)

        def change(tx: Transaction, found: Repository) -> Repository:
            tables.set_column(tx, found.key, "lifecycle", text)
            tables.set_lifecycle_time(tx, found.key, 0)
            return found

        changed = await self.change(context, params, change)
        self.lifecycle_changed()
        return {**named(changed.key), "lifecyclePolicyText": text}

    @operation("GetLifecyclePolicy")
    async def get_lifecycle_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        found = await self.store.read(lambda reader: repository.find(reader, key))
        _require_lifecycle(found)
        return _shown(found)

    @operation("DeleteLifecyclePolicy")
    async def delete_lifecycle_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def change(tx: Transaction, found: Repository) -> Repository:
            _require_lifecycle(found)
            tables.set_column(tx, found.key, "lifecycle", "")
            return found

        return _shown(await self.change(context, params, change))

    def lifecycle_changed(self) -> None:
        """There is a new lifecycle policy to apply."""
        raise NotImplementedError


def _shown(found: Repository) -> dict[str, Any]:
    shown: dict[str, Any] = {**named(found.key), "lifecyclePolicyText": found.lifecycle}
    if found.lifecycle_ms:
        shown["lastEvaluatedAt"] = found.lifecycle_ms / 1000
    return shown


def _require_policy(found: Repository) -> None:
    if not found.policy:
        raise RepositoryPolicyNotFound(
            f"Repository policy does not exist for the repository with name '{found.key.name}' in the registry with "
            f"id '{found.key.account}'"
        )


def _require_lifecycle(found: Repository) -> None:
    if not found.lifecycle:
        raise LifecyclePolicyNotFound(
            f"Lifecycle policy does not exist for the repository with name '{found.key.name}' in the registry with id "
            f"'{found.key.account}'"
        )


def _check_policy(text: str) -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html"""
    try:
        document = parse_policy(text)
    except PolicyError as error:
        raise InvalidParameter(_INVALID_POLICY.format("Invalid repository policy provided")) from error
    raw = orjson.loads(text)
    statements = raw.get("Statement")
    statements = statements if isinstance(statements, list) else [statements]
    if not document.statements or any("Resource" in one or "NotResource" in one for one in statements):
        raise InvalidParameter(_INVALID_POLICY.format("Invalid repository policy provided"))
    if any(one.principals is None and one.not_principals is None for one in document.statements) or any(
        one.actions is None and one.not_actions is None for one in document.statements
    ):
        raise InvalidParameter(_INVALID_POLICY.format("Invalid repository policy provided"))
