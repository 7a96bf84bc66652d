"""Who may assume a role."""

from typing import Any

import pytest

from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.trust import AssumeRequest, refused_action
from tests.support.iam_world import ACCOUNT, ANYBODY_HERE, OTHER_ACCOUNT, REGION, Json, policy, trust

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
ROOT = Principal.root(ACCOUNT)
LAMBDA = Principal.service("lambda.amazonaws.com", ACCOUNT)
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"


def _refused(trust_policy: str, principal: Principal = ROOT, source_arn: str = "", **asked: Any) -> str | None:
    context = RequestContext(principal, REGION, "request", source_ip="127.0.0.1", source_arn=source_arn)
    return refused_action(trust_policy, AssumeRequest(ROLE, **{"session_name": "me", **asked}), context)


def test_an_account_is_trusted_as_a_whole() -> None:
    assert _refused(ANYBODY_HERE) is None
    assert _refused(ANYBODY_HERE, Principal.root(OTHER_ACCOUNT)) == "sts:AssumeRole"
    assert _refused(trust({"AWS": [OTHER_ACCOUNT]}), Principal.root(OTHER_ACCOUNT)) is None


def test_a_service_is_trusted_by_its_name() -> None:
    assert _refused(trust({"Service": "lambda.amazonaws.com"}), LAMBDA) is None
    assert _refused(trust({"Service": "events.amazonaws.com"}), LAMBDA) == "sts:AssumeRole"
    assert _refused(trust({"AWS": "*"}), LAMBDA) == "sts:AssumeRole"


def test_tags_and_a_source_identity_need_actions_of_their_own() -> None:
    asked: Json = {"tags": {"Team": "blue"}, "source_identity": "alice"}
    assert _refused(ANYBODY_HERE, **asked) == "sts:TagSession"
    assert _refused(trust({"AWS": ACCOUNT}, "sts:AssumeRole", "sts:TagSession"), **asked) == "sts:SetSourceIdentity"
    all_three = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    assert _refused(trust({"AWS": ACCOUNT}, *all_three), **asked) is None


@pytest.mark.parametrize(
    ("condition", "asked", "is_refused"),
    [
        ({"StringEquals": {"sts:ExternalId": "secret"}}, {"external_id": "secret"}, False),
        ({"StringEquals": {"sts:ExternalId": "secret"}}, {"external_id": "Secret"}, True),
        ({"StringEquals": {"sts:ExternalId": "secret"}}, {}, True),
        ({"StringLike": {"sts:RoleSessionName": "m*"}}, {}, False),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, {}, False),
        ({"StringEquals": {"aws:PrincipalType": "Account"}}, {}, False),
        ({"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:root"}}, {}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, True),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}, {}, True),
    ],
)
def test_conditions_are_asked(condition: Json, asked: Json, *, is_refused: bool) -> None:
    assert (_refused(trust({"AWS": ACCOUNT}, Condition=condition), **asked) is not None) is is_refused


def test_conditions_on_tags_are_asked() -> None:
    condition = {
        "StringEquals": {"aws:RequestTag/Team": "blue"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"], "sts:TransitiveTagKeys": ["Team"]},
    }
    document = trust({"AWS": ACCOUNT}, "sts:AssumeRole", "sts:TagSession", Condition=condition)
    assert _refused(document, tags={"team": "blue"}, transitive_tag_keys=("Team",)) is not None
    assert _refused(document, tags={"Team": "blue"}, transitive_tag_keys=("Team",)) is None
    assert _refused(document, tags={"Team": "red"}) is not None


def test_a_service_calls_for_a_resource() -> None:
    condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": FUNCTION}}
    document = trust({"Service": "lambda.amazonaws.com"}, Condition=condition)
    assert _refused(document, LAMBDA, FUNCTION) is None
    assert _refused(document, LAMBDA) is not None
    assert _refused(document, LAMBDA, FUNCTION.replace(ACCOUNT, OTHER_ACCOUNT)) is not None


def test_a_sessions_tags_and_source_identity_can_be_asked_for() -> None:
    session = Principal(
        "assumed-role",
        ACCOUNT,
        "arn",
        "AROAX:s",
        role_arn="arn:role",
        session_tags=(("Team", "blue"),),
        source_identity="alice",
        token_issued=1.0,
    )
    for key, value in (
        ("aws:PrincipalTag/team", "blue"),
        ("aws:SourceIdentity", "alice"),
        ("aws:PrincipalArn", "arn:role"),
        ("aws:MultiFactorAuthPresent", "false"),
    ):
        document = trust({"AWS": ACCOUNT}, Condition={"StringEquals": {key: value}})
        assert _refused(document, session) is None


def test_a_deny_wins() -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    assert _refused(policy(allow)) is None
    assert _refused(policy(allow, {**allow, "Effect": "Deny"})) == "sts:AssumeRole"


def test_a_policy_that_cannot_be_read_trusts_nobody() -> None:
    assert _refused("") == "sts:AssumeRole"
    assert _refused("{}") == "sts:AssumeRole"
