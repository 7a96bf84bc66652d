"""What is sent to the web: how fast."""

import pytest

from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.sending import NotNow
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.web import Web
from tests.support.clock import ManualClock

KEY = SubscriptionKey(TopicKey("000000000000", "us-east-1", "t"), "1")
ENDPOINT = Subscription(KEY, "000000000000", "http", "http://x", {}, "", True, True, False, 0)


def test_a_throttle_policy_paces_messages() -> None:
    clock = ManualClock()
    web = Web(clock)
    web._pace(ENDPOINT, 2)
    with pytest.raises(NotNow) as raised:
        web._pace(ENDPOINT, 2)
    assert raised.value.after_s == pytest.approx(0.5)
    clock.advance(0.5)
    web._pace(ENDPOINT, 2)
    web._pace(ENDPOINT, None)
