"""Who gets a message."""

import threading
from typing import Any

import orjson
import pytest

from cloudlet.services.sns import filtering
from cloudlet.services.sns.choosing import MUCH, Chooser, work
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.subscription import Subscription

TOPIC = TopicKey("000000000000", "us-east-1", "t")


def subscription(policy: Any = None, scope: str = "MessageBody") -> Subscription:
    attributes = {"FilterPolicy": orjson.dumps(policy).decode(), "FilterPolicyScope": scope} if policy else {}
    return Subscription(SubscriptionKey(TOPIC, "1"), "0", "sqs", "q", attributes, "", True, True, False, 0)


def message(body: Any, **attributes: str) -> Message:
    shown = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    return Message("m", TOPIC, "i", orjson.dumps(body).decode(), 0, attributes=shown)


def test_work_is_values_times_tests() -> None:
    policy = {"a": [{"prefix": "x"}, {"suffix": "y"}]}
    assert work([subscription()], message([1] * 100)) == 0
    assert work([subscription(policy)], message([1] * 100)) == 300
    assert work([subscription(policy, "MessageAttributes")] * 2, message([1] * 100, a="1", b="2")) == 12


@pytest.mark.parametrize(("count", "is_much"), [(10, False), (MUCH, True)])
async def test_much_work_is_done_in_a_thread(monkeypatch: pytest.MonkeyPatch, count: int, is_much: bool) -> None:
    threads = []

    def chosen(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return real(*given)

    real = filtering.chosen
    monkeypatch.setattr(filtering, "chosen", chosen)
    chooser, wanting = Chooser(), subscription({"a": [1]})
    try:
        found, rejections = await chooser.chosen([wanting, subscription({"a": [2]})], message({"a": [1] * count}))
    finally:
        chooser.close()
    assert (found, rejections) == ([wanting], [filtering.Rejection.BODY])
    assert (threads[0] is not threading.current_thread()) is is_much
