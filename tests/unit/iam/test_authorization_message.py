"""What an encoded authorization message says of a decision."""

import json

from cloudlet.iam.authorization_message import describe
from cloudlet.iam.compiled import compiled
from cloudlet.iam.evaluate import PolicySet, evaluate
from cloudlet.iam.principals import Principal
from cloudlet.iam.request import AccessRequest
from tests.support.iam_world import ACCOUNT, policy

ALICE = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/alice", "AIDAEXAMPLE")
REQUEST = AccessRequest(ALICE, "ec2:StopInstances", "arn:aws:ec2:::instance/i-1", {"ec2:tenancy": ("default",)})


def test_a_denial_names_who_what_and_the_statement_that_denied() -> None:
    document = policy({"Sid": "NoStopping", "Effect": "Deny", "Action": "ec2:*", "Resource": "*"})
    message = json.loads(describe(REQUEST, evaluate(REQUEST, PolicySet((compiled(document),)))))
    assert (message["allowed"], message["explicitDeny"]) == (False, True)
    [statement] = message["matchedStatements"]["items"]
    assert (statement["statementId"], statement["effect"]) == ("NoStopping", "DENY")
    context = message["context"]
    assert context["principal"] == {"id": "AIDAEXAMPLE", "name": "alice", "arn": ALICE.arn}
    assert (context["action"], context["resource"]) == (REQUEST.action, REQUEST.resource)
    assert context["conditions"]["items"] == [{"key": "ec2:tenancy", "values": {"items": [{"value": "default"}]}}]


def test_where_nothing_allows_no_statement_is_shown() -> None:
    message = json.loads(describe(REQUEST, evaluate(REQUEST, PolicySet())))
    assert (message["allowed"], message["explicitDeny"]) == (False, False)
    assert message["matchedStatements"] == {"items": []}
