"""Whether another account has a queue of some name is nobody's business who may not ask for its URL."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_permissions import Role, allow
from tests.integration.test_sqs import arn_of, make
from tests.support.nodes import MakeClient, fresh_account
from tests.support.raw_calls import call_json, call_query, dev_signature

TEXT = "The specified queue does not exist or you do not have access to it."


def asked(sqs: Any, owner: str, name: str = "q") -> tuple[str, str, int]:
    """Code, text and status of the error with which a queue's URL is refused."""
    with pytest.raises(ClientError) as raised:
        sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=owner)
    error, status = raised.value.response["Error"], raised.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return error["Code"], error["Message"], status


HIDDEN = ("AWS.SimpleQueueService.NonExistentQueue", TEXT, 400)


def test_anothers_queue_looks_like_none(client: MakeClient, account: str) -> None:
    ours, theirs = client("sqs"), client("sqs", account=fresh_account())
    make(ours)
    assert asked(theirs, account) == asked(theirs, account, "none") == HIDDEN
    with pytest.raises(theirs.exceptions.QueueDoesNotExist):
        theirs.get_queue_url(QueueName="q", QueueOwnerAWSAccountId=account)


def test_the_answer_is_the_same_over_the_wire(client: MakeClient, endpoint: str, account: str) -> None:
    make(client("sqs"))
    signed = dev_signature(fresh_account(), "sqs")
    params = {"QueueName": "q", "QueueOwnerAWSAccountId": account}
    answer = call_json(endpoint, "AmazonSQS.GetQueueUrl", params, signed)
    assert answer.json == {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": TEXT}
    form = call_query(endpoint, "sqs", "GetQueueUrl", params, signed)
    code = "<Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>"
    assert (form.status, f"{code}<Message>{TEXT}</Message>" in form.body) == (400, True)


def test_who_is_allowed_finds_it_until_it_is_denied(client: MakeClient, account: str) -> None:
    friend = fresh_account()
    ours, theirs = client("sqs"), client("sqs", account=friend)
    url = make(ours)
    ours.add_permission(QueueUrl=url, Label="l", AWSAccountIds=[friend], Actions=["GetQueueUrl"])
    assert theirs.get_queue_url(QueueName="q", QueueOwnerAWSAccountId=account)["QueueUrl"] == url
    denied = {
        "Effect": "Deny",
        "Principal": {"AWS": friend},
        "Action": "sqs:GetQueueUrl",
        "Resource": arn_of(ours, url),
    }
    policy = {"Version": "2012-10-17", "Statement": [denied]}
    ours.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    assert asked(theirs, account) == HIDDEN


def test_a_role_needs_its_own_permission_too(client: MakeClient, account: str) -> None:
    friend = fresh_account()
    ours = client("sqs", account=friend)
    url = make(ours)
    ours.add_permission(QueueUrl=url, Label="l", AWSAccountIds=[account], Actions=["GetQueueUrl"])
    role = Role(client, account)
    theirs = role.client("sqs")
    assert asked(theirs, friend) == asked(theirs, friend, "none") == HIDDEN
    role.grant(allow("sqs:GetQueueUrl"))
    assert theirs.get_queue_url(QueueName="q", QueueOwnerAWSAccountId=friend)["QueueUrl"] == url


def test_in_its_own_account_a_role_is_told_what_it_lacks(client: MakeClient, account: str) -> None:
    make(client("sqs"))
    theirs = Role(client, account).client("sqs")
    for name in ("q", "none"):
        code, text, status = asked(theirs, account, name)
        assert (code, "is not authorized to perform" in text, status) == ("AccessDenied", True, 403)


def test_in_its_own_account_a_queue_that_is_not_there_is_not_there(client: MakeClient, account: str) -> None:
    code, text, _ = asked(client("sqs"), account, "none")
    assert (code, text) == ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
