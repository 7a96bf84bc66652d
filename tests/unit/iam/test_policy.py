"""Policy documents, parsed."""

import json
from typing import Any

import pytest

from cloudlet.iam.policy import Condition, Document, PolicyError, Statement, parse


def _parse(*statements: Any) -> tuple[Statement, ...]:
    return parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)})).statements


def test_both_spellings_of_a_list_mean_the_same() -> None:
    one = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    many = {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": ["*"]}
    assert _parse(one) == _parse(many) == (Statement("Allow", actions=("s3:Get*",), resources=("*",)),)
    assert parse(json.dumps({"Statement": one})) == Document(_parse(one))


def test_a_statement_has_all_its_parts() -> None:
    statement = {
        "Sid": "One",
        "Effect": "Deny",
        "Principal": {"AWS": ["111111111111", "*"], "Service": "lambda.amazonaws.com"},
        "NotAction": "sts:*",
        "NotResource": "arn:aws:s3:::b",
        "Condition": {
            "StringEquals": {"aws:PrincipalTag/Team": ["a", "b"]},
            "ForAllValues:StringLikeIfExists": {"aws:TagKeys": "x*"},
            "Bool": {"aws:SecureTransport": True},
            "NumericLessThan": {"s3:max-keys": 10},
        },
    }
    assert _parse(statement) == (
        Statement(
            "Deny",
            "One",
            principals=(("AWS", "111111111111"), ("AWS", "*"), ("Service", "lambda.amazonaws.com")),
            not_actions=("sts:*",),
            not_resources=("arn:aws:s3:::b",),
            conditions=(
                Condition("StringEquals", "aws:principaltag/team", ("a", "b")),
                Condition("StringLike", "aws:tagkeys", ("x*",), "ForAllValues", if_exists=True),
                Condition("Bool", "aws:securetransport", ("true",)),
                Condition("NumericLessThan", "s3:max-keys", ("10",)),
            ),
        ),
    )


def test_anybody_is_a_star() -> None:
    assert _parse({"Effect": "Allow", "Principal": "*"})[0].principals == (("*", "*"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"text"',
        "{}",
        '{"Statement": [1]}',
        '{"Statement": {"Effect": "allow"}}',
        '{"Statement": {"Effect": "Allow", "Action": {}}}',
        '{"Statement": {"Effect": "Allow", "Action": [1]}}',
        '{"Statement": {"Effect": "Allow", "Principal": "me"}}',
        '{"Statement": {"Effect": "Allow", "Condition": []}}',
        '{"Statement": {"Effect": "Allow", "Condition": {"Bool": 1}}}',
        '{"Statement": {"Effect": "Allow", "Condition": {"Any:Bool": {"a": "b"}}}}',
        '{"Statement": {"Effect": "Allow", "Condition": {"Bool": {"a": {}}}}}',
        "[" * 5000,
    ],
)
def test_what_is_no_policy_is_told(text: str) -> None:
    with pytest.raises(PolicyError):
        parse(text)
