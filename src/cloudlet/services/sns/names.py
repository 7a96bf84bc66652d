"""How topics and subscriptions are called. https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"""

import re
from typing import Final, NamedTuple

from cloudlet.arn import PARTITION, Arn
from cloudlet.services.sns.errors import invalid

FIFO_SUFFIX = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
_ANY_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo|[A-Za-z0-9_-]{1,256}")
_BEGINNING: Final = ["arn", PARTITION, "sns"]
"""What else it names is nothing of ours, though permissions may have been asked for it by another name."""
_SUBSCRIPTION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TopicKey(NamedTuple):
    """What names a topic, in the order of the tables' keys."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The topic's ARN."""
        return f"arn:aws:sns:{self.region}:{self.account}:{self.name}"

    @property
    def is_fifo(self) -> bool:
        """True for the name of a FIFO topic."""
        return self.name.endswith(FIFO_SUFFIX)


class SubscriptionKey(NamedTuple):
    """What names a subscription."""

    topic: TopicKey
    id: str

    @property
    def arn(self) -> str:
        """The subscription's ARN."""
        return f"{self.topic.arn}:{self.id}"


def check_name(name: str, *, is_fifo: bool) -> None:
    """Raises InvalidParameter for a name that no topic of this kind can have."""
    if is_fifo and not name.endswith(FIFO_SUFFIX):
        raise invalid("Topic Name Reason: FIFO Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")  # fmt: skip # noqa: E501
    if not (_FIFO_NAME if is_fifo else _NAME).fullmatch(name):
        raise invalid("Topic Name")


def topic_key(text: str, parameter: str = "TopicArn") -> TopicKey:
    """The topic that an ARN names. Raises InvalidParameter."""
    parts = text.split(":")
    if len(parts) < 6 or parts[:3] != _BEGINNING:
        raise invalid(f"{parameter} Reason: An ARN must have at least 6 elements, not {len(parts)}" if len(parts) < 6 else parameter)  # fmt: skip # noqa: E501
    key = TopicKey(parts[4], parts[3], parts[5])
    if len(parts) != 6 or not _ANY_NAME.fullmatch(key.name) or not re.fullmatch(r"\d{12}", key.account):
        raise invalid(parameter)
    return key


def subscription_key(text: str) -> SubscriptionKey:
    """The subscription that an ARN names. Raises InvalidParameter."""
    parts = text.split(":")
    if len(parts) < 6:
        raise invalid(f"SubscriptionArn Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if len(parts) != 7 or parts[:3] != _BEGINNING or not _SUBSCRIPTION_ID.fullmatch(parts[6]):
        raise invalid("SubscriptionArn")
    return SubscriptionKey(topic_key(text.rpartition(":")[0], "SubscriptionArn"), parts[6])


def parse(text: str) -> Arn | None:
    """An ARN's parts; None for what is none, or is one of another partition."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    return arn if arn.partition == PARTITION else None
