"""The policy simulator: the node's own evaluator, asked about what was not done.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cloudlet.iam.access_data import service_access
from cloudlet.iam.compiled import CompiledPolicy, CompiledStatement, compiled
from cloudlet.iam.evaluate import Decision, PolicySet, evaluate
from cloudlet.iam.principals import Principal
from cloudlet.iam.request import AccessRequest
from cloudlet.iam.statement_text import Position, StatementText, statement_texts
from cloudlet.iam.wildcards import glob

PolicyKind = Literal["IAM Policy", "Resource Policy", "IAM Permissions Boundary Policy"]
"""What the simulator calls a policy's kind; the model's enumeration has other words, which AWS does not use."""
_PLACEHOLDER = re.compile(r"\$\{\w+\}")
_STRICTEST = ("explicitDeny", "implicitDeny", "allowed")
_ALLOW_ALL = compiled('{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}')


@dataclass(frozen=True, slots=True)
class Source:
    """A policy that takes part in a simulation."""

    name: str
    """What answers call it: a managed policy's name, `role_<role>_<inline policy>`, `PolicyInputList.1` ..."""
    document: str
    kind: PolicyKind = "IAM Policy"

    @property
    def policy(self) -> CompiledPolicy:
        """The policy to evaluate. Raises PolicyError."""
        return compiled(self.document, self.name)

    def statements(self) -> Iterator[tuple[CompiledStatement, StatementText]]:
        """The statements, with where they stand."""
        return zip(self.policy.statements, statement_texts(self.document), strict=True)


@dataclass(frozen=True, slots=True)
class Simulation:
    """One question to the simulator, but for action and resource."""

    caller: Principal
    identity: Sequence[Source]
    boundary: Source | None
    resource: Source | None
    organisation: Sequence[Sequence[CompiledPolicy]]
    """The service control policies of each level; empty where the account is in no organisation."""
    keys: Mapping[str, Sequence[str]]
    """The condition keys that the request has, in lower case."""
    is_cross_account: bool = False

    def result(self, action: str, resources: Sequence[str]) -> dict[str, Any]:
        """An EvaluationResult: of all resources together, and of each where any are named."""
        answers = [self._answer(action, resource) for resource in resources]
        decision = min((answer["EvalDecision"] for answer in answers), key=_STRICTEST.index)
        whole = answers[0] | {"EvalActionName": action, "EvalDecision": decision}
        if tuple(resources) == ("*",):
            whole.pop("EvalDecisionDetails", None)
            return whole | {"EvalResourceName": "*"}
        deciding = [answer for answer in answers if answer["EvalDecision"] == decision]
        return whole | {
            "EvalResourceName": resources[0] if len(resources) == 1 else _template(action, resources[0]),
            "MatchedStatements": _unique(one for answer in deciding for one in answer["MatchedStatements"]),
            "MissingContextValues": _unique(key for answer in answers for key in answer["MissingContextValues"]),
            "EvalDecisionDetails": _strictest([answer.get("EvalDecisionDetails", {}) for answer in answers]),
            "ResourceSpecificResults": [
                _specific(answer, resource) for answer, resource in zip(answers, resources, strict=True)
            ],
            **_details_of(answers),
        }

    def _answer(self, action: str, resource: str) -> dict[str, Any]:
        """The members of a result that one resource has."""
        request = AccessRequest(self.caller, action, resource, self.keys)
        decision = evaluate(request, self._policies())
        answer: dict[str, Any] = {
            "EvalDecision": _word(decision),
            "MatchedStatements": list(self._matched(request, decision)),
            "MissingContextValues": self._missing(request),
        }
        if self.organisation:
            allowed = evaluate(request, PolicySet((_ALLOW_ALL,), organisation=self.organisation)).is_allowed
            answer["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
        if self.boundary is not None:
            within = self._opinion(request, [self.boundary]) == "allowed"
            answer["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
        if self.is_cross_account:
            answer["EvalDecisionDetails"] = self._opinions(request)
        return answer

    def _policies(self) -> PolicySet:
        return PolicySet(
            [source.policy for source in self.identity],
            None if self.resource is None else self.resource.policy,
            None if self.boundary is None else self.boundary.policy,
            organisation=self.organisation,
            is_cross_account=self.is_cross_account,
        )

    def _sources(self) -> Iterator[Source]:
        yield from self.identity
        for source in (self.resource, self.boundary):
            if source is not None:
                yield source

    def _matched(self, request: AccessRequest, decision: Decision) -> Iterator[dict[str, Any]]:
        """The statements that made the decision: what denies, or all that allows. A boundary by itself grants nothing,
        so that it is named only where it denies."""
        if not decision.is_allowed and not decision.is_explicit_deny:
            return
        effect = "Allow" if decision.is_allowed else "Deny"
        for source in self._sources():
            if decision.is_allowed and source is self.boundary:
                continue
            for statement, text in source.statements():
                if statement.effect == effect and statement.applies(request):
                    yield _matched_statement(source, text)

    def _missing(self, request: AccessRequest) -> list[str]:
        """The keys that statements about this action and resource ask for, and the request does not have."""
        missing: dict[str, str] = {}
        for source in self._sources():
            for statement, text in source.statements():
                if not statement.action(request.action_key):
                    continue
                asked = [*text.resource_keys, *(text.condition_keys if statement.resource(request) else ())]
                for key in asked:
                    if request.values(key.lower()) is None:
                        missing.setdefault(key.lower(), key)
        return list(missing.values())

    def _opinions(self, request: AccessRequest) -> dict[str, str]:
        """What each kind of policy says by itself."""
        opinions = {"IAM Policy": self._opinion(request, self.identity)}
        for source in (self.resource, self.boundary):
            if source is not None:
                opinions[source.kind] = self._opinion(request, [source])
        return opinions

    @staticmethod
    def _opinion(request: AccessRequest, sources: Sequence[Source]) -> str:
        verdicts = [source.policy.verdict(request) for source in sources]
        effects = {verdict.effect for verdict in verdicts if verdict is not None}
        return "explicitDeny" if "Deny" in effects else "allowed" if effects else "implicitDeny"


def _word(decision: Decision) -> str:
    return "allowed" if decision.is_allowed else "explicitDeny" if decision.is_explicit_deny else "implicitDeny"


def _matched_statement(source: Source, text: StatementText) -> dict[str, Any]:
    return {
        "SourcePolicyId": source.name,
        "SourcePolicyType": source.kind,
        "StartPosition": _place(text.start),
        "EndPosition": _place(text.end),
    }


def _place(position: Position) -> dict[str, int]:
    return {"Line": position.line, "Column": position.column}


def _specific(answer: Mapping[str, Any], resource: str) -> dict[str, Any]:
    """A ResourceSpecificResult."""
    members = ("MatchedStatements", "MissingContextValues", "EvalDecisionDetails", "PermissionsBoundaryDecisionDetail")
    shown = {member: answer[member] for member in members if member in answer}
    return {"EvalResourceName": resource, "EvalResourceDecision": answer["EvalDecision"], **shown}


def _details_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What organisation and boundary say of all resources together: allowed where each is."""
    found = {}
    for member, inner in (
        ("OrganizationsDecisionDetail", "AllowedByOrganizations"),
        ("PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary"),
    ):
        if member in answers[0]:
            found[member] = {inner: all(answer[member][inner] for answer in answers)}
    return found


def _strictest(details: Sequence[Mapping[str, str]]) -> dict[str, str]:
    kinds = dict.fromkeys(kind for one in details for kind in one)
    return {kind: min((one[kind] for one in details if kind in one), key=_STRICTEST.index) for kind in kinds}


def _template(action: str, resource: str) -> str:
    """The form of the ARNs that an action is about, which stands for several of them."""
    prefix, _, name = action.lower().partition(":")
    access = service_access(prefix)
    known = access.actions.get(name) if access is not None else None
    if access is None or known is None:
        return "*"
    templates = [access.resources[kind] for kind in known.resource_types if kind in access.resources]
    fitting = (one for one in templates if glob(_PLACEHOLDER.sub("*", one))(resource))
    return next(fitting, next(iter(templates), "*"))


def _unique(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
