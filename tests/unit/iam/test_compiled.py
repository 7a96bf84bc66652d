"""What a document says of a request."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.iam.compiled import compile_document, compiled, service_name
from cloudlet.iam.policy import Document
from cloudlet.iam.principals import Principal
from cloudlet.iam.request import AccessRequest
from cloudlet.iam.wildcards import glob
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
) -> str | None:
    named = {name.replace("_", ":"): (value,) for name, value in keys.items()}
    verdict = compiled(policy(*statements)).verdict(AccessRequest(principal, action, resource, named))
    return None if verdict is None else verdict.effect


def _statement(effect: str = "Allow", **parts: Any) -> Json:
    return {"Effect": effect, **({"Action": "*"} if "NotAction" not in parts else {}), **parts}


def _conditional(operator: str, key: str, *values: str, effect: str = "Allow") -> Json:
    return _statement(effect, Condition={operator: {key: list(values)}})


def test_no_statement_says_nothing() -> None:
    assert compile_document(Document(())).verdict(AccessRequest(ROOT, "a:b", "r")) is None


def test_a_deny_wins_wherever_it_stands() -> None:
    assert _decide(_statement()) == "Allow"
    assert _decide(_statement(), _statement("Deny")) == "Deny"
    assert _decide(_statement("Deny"), _statement()) == "Deny"


@pytest.mark.parametrize(
    ("action", "matches"),
    [("*", True), ("sts:*", True), ("STS:assumerole", True), ("sts:Assume?ole", True), ("sts:TagSession", False)],
)
def test_actions_match_without_regard_to_case(action: str, *, matches: bool) -> None:
    assert (_decide(_statement(Action=action)) == "Allow") is matches
    assert (_decide(_statement(NotAction=action)) == "Allow") is not matches


def test_resources_match_with_regard_to_case() -> None:
    assert _decide(_statement(Resource="arn:*:Q"), resource="arn:aws:Q") == "Allow"
    assert _decide(_statement(Resource="arn:*:q"), resource="arn:aws:Q") is None
    assert _decide(_statement(NotResource="arn:*:q"), resource="arn:aws:Q") == "Allow"


def test_everybody_means_services_too_but_not_in_a_trust_policy() -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html lets topics in by `*`."""
    topics = Principal.service("sns.amazonaws.com", ACCOUNT)
    for everybody in ("*", {"AWS": "*"}):
        for effect in ("Allow", "Deny"):
            statement = _statement(effect, Principal=everybody)
            assert _decide(statement, principal=topics, action="sqs:SendMessage") == effect
            assert _decide(statement, principal=LAMBDA) is None


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
    found = {one for one in everybody if _decide(_statement(Principal=named), principal=one) == "Allow"}
    assert found == meant


def test_not_principal_means_all_others() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": USER.arn}, "Action": "*"}
    assert _decide(statement, principal=USER) is None
    assert _decide(statement, principal=SESSION) == "Deny"


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
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", "10", "11", True),
        ("NumericLessThan", "10", "9.5", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericEquals", "ten", "ten", False),
        ("NumericEquals", "nan", "nan", False),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", True),
        ("DateLessThan", "2026-01-01", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026", "2026-01-01T00:00:01+00:00", True),
        ("DateGreaterThanEquals", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", True),
        ("DateLessThanEquals", "soon", "2026-01-01T00:00:00Z", False),
        ("BinaryEquals", "QUI=", "QUI=", True),
        ("BinaryEquals", "QUI=", "QUM=", False),
        ("IpAddress", "10.0.0.0/8", "10.200.3.4", True),
        ("IpAddress", "10.0.0.0/8", "11.0.0.1", False),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "10.0.0.0/8", "2001:db8::1", False),
        ("NotIpAddress", "192.0.2.1", "192.0.2.1", False),
        ("NotIpAddress", "192.0.2.1", "192.0.2.2", True),
    ],
)
def test_conditions_compare_as_their_operator_says(operator: str, wanted: str, given: str, *, holds: bool) -> None:
    decision = _decide(_conditional(operator, "Key", wanted), key=given)
    assert (decision == "Allow") is holds


def test_one_value_of_many_is_enough_and_of_conditions_all() -> None:
    assert _decide(_conditional("StringEquals", "a", "1", "2"), a="2") == "Allow"
    assert _decide(_conditional("StringNotEquals", "a", "1", "2"), a="2") is None
    both = _statement(Condition={"StringEquals": {"a": "1", "b": "2"}})
    assert _decide(both, a="1", b="2") == "Allow"
    assert _decide(both, a="1", b="3") is None


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
    assert (_decide(_conditional(operator, "key", "a")) == "Allow") is holds


def test_null_asks_whether_a_key_is_there() -> None:
    assert _decide(_conditional("Null", "key", "true")) == "Allow"
    assert _decide(_conditional("Null", "key", "true"), key="a") is None
    assert _decide(_conditional("Null", "key", "false"), key="a") == "Allow"


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
    tagged = compiled(policy(_conditional(f"{over}:StringEquals", "aws:TagKeys", "a", "b")))
    verdict = tagged.verdict(AccessRequest(ROOT, "a:b", "r", {"aws:tagkeys": given}))
    assert (verdict is not None) is holds


@pytest.mark.parametrize(
    "condition",
    [
        {"StringNotEquals": {"a": "${aws:username}"}},
        {"NoSuchOperator": {"a": "1"}},
    ],
)
def test_what_cannot_be_evaluated_is_never_in_the_callers_favour(condition: Json) -> None:
    assert _decide(_statement("Allow", Condition=condition), a="1") is None
    assert _decide(_statement("Deny", Condition=condition), a="1") == "Deny"


@given(st.text(alphabet="ab*?", max_size=12), st.text(alphabet="abc", max_size=8))
def test_wildcards_agree_with_a_naive_matcher(wildcards: str, text: str) -> None:
    def naive(pattern: str, rest: str) -> bool:
        if not pattern:
            return not rest
        if pattern[0] == "*":
            return naive(pattern[1:], rest) or (bool(rest) and naive(pattern, rest[1:]))
        return bool(rest) and pattern[0] in ("?", rest[0]) and naive(pattern[1:], rest[1:])

    assert glob(wildcards)(text) is naive(wildcards, text)


def _of_user(resource: str, **keys: str) -> str | None:
    return _decide(_statement(Resource=resource), principal=ROOT, resource="arn:aws:s3:::home/alice/x", **keys)


def test_policy_variables_stand_for_the_requests_values() -> None:
    home = "arn:aws:s3:::home/${aws:username}/*"
    assert _of_user(home, aws_username="alice") == "Allow"
    assert _of_user(home, aws_username="bob") is None
    assert _of_user(home) is None
    assert _of_user("arn:aws:s3:::home/${aws:username, 'alice'}/*") == "Allow"
    assert _of_user("arn:aws:s3:::home/alice/${*}") is None
    assert _decide(_statement(Resource="a${*}b${$}${?}"), resource="a*b$?") == "Allow"


def test_policy_variables_came_with_the_second_version() -> None:
    old = compiled(
        '{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "${aws:username}"}}'
    )
    assert old.verdict(AccessRequest(USER, "a:b", "alice", {"aws:username": ("alice",)})) is None
    assert old.verdict(AccessRequest(USER, "a:b", "${aws:username}")) is not None


def test_policy_variables_stand_in_conditions_too() -> None:
    own = _conditional("StringEquals", "aws:ResourceTag/owner", "${aws:username}")
    keys = {"aws:resourcetag/owner": ("alice",), "aws:username": ("alice",)}
    request = AccessRequest(USER, "a:b", "r", keys)
    assert compiled(policy(own)).verdict(request) is not None
    assert compiled(policy(own)).verdict(AccessRequest(USER, "a:b", "r", keys | {"aws:username": ("bob",)})) is None


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
