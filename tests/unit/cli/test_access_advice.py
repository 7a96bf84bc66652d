"""The least policy for what was called."""

from typing import Any

from cloudlet.cli.access_advice import advice
from cloudlet.cli.access_sources import statement_of
from cloudlet.iam.statement_text import statement_texts

ACCOUNT = "111111111111"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:worker"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


def event(source: str, name: str, *arns: str, **more: Any) -> dict[str, Any]:
    resources = {"resources": [{"ARN": arn} for arn in arns]} if arns else {}
    return {"eventSource": f"{source}.amazonaws.com", "eventName": name, **resources, **more}


def test_actions_on_the_same_resources_share_a_statement() -> None:
    policy, seen = advice(
        [
            event("lambda", "GetFunction20150331v2", FUNCTION),
            event("lambda", "DeleteFunction20150331", FUNCTION),
            event("lambda", "DeleteFunction20150331", FUNCTION),
            event("lambda", "ListFunctions20150331"),
            event("iam", "GetRole", ROLE),
        ],
        with_denied=False,
    )
    assert seen == 5
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": "iam:GetRole", "Resource": ROLE},
        {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"},
        {"Effect": "Allow", "Action": ["lambda:DeleteFunction", "lambda:GetFunction"], "Resource": FUNCTION},
    ]


def test_a_call_of_data_is_the_action_that_it_means() -> None:
    policy, _ = advice([event("lambda", "Invoke", FUNCTION)], with_denied=False)
    assert policy["Statement"][0]["Action"] == "lambda:InvokeFunction"


def test_a_role_that_is_handed_over_is_passed() -> None:
    made = event("lambda", "CreateFunction20150331", FUNCTION, requestParameters={"role": ROLE})
    policy, _ = advice([made], with_denied=False)
    assert policy["Statement"][0] == {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    }


def test_denied_calls_count_only_when_asked_for() -> None:
    denied = [event("iam", "ListRoles", errorCode="AccessDenied")]
    assert advice(denied, with_denied=False) == ({"Version": "2012-10-17", "Statement": []}, 0)
    assert len(advice(denied, with_denied=True)[0]["Statement"]) == 1


def test_operations_that_need_no_permission_are_left_out() -> None:
    assert advice([event("sts", "GetCallerIdentity")], with_denied=False)[0]["Statement"] == []


def test_a_statement_is_cut_out_of_its_document() -> None:
    listed = '{"Version": "2012-10-17",\n "Statement": [{"Sid": "a", "Effect": "Allow"},\n  {"Sid": "b"} ]}'
    for document in (listed, '{"Statement": {"Sid": "a"}}'):
        for text, sid in zip(statement_texts(document), "ab", strict=False):
            start = {"Line": text.start.line, "Column": text.start.column}
            assert statement_of(document, start, {"Line": text.end.line, "Column": text.end.column})["Sid"] == sid
