"""From a topic to its subscribers: each for itself."""

from typing import Any, cast

import pytest

from cloudlet.delivery.delivery import Done
from cloudlet.services.sns.choosing import Chooser
from cloudlet.services.sns.deliveries import DELIVERY, Deliveries
from cloudlet.services.sns.directory import Known
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.sending import NotSent
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.topic_metrics import TopicMetrics
from tests.support.clock import ManualClock

TOPIC = TopicKey("000000000000", "us-east-1", "t")


def subscription(name: str) -> Subscription:
    return Subscription(SubscriptionKey(TOPIC, name), "0", "sqs", name, {}, "", True, True, False, 0)


class World:
    """What deliveries need, as much of it as a fan-out uses."""

    def __init__(self, *names: str) -> None:
        self.known = Known(Topic(TOPIC, "i", {}, {}, "", 0), [subscription(name) for name in names])
        self.sent: list[str] = []
        self.enqueued: list[tuple[str, str]] = []

    def register(self, *_given: Any, **_more: Any) -> None:
        pass

    def enqueue(self, _tx: Any, kind: str, *_given: Any, target: str, **_more: Any) -> None:
        self.enqueued.append((kind, target))

    async def find(self, _key: TopicKey) -> Known:
        return self.known

    async def envelopes(self, *_given: Any) -> None:
        return None

    async def send(self, _topic: Topic, to: Subscription, *_given: Any) -> None:
        self.sent.append(to.endpoint)
        if to.endpoint == "refuses":
            raise NotSent("no")
        if to.endpoint == "breaks":
            raise RuntimeError("a fault of this program")


@pytest.mark.parametrize("bad", ["refuses", "breaks"])
async def test_one_that_fails_is_tried_again_alone(bad: str) -> None:
    world = World("a", bad, "b")
    parts = cast("Any", world)
    deliveries = Deliveries(parts, parts, parts, Chooser(), TopicMetrics(parts, ManualClock()))
    outcome = await deliveries.fan_out(Message("m", TOPIC, "i", "text", 0))
    assert isinstance(outcome, Done)
    assert outcome.also is not None
    outcome.also(parts)
    assert world.sent == ["a", bad, "b"]
    assert world.enqueued == [(DELIVERY, subscription(bad).arn)]
