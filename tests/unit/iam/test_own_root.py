"""What binds root in its own account."""

from typing import Any

import pytest

from cloudlet.iam.access_data import service_access
from cloudlet.iam.own_root import MENDS, denies, named_resources
from cloudlet.iam.principals import Principal, RequestContext
from tests.support.iam_world import ACCOUNT, policy

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"


@pytest.mark.parametrize(
    ("service", "params", "resources"),
    [
        ("sqs", {"QueueUrl": f"http://localhost:4566/{ACCOUNT}/q"}, [QUEUE]),
        ("sqs", {"QueueUrl": "q"}, []),
        ("sqs", {"QueueUrl": 1}, []),
        ("sqs", {"QueueName": "q"}, [QUEUE]),
        ("sqs", {"SourceArn": QUEUE, "MaxNumberOfMessagesPerSecond": 1}, [QUEUE]),
        ("sns", {"TargetArn": TOPIC, "Message": "text"}, [TOPIC]),
        ("ecr", {"repositoryName": "r"}, [f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/r"]),
        ("lambda", {"FunctionName": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"}, []),
    ],
)
def test_what_may_have_a_policy_that_denies_is_named(
    service: str, params: dict[str, Any], resources: list[str]
) -> None:
    context = RequestContext(Principal.root(ACCOUNT), "us-east-1", "r", service)
    assert list(named_resources(context, params)) == resources


def test_a_policy_denies_where_a_statement_does() -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE}
    assert not denies(policy(allow))
    assert denies(policy(allow, {**allow, "Effect": "Deny"}))
    assert denies(policy({**allow, "Effect": "Deny"}).replace("Deny", "D\\u0065ny"))


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_what_is_no_policy_denies_nothing(text: str | None) -> None:
    assert not denies(text)


@pytest.mark.parametrize("action", sorted(MENDS))
def test_what_root_may_always_do_are_actions_of_aws(action: str) -> None:
    prefix, _, name = action.partition(":")
    access = service_access(prefix)
    assert access is not None
    assert access.actions[name.lower()].name == action
