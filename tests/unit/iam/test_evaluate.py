"""What a document says of a request."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.iam.evaluate import AccessRequest, Decision, evaluate, like, service_name
from cloudlet.iam.policy import Document, Statement, parse
from cloudlet.iam.principals import Principal
from tests.support.iam_world import ACCOUNT, OTHER_ACCOUNT, Json, policy

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/app/worker"
ROOT = Principal.root(ACCOUNT)
USER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/alice", "AIDAALICE")
SESSION = Principal(
    "assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me", "AROAWORKER:me", role_arn=ROLE_ARN
)
LAMBDA = Principal.service("lambda.amazonaws.com", ACCOUNT)
NOBODY = Principal.anonymous(ACCOUNT)


def _decide(
    *statements: Json, principal: Principal = ROOT, action: str = "sts:AssumeRole", resource: str = "r", **keys: str
) -> Decision:
    named = {name.replace("_", ":"): (value,) for name, value in keys.items()}
    return evaluate(parse(policy(*statements)), AccessRequest(principal, action, resource, named))


def _statement(effect: str = "Allow", **parts: Any) -> Json:
    return {"Effect": effect, **({"Action": "*"} if "NotAction" not in parts else {}), **parts}


def _conditional(operator: str, key: str, *values: str, effect: str = "Allow") -> Json:
    return _statement(effect, Condition={operator: {key: list(values)}})


def test_no_statement_says_nothing() -> None:
    assert evaluate(Document(()), AccessRequest(ROOT, "a:b", "r", {})) is Decision.NONE


def test_a_deny_wins_wherever_it_stands() -> None:
    assert _decide(_statement()) is Decision.ALLOW
    assert _decide(_statement(), _statement("Deny")) is Decision.DENY
    assert _decide(_statement("Deny"), _statement()) is Decision.DENY


@pytest.mark.parametrize(
    ("action", "matches"),
    [("*", True), ("sts:*", True), ("STS:assumerole", True), ("sts:Assume?ole", True), ("sts:TagSession", False)],
)
def test_actions_match_without_regard_to_case(action: str, *, matches: bool) -> None:
    assert (_decide(_statement(Action=action)) is Decision.ALLOW) is matches
    assert (_decide(_statement(NotAction=action)) is Decision.ALLOW) is not matches


def test_resources_match_with_regard_to_case() -> None:
    assert _decide(_statement(Resource="arn:*:Q"), resource="arn:aws:Q") is Decision.ALLOW
    assert _decide(_statement(Resource="arn:*:q"), resource="arn:aws:Q") is Decision.NONE
    assert _decide(_statement(NotResource="arn:*:q"), resource="arn:aws:Q") is Decision.ALLOW


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("*", {ROOT, USER, SESSION, NOBODY}),
        ({"AWS": "*"}, {ROOT, USER, SESSION, NOBODY}),
        ({"AWS": ACCOUNT}, {ROOT, USER, SESSION}),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {ROOT, USER, SESSION}),
        ({"AWS": OTHER_ACCOUNT}, set()),
        ({"AWS": USER.arn}, {USER}),
        ({"AWS": "AIDAALICE"}, {USER}),
        ({"AWS": ROLE_ARN}, {SESSION}),
        ({"AWS": SESSION.arn}, {SESSION}),
        ({"AWS": "AROAWORKER"}, {SESSION}),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/worker"}, set()),
        ({"AWS": ""}, set()),
        ({"Service": "lambda.amazonaws.com"}, {LAMBDA}),
        ({"Service": ["events.amazonaws.com", "lambda.us-east-1.amazonaws.com"]}, {LAMBDA}),
        ({"Service": "events.amazonaws.com"}, set()),
        ({"Federated": "*"}, set()),
    ],
)
def test_a_policy_means_those_that_it_names(named: Any, meant: set[Principal]) -> None:
    everybody = (ROOT, USER, SESSION, LAMBDA, NOBODY)
    found = {one for one in everybody if _decide(_statement(Principal=named), principal=one) is Decision.ALLOW}
    assert found == meant


def test_not_principal_means_all_others() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": USER.arn}, "Action": "*"}
    assert _decide(statement, principal=USER) is Decision.NONE
    assert _decide(statement, principal=SESSION) is Decision.DENY


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", "a", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "a*c", "abc", True),
        ("StringLike", "a?c", "abbc", False),
        ("StringNotLike", "a*", "b", True),
        ("Bool", "true", "TRUE", True),
        ("ArnEquals", "arn:aws:lambda:*:1:function:f", "arn:aws:lambda:eu-west-1:1:function:f", True),
        ("ArnLike", "arn:aws:lambda:*:function:f", "arn:aws:lambda:eu-west-1:1:function:f", False),
        ("ArnLike", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a:c", True),
        ("ArnNotLike", "arn:aws:s3:::b", "arn:aws:s3:::c", True),
        ("ArnEquals", "arn", "arn", False),
    ],
)
def test_conditions_compare_as_their_operator_says(operator: str, wanted: str, given: str, *, holds: bool) -> None:
    decision = _decide(_conditional(operator, "Key", wanted), key=given)
    assert (decision is Decision.ALLOW) is holds


def test_one_value_of_many_is_enough_and_of_conditions_all() -> None:
    assert _decide(_conditional("StringEquals", "a", "1", "2"), a="2") is Decision.ALLOW
    assert _decide(_conditional("StringNotEquals", "a", "1", "2"), a="2") is Decision.NONE
    both = _statement(Condition={"StringEquals": {"a": "1", "b": "2"}})
    assert _decide(both, a="1", b="2") is Decision.ALLOW
    assert _decide(both, a="1", b="3") is Decision.NONE


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("Bool", False),
        ("StringEqualsIfExists", True),
        ("StringNotEquals", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
    ],
)
def test_a_key_that_is_not_there(operator: str, *, holds: bool) -> None:
    assert (_decide(_conditional(operator, "key", "a")) is Decision.ALLOW) is holds


def test_null_asks_whether_a_key_is_there() -> None:
    assert _decide(_conditional("Null", "key", "true")) is Decision.ALLOW
    assert _decide(_conditional("Null", "key", "true"), key="a") is Decision.NONE
    assert _decide(_conditional("Null", "key", "false"), key="a") is Decision.ALLOW


@pytest.mark.parametrize(
    ("over", "given", "holds"),
    [
        ("ForAllValues", ("a", "b"), True),
        ("ForAllValues", ("a", "c"), False),
        ("ForAnyValue", ("a", "c"), True),
        ("ForAnyValue", ("c", "d"), False),
        ("ForAllValues", (), True),
        ("ForAnyValue", (), False),
    ],
)
def test_keys_with_many_values(over: str, given: tuple[str, ...], *, holds: bool) -> None:
    document = parse(policy(_conditional(f"{over}:StringEquals", "aws:TagKeys", "a", "b")))
    decision = evaluate(document, AccessRequest(ROOT, "a:b", "r", {"aws:tagkeys": given}))
    assert (decision is Decision.ALLOW) is holds


@pytest.mark.parametrize(
    "condition",
    [
        {"NumericEquals": {"a": "1"}},
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
        {"StringEquals": {"a": "${aws:username}"}},
        {"NoSuchOperator": {"a": "1"}},
    ],
)
def test_what_cannot_be_evaluated_is_never_in_the_callers_favour(condition: Json) -> None:
    assert _decide(_statement("Allow", Condition=condition), a="1") is Decision.NONE
    assert _decide(_statement("Deny", Condition=condition), a="1") is Decision.DENY


@given(st.text(alphabet="ab*?", max_size=12), st.text(alphabet="abc", max_size=8))
def test_wildcards_agree_with_a_naive_matcher(wildcards: str, text: str) -> None:
    def naive(pattern: str, rest: str) -> bool:
        if not pattern:
            return not rest
        if pattern[0] == "*":
            return naive(pattern[1:], rest) or (bool(rest) and naive(pattern, rest[1:]))
        return bool(rest) and pattern[0] in ("?", rest[0]) and naive(pattern[1:], rest[1:])

    assert like(wildcards, text) is naive(wildcards, text)


_EFFECTS = st.sampled_from(["Allow", "Deny"])
_ACTIONS = st.sampled_from(["*", "a:*", "a:b", "b:c"])
_STATEMENTS = st.builds(lambda effect, action: Statement(effect, actions=(action,)), _EFFECTS, _ACTIONS)


@given(st.lists(_STATEMENTS), _STATEMENTS)
def test_one_more_statement_never_turns_the_decision_its_other_way(statements: list[Statement], one: Statement) -> None:
    request = AccessRequest(ROOT, "a:b", "r", {})
    before = evaluate(Document(tuple(statements)), request)
    after = evaluate(Document((*statements, one)), request)
    if one.effect == "Deny":
        assert after in (before, Decision.DENY)
    else:
        assert after in (before, Decision.ALLOW)
        assert not (before is Decision.DENY and after is Decision.ALLOW)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("lambda.amazonaws.com", "lambda.amazonaws.com"),
        ("states.eu-west-1.amazonaws.com", "states.amazonaws.com"),
        ("delivery.logs.amazonaws.com", "delivery.logs.amazonaws.com"),
    ],
)
def test_service_principals_may_name_a_region(name: str, plain: str) -> None:
    assert service_name(name) == plain
