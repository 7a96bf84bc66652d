"""IAM's operations that explain policies: what they would decide, and which condition keys they ask for.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.statement_text import context_keys
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import simulation_input as given
from cloudlet.services.iam.errors import InvalidInput
from cloudlet.services.iam.shapes import page, page_request
from cloudlet.services.iam.simulation import Simulation
from cloudlet.services.iam.simulation_source import Entity, Granted, caller, granted

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class SimulationOperations(Service):
    """SimulatePrincipalPolicy and its like."""

    @operation("SimulatePrincipalPolicy")
    async def simulate_principal_policy(
        self, context: RequestContext, params: "types.SimulatePrincipalPolicyRequestTypeDef"
    ) -> Result:
        found = await self._granted(context, params["PolicySourceArn"], params.get("PolicyExclusionList") or ())
        principal = caller(params["CallerArn"]) if "CallerArn" in params else found.caller
        return _simulate(params, principal, found)

    @operation("SimulateCustomPolicy")
    async def simulate_custom_policy(
        self, context: RequestContext, params: "types.SimulateCustomPolicyRequestTypeDef"
    ) -> Result:
        principal = Principal("user", context.account, "", given.NOBODY)
        if "CallerArn" in params:
            principal = caller(params["CallerArn"])
        return _simulate(params, principal, Granted(principal))

    @operation("GetContextKeysForPrincipalPolicy")
    async def get_context_keys_for_principal_policy(
        self, context: RequestContext, params: "types.GetContextKeysForPrincipalPolicyRequestTypeDef"
    ) -> Result:
        found = await self._granted(context, params["PolicySourceArn"], ())
        added = given.policies(params.get("PolicyInputList") or [], "PolicyInputList")
        return {"ContextKeyNames": context_keys(source.document for source in (*found.identity, *added))}

    @operation("GetContextKeysForCustomPolicy")
    async def get_context_keys_for_custom_policy(
        self,
        context: RequestContext,  # noqa: ARG002 - what every operation is given
        params: "types.GetContextKeysForCustomPolicyRequestTypeDef",
    ) -> Result:
        sources = given.policies(params["PolicyInputList"], "PolicyInputList")
        return {"ContextKeyNames": context_keys(source.document for source in sources)}

    async def _granted(self, context: RequestContext, arn: str, exclusions: Sequence[Mapping[str, Any]]) -> Granted:
        entity = Entity.parse(arn)
        if entity.account != context.account:
            raise InvalidInput(f"Invalid Entity Arn: {arn} is not in the account of the caller.")
        return await self.platform.store.read(lambda reader: granted(reader, entity, exclusions))


def _simulate(params: Mapping[str, Any], principal: Principal, found: Granted) -> Result:
    """The answer to a simulation of what `found` has, called by `principal`. Raises InvalidInput."""
    named = given.resources(params)
    actions = given.actions(params, named)
    resource_policy = given.resource_policy(params, principal, named)
    added = given.policies(params.get("PolicyInputList") or [], "PolicyInputList")
    owner = given.owner(params, named, principal)
    simulation = Simulation(
        principal,
        [*found.identity, *added],
        given.boundary(params) or found.boundary,
        resource_policy,
        given.organisation(params) or found.organisation,
        {**found.keys, **given.caller_keys(principal), **given.context_entries(params)},
        is_cross_account=resource_policy is not None and owner != principal.account,
    )
    after, limit = page_request(params)
    start = int(after) if after.isdigit() else 0
    numbered = list(enumerate(actions, 1))[start:]
    shown, rest = page(numbered, limit, lambda one: str(one[0]))
    return {"EvaluationResults": [simulation.result(action, named) for _, action in shown], **rest}
