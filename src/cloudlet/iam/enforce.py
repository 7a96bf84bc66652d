"""The authoriser that enforces policies: for every operation of every service, the same code.

```
operation --action_of--> action --naming--> resources        (access-data.json, corrections, naming/)
caller    --granted----> identity, boundary, session         (kept compiled until IAM changes)
resource  --facts------> its policy, its tags                (asked of its service)
                                   |
                               evaluate --> go on, or AccessDenied with AWS's text
```
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cloudlet.arn import Arn
from cloudlet.clock import Clock
from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.compiled import CompiledPolicy, compiled
from cloudlet.iam.context_keys import (
    Keys,
    global_keys,
    request_keys,
    resource_keys,
    source_account,
    time_keys,
)
from cloudlet.iam.corrections import ASKED_OF_SERVICE, HIDDEN, POLICY_SPEAKS_OF, SPOKEN, UNEXPLAINED, UNRESTRICTED
from cloudlet.iam.evaluate import Decision, PolicySet, Source, evaluate
from cloudlet.iam.facts import FactSource, ResourceFacts
from cloudlet.iam.granted import Granted, GrantedPolicies
from cloudlet.iam.naming.lambda_ import FUNCTION_NAME
from cloudlet.iam.naming.sqs import queue_account
from cloudlet.iam.organisation import Membership, Memberships
from cloudlet.iam.own_root import MENDS, denies, named_resources
from cloudlet.iam.policy import PolicyError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.refusal import unsigned_refusal
from cloudlet.iam.request import AccessRequest
from cloudlet.iam.requirements import PASS_ROLE, Requirement, action_of, requirements
from cloudlet.iam.unsigned import OPTIONAL, is_for_anybody
from cloudlet.store.base import Store

_CACHED_ARN_CHARACTERS = 512
_NOTHING = ResourceFacts()
_NO_GRANTS = Granted((), None, None, {})


class PolicyAuthorizer:
    """Decides by policies. One per node."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._granted = GrantedPolicies(store)
        self._memberships = Memberships(store)
        self._sources: dict[str, FactSource] = {}

    def know(self, prefix: str, source: FactSource) -> None:
        """Ask `source` about resources whose ARNs name the service `prefix`."""
        self._sources[prefix] = source

    def forget(self) -> None:
        """The store was emptied."""
        self._granted.forget()
        self._memberships.forget()

    async def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        """Return when `context.principal` may call `context.operation` with `params`; raise AccessDenied when not."""
        principal = context.principal
        if (context.service, context.operation) in UNRESTRICTED or (
            principal.kind == "anonymous" and context.operation in OPTIONAL.get(context.service, ())
        ):
            return
        membership = await self._memberships.of(principal.account)
        if membership.keys and principal.kind not in ("service", "anonymous"):
            context.principal_keys = membership.keys
        is_root = principal.kind == "root" and not membership.levels
        if is_root and not _names_other_account(params, principal.account) and not await self._denies(context, params):
            return
        found = action_of(context.service, context.operation)
        if found is None:
            if principal.kind in ("root", "service"):
                return
            name = f"{context.service}:{context.operation}"
            raise AccessDenied(f"User: {principal.arn} is not authorized to perform: {name}")
        needed = await self._store.read(lambda reader: requirements(context, found, params, reader))
        has_own_side = principal.kind not in ("service", "anonymous")
        granted = await self._granted.of(principal) if has_own_side else _NO_GRANTS
        keys = self._keys(context, params, granted)
        for requirement in needed:
            decision = await self._decide(context, params, requirement, granted, membership, keys)
            if decision is not None and not decision.is_allowed:
                raise _refused(context, requirement, decision)

    async def _denies(self, context: RequestContext, params: Mapping[str, Any]) -> bool:
        """True when a resource that root's call may be about has a policy that denies something."""
        for resource in named_resources(context, params):
            if denies((await self._facts(resource)).policy):
                return True
        return False

    def _keys(self, context: RequestContext, params: Mapping[str, Any], granted: Granted) -> Keys:
        tags: Keys = {f"aws:principaltag/{name.lower()}": (value,) for name, value in granted.tags.items()}
        return tags | global_keys(context) | time_keys(self._clock.now()) | request_keys(params)

    async def _decide(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        requirement: Requirement,
        granted: Granted,
        membership: Membership,
        keys: Keys,
    ) -> Decision | None:
        """None for a part of the platform at work on what has no policy of its own: a function's log, a role's name."""
        principal, resource = context.principal, requirement.resource[0]
        prefix = (resource.split(":")[2:3] or [""])[0]
        facts = await self._facts(resource)
        has_policy = facts.policy is not None and _speaks_of(prefix, requirement.action)
        if principal.kind == "root" and _account(resource) == principal.account and requirement.action in MENDS:
            has_policy = False
        if principal.kind == "service" and not has_policy:
            return None
        account = _account(resource) or principal.account
        own_keys = {**keys, **facts.keys, **requirement.keys, **resource_keys(account, facts.tags, prefix)}
        own_keys |= await self._organisation_keys(context, account)
        if requirement.action in ASKED_OF_SERVICE:
            own_keys = {**await self._asked(requirement, params), **own_keys}
        is_cross_account = account != principal.account and requirement.action != PASS_ROLE
        policies = PolicySet(
            granted.identity,
            _resource_policy(facts) if has_policy else None,
            granted.boundary,
            granted.session,
            membership.levels_for(principal),
            is_cross_account=is_cross_account and principal.kind != "service",
        )
        return _evaluated(principal, requirement, own_keys, policies)

    async def _organisation_keys(self, context: RequestContext, resource_account: str) -> Keys:
        """Whose organisation the resource is in, and for a service the one that it works for."""
        keys: Keys = {}
        accounts = {"resource": resource_account}
        if context.principal.kind == "service":
            accounts["source"] = source_account(context)
        for name, account in accounts.items():
            if len(account) == 12 and account.isdecimal():
                found = (await self._memberships.of(account)).keys
                keys |= {key.replace("principal", name): values for key, values in found.items()}
        return keys

    async def _asked(self, requirement: Requirement, params: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        arn = _arn(requirement.resource[0])
        source = self._sources.get(arn.service) if arn is not None else None
        return await source.condition_keys(requirement.action, arn, params) if source is not None and arn else {}

    async def _facts(self, resource: str) -> ResourceFacts:
        # What a request names has not been checked yet; no store takes a NUL, and nothing is called so.
        arn = _cached_arn(resource) if len(resource) <= _CACHED_ARN_CHARACTERS else _arn(resource)
        if arn is None:
            return _NOTHING
        source = self._sources.get(arn.service)
        return (await source.facts(arn) if source is not None else None) or _NOTHING


def _evaluated(
    principal: Principal, requirement: Requirement, keys: Mapping[str, Sequence[str]], policies: PolicySet
) -> Decision:
    """The decision over all spellings of the resource: one that is denied is denied, one that is allowed is enough."""
    decisions = []
    for spelling in requirement.resource:
        decision = evaluate(AccessRequest(principal, requirement.action, spelling, keys), policies)
        if decision.is_explicit_deny:
            return decision
        decisions.append(decision)
    return next((decision for decision in decisions if decision.is_allowed), decisions[0])


def _refused(context: RequestContext, requirement: Requirement, decision: Decision) -> ServiceError:
    """The answer to a call that is denied. Who is nobody learns nothing, not even whether there is such a resource."""
    if context.principal.kind == "anonymous" and is_for_anybody(context.service, context.operation):
        return unsigned_refusal(context.service, "query", f"{context.endpoint}/")
    hidden = HIDDEN.get((context.service, context.operation))
    if hidden is not None and _account(requirement.resource[0]) not in ("", context.principal.account):
        return _hidden(*hidden)
    return AccessDenied(refusal_text(context.principal, requirement, decision))


@lru_cache
def _hidden_type(code: str) -> type[AccessDenied]:
    return type(code, (AccessDenied,), {"code": code})


def _hidden(code: str, text: str) -> AccessDenied:
    """A refusal that looks like another error to the caller; whoever audits it sees what it is."""
    return _hidden_type(code)(text)


def refusal_text(principal: Principal, requirement: Requirement, decision: Decision) -> str:
    """AWS's words for a call that is denied.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    action, resource = requirement.action, requirement.resource[0]
    if (spelling := SPOKEN.get(action.partition(":")[0])) is not None:
        action = spelling(action)
    text = f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource}"
    if requirement.action in UNEXPLAINED or decision.source is None:
        return text
    kind = decision.source.value
    article = "an" if kind[0] in "aeiou" else "a"
    if decision.is_explicit_deny:
        return f"{text} with an explicit deny in {article} {kind}"
    return f"{text} because no {kind} allows the {action} action"


def _resource_policy(facts: ResourceFacts) -> CompiledPolicy | None:
    if facts.policy is None:
        return None
    try:
        return compiled(facts.policy, Source.RESOURCE.value)
    except PolicyError:
        return None


def _speaks_of(prefix: str, action: str) -> bool:
    """True when a policy on a resource of the service `prefix` is one about `action`."""
    return action.startswith(f"{POLICY_SPEAKS_OF.get(prefix, prefix)}:")


def _arn(resource: str) -> Arn | None:
    if "\0" in resource:
        return None
    try:
        return Arn.parse(resource)
    except ValueError:
        return None


_cached_arn = lru_cache(maxsize=4096)(_arn)


def _account(resource: str) -> str:
    """Whose resource it is; empty for nobody's: any resource, or one of AWS's own."""
    parts = resource.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4] != "aws" else ""


def _names_other_account(params: Mapping[str, Any], account: str) -> bool:
    """True when a request may be about another account's resource; if not, there is nothing to ask for a root."""
    if registry := params.get("registryId"):
        return bool(registry != account)
    if queue_url := params.get("QueueUrl"):
        return queue_account(queue_url) not in ("", account)
    function = FUNCTION_NAME.fullmatch(name) if isinstance(name := params.get("FunctionName"), str) else None
    if function is not None and function["account"] not in (None, account):
        return True
    return params.get("QueueOwnerAWSAccountId", account) != account or any(
        isinstance(value, str) and value[:4] == "arn:" and _account(value) not in ("", account)
        for value in params.values()
    )
