"""What topics and subscriptions may have as attributes."""

import pytest

from cloudlet.services.sns import subscription_attributes, topic_attributes
from cloudlet.services.sns.errors import InvalidParameter
from cloudlet.services.sns.names import TopicKey

TOPIC = TopicKey("111111111111", "us-east-1", "t")


@pytest.mark.parametrize(
    "value", [r'{"deadLetterTargetArn":"\ud800"}', '{"a":1e999}', "[]", "{", '{"a":' + "9" * 5000 + "}"]
)
def test_what_is_json_and_no_redrive_policy_is_refused(value: str) -> None:
    with pytest.raises(InvalidParameter):
        subscription_attributes.changed(
            {}, {"RedrivePolicy": value}, topic=TOPIC, protocol="lambda", endpoint="f", creating=False
        )


@pytest.mark.parametrize("days", ['"1_0"', '"٣"', '" 3"', "true", "1.5", "0", "366", '"' + "1" * 5000 + '"', "[1]"])
def test_what_is_no_number_of_days_is_refused(days: str) -> None:
    with pytest.raises(InvalidParameter):
        topic_attributes.changed(
            {}, {"ArchivePolicy": f'{{"MessageRetentionPeriod":{days}}}'}, is_fifo=True, creating=False
        )


@pytest.mark.parametrize("days", ['"30"', "30"])
def test_days_are_kept_as_text(days: str) -> None:
    given = {"ArchivePolicy": f'{{"MessageRetentionPeriod":{days}}}'}
    kept = topic_attributes.changed({}, given, is_fifo=True, creating=False)
    assert kept == {"ArchivePolicy": '{"MessageRetentionPeriod":"30"}'}
