"""What IAM takes as a trust policy, and its words for what it does not take."""

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.iam.policy import parse
from cloudlet.iam.policy_grammar import MalformedPolicy
from cloudlet.iam.trust_grammar import check_trust_policy, role_principals

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
GONE = object()
NOT_STS = "AssumeRole policy may only specify STS AssumeRole actions."


def _trust(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in {**TRUST, **parts}.items() if value is not GONE}


def _document(*statements: Any, **parts: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **parts})


@pytest.mark.parametrize(
    "statement",
    [
        TRUST,
        _trust(Principal="*"),
        _trust(Principal={"AWS": ["111111111111", "arn:aws:iam::111111111111:root", "*"]}),
        _trust(Principal={"AWS": ["arn:aws:iam::111111111111:user/a/b", "arn:aws:iam::111111111111:role/a"]}),
        _trust(Principal={"AWS": "arn:aws:sts::111111111111:assumed-role/a/b"}),
        _trust(Principal={"AWS": "AROADBQP57FF2AEXAMPLE"}),
        _trust(Principal={"Service": ["ec2.amazonaws.com.cn", "states.eu-west-1.amazonaws.com"]}),
        _trust(Principal={"Federated": "accounts.google.com"}),
        _trust(Action=["sts:AssumeRole", "STS:tagsession", "sts:SetSourceIdentity"]),
        _trust(Sid="x", Condition={"StringEquals": {"sts:ExternalId": "1"}}),
        _trust(Effect="Deny"),
    ],
)
def test_good_statements_are_taken(statement: dict[str, Any]) -> None:
    check_trust_policy(_document(statement))
    check_trust_policy(json.dumps({"Statement": statement}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax error in policy."),
        ("{}", "Could not parse the policy: Statement is empty!"),
        (_document(), "Could not parse the policy: Statement is empty!"),
        (_document("text"), "Syntax error in policy."),
        (_document(TRUST, Other=1), "Unknown field Other"),
        (_document(TRUST, Version="2013-10-17"), "The policy must contain a valid version string"),
        (_document(_trust(Sid="a"), _trust(Sid="a")), "The Statement Ids in the policy are not unique"),
    ],
)
def test_documents_that_are_not_taken(text: str, message: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        check_trust_policy(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (_trust(Other=1), "Unknown field Other"),
        (_trust(Effect=GONE), "Missing required field Effect"),
        (_trust(Effect="allow"), "Invalid effect: allow"),
        (_trust(Principal=GONE), "Missing required field Principal"),
        (_trust(Principal={}), "Missing required field Principal cannot be empty!"),
        (_trust(Principal="me"), "Principal must be a JSON object."),
        (_trust(Principal={"Who": "me"}), 'Invalid principal in policy: "Who"'),
        (_trust(Principal={"AWS": "me"}), 'Invalid principal in policy: "AWS":"me"'),
        (_trust(Principal={"AWS": "arn:aws:iam::1:root"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::1:root"'),
        (_trust(Principal={"Service": "lambda"}), 'Invalid principal in policy: "SERVICE":"lambda"'),
        (_trust(Principal=GONE, NotPrincipal={"AWS": "*"}), "Allow with NotPrincipal is not allowed."),
        (
            _trust(Principal=GONE, NotPrincipal={"AWS": "*"}, Effect="Deny"),
            "AssumeRole policy must not contain NotPrincipal field.",
        ),
        (_trust(Action=GONE), "Missing required field Action"),
        (_trust(Action=[]), "Missing required field Action"),
        (_trust(Action="*"), NOT_STS),
        (_trust(Action="sts:*"), NOT_STS),
        (_trust(Action=["sts:AssumeRole", "s3:GetObject"]), NOT_STS),
        (_trust(Resource="*"), "Has prohibited field Resource"),
        (_trust(NotResource="*"), "AssumeRole policy must not contain resources."),
        (_trust(Condition=[]), "Syntax error in policy."),
        (_trust(Action=[1]), "Syntax error in policy."),
        (_trust(Sid=[1]), "Syntax error in policy."),
    ],
)
def test_statements_that_are_not_taken(statement: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        check_trust_policy(_document(statement))
    assert str(caught.value) == message


def test_the_roles_that_a_policy_names_are_found() -> None:
    role = "arn:aws:iam::111111111111:role/a"
    document = _document(TRUST, _trust(Principal={"AWS": ["111111111111", role]}), _trust(Principal="*"))
    assert list(role_principals(document)) == [role]


_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["*", "Allow", "sts:AssumeRole", "x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Statement", "Effect", "Action", "Principal", "AWS", "Sid"]), inner),
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_anything_is_malformed_or_can_be_evaluated(value: Any) -> None:
    for text in (orjson.dumps(value).decode(), _document(value)):
        with contextlib.suppress(MalformedPolicy):
            check_trust_policy(text)
            parse(text)
