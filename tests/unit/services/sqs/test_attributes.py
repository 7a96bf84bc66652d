"""Attributes of queues."""

import json

import pytest

from cloudlet.services.sqs.attributes import changed, check_names
from cloudlet.services.sqs.errors import InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue

DEAD = "arn:aws:sqs:us-east-1:111111111111:dead"


def test_leading_zeros_are_no_part_of_a_number() -> None:
    assert changed({}, {"DelaySeconds": "007"}, is_fifo=False) == {"DelaySeconds": "7"}


@pytest.mark.parametrize(
    "value", ["0" * 12 + "999999", "0" * 5000, "9" * 5000, "-1", "+1", "1.0", " 1", "", "²", "٣", "901"]
)
def test_what_is_no_number_of_seconds(value: str) -> None:
    with pytest.raises(InvalidAttributeValue, match=r"Invalid value for the parameter DelaySeconds\."):
        changed({}, {"DelaySeconds": value}, is_fifo=False)


@pytest.mark.parametrize("count", ["²", "9" * 5000, "", "0", "1001", 0, 1001, -1, 5.0, True, None, []])
def test_what_is_no_count_of_receives(count: object) -> None:
    policy = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": count})
    with pytest.raises(InvalidParameterValue, match="Invalid value for maxReceiveCount"):
        changed({}, {"RedrivePolicy": policy}, is_fifo=False)


@pytest.mark.parametrize("count", ["5", 5])
def test_a_count_may_be_a_text(count: object) -> None:
    policy = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": count})
    kept = changed({}, {"RedrivePolicy": policy}, is_fifo=False)["RedrivePolicy"]
    assert json.loads(kept) == {"deadLetterTargetArn": DEAD, "maxReceiveCount": 5}


@pytest.mark.parametrize("arn", [5, None, "dead", "arn:aws:sns:us-east-1:111111111111:dead"])
def test_what_is_no_dead_letter_queue(arn: object) -> None:
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    with pytest.raises(InvalidParameterValue, match=r"Invalid value for deadLetterTargetArn\."):
        changed({}, {"RedrivePolicy": policy}, is_fifo=False)


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"redrivePermission": "some"},
        {"redrivePermission": "byQueue"},
        {"redrivePermission": "byQueue", "sourceQueueArns": [5]},
        {"redrivePermission": "byQueue", "sourceQueueArns": ["q"]},
        {"redrivePermission": "byQueue", "sourceQueueArns": [DEAD] * 11},
        {"redrivePermission": "allowAll", "sourceQueueArns": [DEAD]},
        {"redrivePermission": "allowAll", "other": 1},
    ],
)
def test_what_is_no_redrive_allow_policy(policy: object) -> None:
    with pytest.raises(InvalidParameterValue, match="for parameter RedriveAllowPolicy is invalid"):
        changed({}, {"RedriveAllowPolicy": json.dumps(policy)}, is_fifo=False)


@pytest.mark.parametrize("name", ["FifoQueue", "ContentBasedDeduplication"])
def test_a_standard_queue_does_not_know_what_is_for_fifo_queues(name: str) -> None:
    check_names([name], is_fifo=True)
    with pytest.raises(InvalidAttributeName, match=f"Unknown Attribute {name}"):
        check_names([name], is_fifo=False)
