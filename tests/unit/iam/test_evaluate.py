"""What several policies decide together: laws, and agreement with a second, naive evaluator."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.iam.compiled import CompiledPolicy, compiled
from cloudlet.iam.evaluate import Decision, PolicySet, Source, evaluate
from cloudlet.iam.principals import Principal
from cloudlet.iam.request import AccessRequest
from tests.support import naive_policy
from tests.support.iam_world import ACCOUNT, OTHER_ACCOUNT, Json, policy

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me"
USER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/alice", "AIDAALICE")
SESSION = Principal("assumed-role", ACCOUNT, SESSION_ARN, "AROAWORKER:me", role_arn=ROLE_ARN, token_issued=1.0)
ROOT = Principal.root(ACCOUNT)
CALLERS = (USER, SESSION, ROOT)

ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"])
ACTION_PATTERNS = st.sampled_from(["*", "s3:*", "S3:getobject", "s3:?etObject", "sqs:Send*", "iam:*"])
RESOURCES = st.sampled_from(["arn:aws:s3:::b/alice/k", "arn:aws:s3:::b/bob/k", "arn:aws:sqs:us-east-1:1:q"])
RESOURCE_PATTERNS = st.sampled_from(
    ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:sqs:*:*:q", "arn:aws:s3:::b/alice/?"]
)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "aws:username": st.sampled_from([["alice"], ["bob"]]),
        "aws:sourceip": st.sampled_from([["10.1.2.3"], ["192.0.2.1"]]),
        "aws:tagkeys": st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True),
        "s3:max-keys": st.sampled_from([["5"], ["10"], ["11"]]),
        "aws:sourcearn": st.sampled_from([["arn:aws:sns:eu-west-1:1:t"], ["arn:aws:sns:us-east-1:1:u"]]),
        "aws:securetransport": st.sampled_from([["true"], ["false"]]),
        "lambda:sourcefunctionarn": st.just(["arn:aws:lambda:us-east-1:1:function:f"]),
    },
)
CONDITIONS = st.sampled_from(
    [
        {"StringEquals": {"aws:username": ["alice"]}},
        {"StringNotEquals": {"aws:username": ["alice", "carol"]}},
        {"StringLikeIfExists": {"aws:username": "a*"}},
        {"StringEqualsIgnoreCase": {"aws:username": "ALICE"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}},
        {"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}},
        {"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}},
        {"ForAllValues:StringNotLike": {"aws:TagKeys": ["a*"]}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"NumericLessThan": {"s3:max-keys": "10"}, "Bool": {"aws:SecureTransport": "true"}},
        {"NumericNotEquals": {"s3:max-keys": "10"}},
        {"NumericGreaterThanEqualsIfExists": {"s3:max-keys": "10"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:*"}},
        {"ArnNotEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:1:u"}},
        {"Null": {"aws:username": "true"}},
        {"Null": {"aws:username": "false"}},
        {"ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:1:function:f"}},
        {"ArnNotEquals": {"lambda:SourceFunctionArn": "arn:aws:lambda:us-east-1:1:function:g"}},
    ]
)
PRINCIPALS = st.sampled_from(
    ["*", {"AWS": ACCOUNT}, {"AWS": USER.arn}, {"AWS": [ROLE_ARN]}, {"AWS": SESSION_ARN}, {"AWS": OTHER_ACCOUNT}]
)


def _statements(principals: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Json]:
    actions = st.tuples(st.sampled_from(["Action", "Action", "Action", "NotAction"]), ACTION_PATTERNS)
    resources = st.tuples(
        st.sampled_from(["Resource", "Resource", "NotResource"]), st.lists(RESOURCE_PATTERNS, min_size=1, max_size=2)
    )
    effect = st.sampled_from(["Allow", "Allow", "Allow", "Deny"])

    def build(effect: str, action: Any, resource: Any, condition: Json | None, principal: Any) -> Json:
        statement: Json = {"Effect": effect, action[0]: action[1], resource[0]: resource[1]}
        if condition is not None:
            statement["Condition"] = condition
        return statement | ({} if principal is None else {"Principal": principal})

    return st.builds(
        build, effect, actions, resources, st.none() | CONDITIONS, st.none() if principals is None else principals
    )


DOCUMENTS = st.lists(_statements(), max_size=3).map(
    lambda statements: {"Version": "2012-10-17", "Statement": statements}
)
RESOURCE_DOCUMENTS = st.lists(_statements(PRINCIPALS), max_size=3).map(
    lambda statements: {"Version": "2012-10-17", "Statement": statements}
)
POLICIES = st.builds(
    naive_policy.Policies,
    st.lists(DOCUMENTS, max_size=2),
    st.none() | RESOURCE_DOCUMENTS,
    st.none() | DOCUMENTS,
    st.none() | st.lists(DOCUMENTS, min_size=1, max_size=2),
    st.lists(st.lists(DOCUMENTS, min_size=1, max_size=2), max_size=2),
    st.booleans(),
)
REQUESTS = st.builds(
    AccessRequest,
    st.sampled_from(CALLERS),
    ACTIONS,
    RESOURCES,
    KEYS,
)


def _compiled(document: Json) -> CompiledPolicy:
    return compiled(json.dumps(document))


def _set(policies: naive_policy.Policies) -> PolicySet:
    return PolicySet(
        [_compiled(one) for one in policies.identity],
        _compiled(policies.resource) if policies.resource else None,
        _compiled(policies.boundary) if policies.boundary else None,
        None if policies.session is None else [_compiled(one) for one in policies.session],
        [[_compiled(one) for one in level] for level in policies.organisation],
        policies.cross_account,
    )


def _question(request: AccessRequest) -> naive_policy.Question:
    principal = request.principal
    keys = {name: list(values) for name, values in request.keys.items()}
    return naive_policy.Question(
        principal.kind, principal.account, principal.arn, principal.role_arn, request.action, request.resource, keys
    )


@given(REQUESTS, POLICIES)
def test_a_naive_evaluator_agrees(request: AccessRequest, policies: naive_policy.Policies) -> None:
    assert evaluate(request, _set(policies)).is_allowed is naive_policy.is_allowed(_question(request), policies)


@given(REQUESTS, POLICIES, _statements(), st.sampled_from(["identity", "boundary", "session"]))
def test_one_more_deny_never_allows_and_one_more_allow_never_denies(
    request: AccessRequest, policies: naive_policy.Policies, statement: Json, where: str
) -> None:
    before = evaluate(request, _set(policies)).is_allowed
    more = {"Version": "2012-10-17", "Statement": [statement]}
    if where == "identity" or (where == "session" and policies.session is None):
        policies = replace(policies, identity=[*policies.identity, more])
    elif where == "session":
        policies = replace(policies, session=[*(policies.session or []), more])
    else:
        old = policies.boundary or {"Version": "2012-10-17", "Statement": []}
        before = evaluate(request, _set(replace(policies, boundary=old))).is_allowed
        policies = replace(policies, boundary={**old, "Statement": [*old["Statement"], statement]})
    after = evaluate(request, _set(policies)).is_allowed
    assert not (after and not before) if statement["Effect"] == "Deny" else not (before and not after)


@given(REQUESTS, POLICIES, DOCUMENTS)
def test_a_boundary_or_session_policy_never_widens(
    request: AccessRequest, policies: naive_policy.Policies, document: Json
) -> None:
    without = evaluate(request, _set(replace(policies, boundary=None, session=None))).is_allowed
    for limited in (replace(policies, boundary=document), replace(policies, session=[document])):
        assert without or not evaluate(request, _set(limited)).is_allowed


@given(REQUESTS, POLICIES)
def test_an_explicit_deny_always_wins(request: AccessRequest, policies: naive_policy.Policies) -> None:
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    for denied in (
        replace(policies, identity=[*policies.identity, deny]),
        replace(policies, boundary=deny),
        replace(policies, session=[deny]),
        replace(policies, organisation=[[deny]]),
    ):
        decision = evaluate(request, _set(denied))
        assert not decision.is_allowed
        assert decision.is_explicit_deny


def _allow(principal: Any = None) -> CompiledPolicy:
    statement = {"Effect": "Allow", "Action": "*", **({"Principal": principal} if principal else {"Resource": "*"})}
    return compiled(policy(statement))


NOTHING = compiled(policy({"Effect": "Allow", "Action": "none:None", "Resource": "*"}))


def _decide(principal: Principal, policies: PolicySet) -> Decision:
    return evaluate(AccessRequest(principal, "sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q"), policies)


@pytest.mark.parametrize(
    ("caller", "policies", "source"),
    [
        (USER, PolicySet(), Source.IDENTITY),
        (USER, PolicySet([_allow()], boundary=NOTHING), Source.BOUNDARY),
        (SESSION, PolicySet([_allow()], session=[NOTHING]), Source.SESSION),
        (ROOT, PolicySet(organisation=[[_allow()], [NOTHING]]), Source.ORGANISATION),
        (ROOT, PolicySet(resource=_allow({"AWS": ACCOUNT}), session=[NOTHING]), Source.SESSION),
        (ROOT, PolicySet(resource=_allow({"AWS": ROOT.arn}), session=[NOTHING]), Source.SESSION),
        (USER, PolicySet([_allow()], is_cross_account=True), Source.RESOURCE),
        (USER, PolicySet(resource=_allow({"AWS": ACCOUNT})), Source.IDENTITY),
        (Principal.service("sns.amazonaws.com", ACCOUNT), PolicySet([_allow()]), Source.RESOURCE),
    ],
)
def test_a_refusal_tells_which_kind_of_policy_did_not_allow(
    caller: Principal, policies: PolicySet, source: Source
) -> None:
    decision = _decide(caller, policies)
    assert not decision.is_allowed
    assert not decision.is_explicit_deny
    assert decision.source is source


@pytest.mark.parametrize(
    ("caller", "policies"),
    [
        (ROOT, PolicySet()),
        (USER, PolicySet(resource=_allow({"AWS": USER.arn}), boundary=NOTHING)),
        (USER, PolicySet(resource=_allow("*"))),
        (SESSION, PolicySet(resource=_allow({"AWS": ROLE_ARN}))),
        (SESSION, PolicySet(resource=_allow({"AWS": SESSION_ARN}), session=[NOTHING])),
        (USER, PolicySet([_allow()], resource=_allow({"AWS": ACCOUNT}), is_cross_account=True)),
        (Principal.service("sns.amazonaws.com", ACCOUNT), PolicySet(resource=_allow({"Service": "sns.amazonaws.com"}))),
    ],
)
def test_what_is_enough(caller: Principal, policies: PolicySet) -> None:
    assert _decide(caller, policies).is_allowed


def test_a_role_that_a_resource_names_is_still_held_by_its_boundary() -> None:
    policies = PolicySet(resource=_allow({"AWS": ROLE_ARN}), boundary=NOTHING)
    assert _decide(SESSION, policies).source is Source.BOUNDARY
