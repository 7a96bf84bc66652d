"""The metrics of topics, in AWS/SNS by `TopicName`: what is published, delivered, filtered out, and fails.

Metrics of SMS and of mobile push are not there, as those are not.

https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
"""

from collections.abc import Iterable
from typing import Final

from cloudlet.clock import Clock
from cloudlet.services.measurements import Measurement, Record
from cloudlet.services.measuring import Measuring
from cloudlet.services.sns.filtering import Rejection
from cloudlet.services.sns.names import TopicKey

NAMESPACE: Final = "AWS/SNS"
PUBLISHED: Final = "NumberOfMessagesPublished"
SIZE: Final = "PublishSize"
DELIVERED: Final = "NumberOfNotificationsDelivered"
FAILED: Final = "NumberOfNotificationsFailed"
FILTERED: Final = "NumberOfNotificationsFilteredOut"
REDRIVEN: Final = "NumberOfNotificationsRedrivenToDlq"
NOT_REDRIVEN: Final = "NumberOfNotificationsFailedToRedriveToDlq"


class TopicMetrics:
    """Counts what is done with topics."""

    def __init__(self, record: Record, clock: Clock) -> None:
        self._counts: dict[tuple[TopicKey, str], dict[float, float]] = {}
        """By topic and metric: each value, and how often it was measured."""
        self.measuring = Measuring("metrics of topics", record, clock, self._take)

    def add(self, topic: TopicKey, name: str, count: int = 1) -> None:
        """It has happened `count` times."""
        if count:
            self._add(topic, name, 1.0, count)

    def published(self, topic: TopicKey, size_bytes: int) -> None:
        """A message was accepted."""
        self._add(topic, PUBLISHED, 1.0)
        self._add(topic, SIZE, float(size_bytes))

    def filtered(self, topic: TopicKey, rejections: Iterable[Rejection]) -> None:
        """Subscriptions' filter policies did not want a message."""
        for rejection in rejections:
            self._add(topic, FILTERED, 1.0)
            for suffix in rejection.value:
                self._add(topic, f"{FILTERED}-{suffix}", 1.0)

    def reset(self) -> None:
        """Forget what was counted."""
        self._counts.clear()
        self.measuring.reset()

    def _add(self, topic: TopicKey, name: str, value: float, count: int = 1) -> None:
        if not self.measuring.is_dirty:
            self.measuring.mark()
        values = self._counts.setdefault((topic, name), {})
        values[value] = values.get(value, 0) + count

    async def _take(self, since_s: float) -> list[Measurement]:
        counts, self._counts = self._counts, {}
        return [
            Measurement(
                topic.account,
                topic.region,
                NAMESPACE,
                name,
                (("TopicName", topic.name),),
                "Bytes" if name == SIZE else "Count",
                since_s,
                values,
            )
            for (topic, name), values in counts.items()
        ]
