"""What may be a queue's policy."""

import json
from typing import Any

import pytest

from cloudlet.services.sqs import policies
from cloudlet.services.sqs.errors import InvalidAttributeValue, OverLimit

ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}


def policy(*statements: Any, **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **members})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ALLOW.items() if key != name}


@pytest.mark.parametrize(
    "text",
    [
        policy(ALLOW),
        policy({**ALLOW, "Action": ["SQS:*", "sqs:Get*"]}),
        policy({**ALLOW, "Action": "*", "Principal": {"Service": "sns.amazonaws.com"}}),
        policy({**without("Principal"), "NotPrincipal": {"AWS": "111111111111"}, "Effect": "Deny"}),
        policy(ALLOW, Version="2008-10-17", Id="mine"),
        json.dumps({"Statement": ALLOW}),
        policy(*[{**ALLOW, "Sid": str(number)} for number in range(policies.MAX_STATEMENTS)]),
        policy({**ALLOW, "Principal": {"AWS": ["111111111111"] * policies.MAX_PRINCIPALS}}),
        policy({**ALLOW, "Action": ["sqs:SendMessage"] * policies.MAX_ACTIONS}),
    ],
)
def test_what_is_one(text: str) -> None:
    policies.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        policy(),
        policy("x"),
        policy({**ALLOW, "Effect": "Alow"}),
        policy(*[without(name) for name in ALLOW]),
        *[policy(without(name)) for name in ALLOW],
        policy({**ALLOW, "Action": "s3:GetObject"}),
        policy({**ALLOW, "Action": ["sqs:*", "SendMessage"]}),
        policy({**ALLOW, "Action": []}),
        policy({**ALLOW, "Principal": {}}),
        policy({**ALLOW, "Condition": "x"}),
        policy({**ALLOW, "Sid": "a"}, {**ALLOW, "Sid": "a"}),
        policy({**ALLOW, "Sid": 5}),
        policy(ALLOW, Version="2020-01-01"),
        policy({**ALLOW, "Resource": "x" * policies.MAX_BYTES}),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidAttributeValue, match=r"Invalid value for the parameter Policy\."):
        policies.check(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (policy(*[ALLOW] * 21), "21 statements were found, maximum allowed is 20."),
        (policy({**ALLOW, "Principal": {"AWS": ["111111111111"] * 51}}), "51 principals were found"),
        (policy({**ALLOW, "Action": ["sqs:SendMessage"] * 8}), "8 Actions were found, maximum allowed is 7."),
        (
            policy({**ALLOW, "Condition": {"StringEquals": {f"aws:PrincipalTag/{n}": "x" for n in range(11)}}}),
            "11 conditions were found",
        ),
    ],
)
def test_what_is_too_much(text: str, message: str) -> None:
    with pytest.raises(OverLimit, match=message):
        policies.check(text)
