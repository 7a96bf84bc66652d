"""The data of actions is that of the reference, and says what operations mean."""

import pytest

from cloudlet.iam import make_access_data
from cloudlet.iam.access_data import service_access
from cloudlet.iam.requirements import action_of


def test_the_data_is_made_of_the_reference_that_is_pinned() -> None:
    made = make_access_data.text(make_access_data.make())
    assert make_access_data.OUTPUT.read_text() == made, "run scripts/make-access-data"


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("lambda", "CreateFunction", "lambda:CreateFunction"),
        ("sqs", "SendMessageBatch", "sqs:SendMessage"),
        ("stepfunctions", "StartExecution", "states:StartExecution"),
        ("iam", "GetRole", "iam:GetRole"),
    ],
)
def test_an_operation_means_an_action(service: str, operation: str, action: str) -> None:
    found = action_of(service, operation)
    assert found is not None
    assert found[0].name == action


def test_what_the_reference_does_not_have_means_nothing() -> None:
    assert action_of("lambda", "NoSuchOperation") is None
    assert action_of("nosuchservice", "GetRole") is None
    assert service_access("nosuchservice") is None
