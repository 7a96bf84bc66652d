"""What IAM takes as an identity policy, and its words for what it does not take."""

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.iam.policy import parse
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.policy_table import aws_policies

ALLOW = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}
SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
VERSION = "Policy document must be version 2012-10-17 or greater."
NO_RESOURCES = "Policy statement must contain resources."
NO_ACTIONS = "Policy statement must contain actions."
GONE = object()
"""Stands for a part that is left out."""


def _document(*statements: Any, **parts: Any) -> str:
    document = {"Version": "2012-10-17", "Statement": list(statements), **parts}
    return json.dumps({name: value for name, value in document.items() if value is not GONE})


def _allow(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ALLOW, **parts}.items() if value is not GONE}


def _message(text: str) -> str:
    with pytest.raises(MalformedPolicy) as caught:
        check_identity_policy(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW,
        _allow(Resource="*"),
        _allow(Resource=["arn:aws:s3:::b", "*"]),
        _allow(Resource="arn:aws:fdsasf"),
        _allow(Resource="arn:aws:iam::*:user/${aws:username}"),
        _allow(Resource="arn:aws:iam::1:*"),
        _allow(Resource="arn:aws:new-service:us-east-1::x:y:z"),
        _allow(Resource="arn:aws-cn:s3:::b"),
        _allow(Action="*"),
        _allow(Action="a.b-c:Do Something"),
        _allow(Action=GONE, NotAction="s3:*", Resource=GONE, NotResource="*"),
        _allow(Sid="", Condition={}),
        _allow(Condition={"Any:Thing": {}}),
        _allow(Condition={"AnyThing": {}, "DateGreaterThan": {"a": []}}),
        _allow(Condition={"ForAnyValue:StringEqualsIfExists": {"a": ["b"]}, "Bool": {"c": True}, "Null": {"d": False}}),
        _allow(Condition={"NumericEquals": {"a": 1}, "IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}),
        _allow(Condition={"DateLessThan": {"a": "2017-12-31T23:59:59Z", "b": "1500000000", "c": 1500000000}}),
        _allow(Condition={"DateLessThan": {"a": "2016-12-13t2:00:00.593194+23", "b": "01T", "c": "2016-12"}}),
    ],
)
def test_good_statements_are_taken(statement: dict[str, Any]) -> None:
    check_identity_policy(_document(statement))
    check_identity_policy(_document(GONE, Statement=statement, Id="x"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", SYNTAX),
        ("[]", SYNTAX),
        ("[" * 5000, SYNTAX),
        (_document(), SYNTAX),
        (_document(GONE, Statement=GONE), SYNTAX),
        (_document("text"), SYNTAX),
        (_document(ALLOW, Other=1), SYNTAX),
        (_document(ALLOW, Id=[]), SYNTAX),
        (_document(ALLOW, Version="2013-10-17"), SYNTAX),
        (_document(ALLOW, Version=GONE), VERSION),
        (_document(ALLOW, Version="2008-10-17"), VERSION),
        (_document(_allow(Effect="denY"), Version=GONE), VERSION),
        (_document(_allow(Principal="*")), "Policy document should not specify a principal."),
        (
            _document(_allow(Sid="a"), {"Sid": "a", "Effect": "Allow"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ],
)
def test_documents_that_are_not_taken(text: str, message: str) -> None:
    assert _message(text) == message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (_allow(Other="x"), SYNTAX),
        (_allow(Sid=1), SYNTAX),
        (_allow(Effect=GONE), SYNTAX),
        (_allow(Effect="Maybe"), SYNTAX),
        (_allow(Effect={}), SYNTAX),
        (_allow(Action={}), SYNTAX),
        (_allow(Action=[[]]), SYNTAX),
        (_allow(NotAction="a:b"), SYNTAX),
        (_allow(Resource=["x", {}]), SYNTAX),
        (_allow(NotResource=[]), SYNTAX),
        (_allow(Condition=[]), SYNTAX),
        (_allow(Condition={"Bool": "true"}), SYNTAX),
        (_allow(Condition={"Bool": {"a": {}}}), SYNTAX),
        (_allow(Condition={"Unknown": {"a": "1"}}), SYNTAX),
        (_allow(Condition={"ForAnyValue::Bool": {"a": "1"}}), SYNTAX),
        (_allow(Effect="allow"), LEGACY),
        (_allow(Resource="arn:aws:s3::b"), LEGACY),
        (_allow(Resource="arn:aws::b"), LEGACY),
        (_allow(Resource="arn:aws::::b"), LEGACY),
        (_allow(Resource=GONE, NotResource="arn:aws:s3::b"), LEGACY),
        (_allow(Condition={"DateEquals": {"a": "yesterday"}}), LEGACY),
        (_allow(Condition={"DateEquals": {"a": "234-13"}}), LEGACY),
        (_allow(Condition={"DateEquals": {"a": "2016-12-13t2:00:00.593194+1"}}), LEGACY),
        (_allow(Condition={"DateEquals": {"a": "2016-12-13t2:00:00.1999999999+10:59"}}), LEGACY),
        (_allow(Condition={"DateEquals": {"a": "9223372036854775808"}}), LEGACY),
        (_allow(Action="invalid"), VENDOR),
        (_allow(Action=GONE, NotAction=""), VENDOR),
        (_allow(Action="a a:List"), "Vendor a a is not valid"),
        (_allow(Action="s3:List:Bucket"), "Actions/Condition can contain only one colon."),
        (_allow(Resource="b"), 'Resource b must be in ARN format or "*".'),
        (_allow(Resource=""), 'Resource  must be in ARN format or "*".'),
        (_allow(Resource="a:b"), 'Partition "b" is not valid for resource "arn:b:*:*:*:*".'),
        (_allow(Resource="aws:s3:::b"), 'Partition "s3" is not valid for resource "arn:s3:::b:*".'),
        (_allow(Resource="arn:x:s3:::b"), 'Partition "x" is not valid for resource "arn:x:s3:::b".'),
        (_allow(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
        (
            _allow(Resource="arn:aws:s3:eu-west-1::b"),
            "Resource arn:aws:s3:eu-west-1::b can not contain region information.",
        ),
        (_allow(Resource="arn:aws:iam:x::b"), "IAM resource arn:aws:iam:x::b cannot contain region information."),
        (_allow(Action=GONE), NO_ACTIONS),
        (_allow(Action=[]), NO_ACTIONS),
        ({"Effect": "Deny"}, NO_ACTIONS),
        (_allow(Resource=GONE), NO_RESOURCES),
        (_allow(Resource=[]), NO_RESOURCES),
        (_allow(Resource=GONE, Action="invalid"), VENDOR),
        (_allow(Resource="b", Action="s:3:b"), 'Resource b must be in ARN format or "*".'),
    ],
)
def test_statements_that_are_not_taken(statement: dict[str, Any], message: str) -> None:
    assert _message(_document(statement)) == message


def test_iams_own_resources_are_known() -> None:
    message = _message(_document(_allow(Resource="arn:aws:iam:::b")))
    assert message.startswith(
        'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/,'
    )
    assert message.endswith("oidc-provider/, report/, access-report/.")


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["Statement", "Effect", "Action", "Resource", "Condition", "Version", "Sid", "Bool"]), inner
        ),
    ),
    max_leaves=8,
)


@given(_JSON)
def test_anything_is_malformed_or_can_be_evaluated(value: Any) -> None:
    for text in (orjson.dumps(value).decode(), _document(value)):
        with contextlib.suppress(MalformedPolicy):
            check_identity_policy(text)
            parse(text)


def test_awss_own_policies_are_taken() -> None:
    assert len(aws_policies()) >= 15
    for policy, version in aws_policies().values():
        check_identity_policy(version.document)
        assert policy.arn.startswith("arn:aws:iam::aws:policy/")
        assert len(policy.policy_id) == 21
        assert policy.created <= policy.updated == version.created
