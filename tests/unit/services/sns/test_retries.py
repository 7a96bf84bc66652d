"""When a delivery is tried again."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.sns.delivery_policy import check_subscription, check_topic, effective_subscription
from cloudlet.services.sns.errors import InvalidParameter
from cloudlet.services.sns.retries import CUSTOMER, MANAGED, RetryPolicy, retry_policy


def delays(policy: RetryPolicy) -> list[float]:
    return [policy.delay_s(retry) for retry in range(1, policy.retries + 1)]


def test_queues_and_functions_are_tried_for_23_days() -> None:
    assert MANAGED.retries == 100_015
    first = [MANAGED.delay_s(retry) for retry in range(1, 17)]
    assert first[:5] == [0, 0, 0, 1, 1]
    assert (first[5], first[14], first[15]) == (1, 20, 20)


def test_mail_is_tried_for_six_hours() -> None:
    assert CUSTOMER.retries == 50
    assert 5.5 * 3600 < sum(delays(CUSTOMER)) < 7.5 * 3600


def test_the_web_is_tried_three_times() -> None:
    assert delays(retry_policy("https", {}, {})) == [20, 20, 20]


@given(
    st.sampled_from(["linear", "arithmetic", "geometric", "exponential"]),
    st.integers(1, 30),
    st.integers(0, 40),
    st.integers(1, 20),
)
def test_delays_only_grow_from_the_shortest_to_the_longest(function: str, low: int, more: int, steps: int) -> None:
    found = delays(RetryPolicy(1, 2, steps, 3, low, low + more, function))
    assert all(one <= other + 1e-9 for one, other in pairwise(found))
    assert found[:3] == [0, low, low]
    assert found[-3:] == [low + more] * 3
    assert found[-4] == pytest.approx(low + more)


def test_a_topic_may_keep_its_subscribers_from_having_their_own() -> None:
    own = {"healthyRetryPolicy": {"numRetries": 7}, "throttlePolicy": {"maxReceivesPerSecond": 5}}
    topic: dict[str, Any] = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}}
    assert retry_policy("http", topic, own).retries == 7
    assert effective_subscription(topic, own)["throttlePolicy"] == {"maxReceivesPerSecond": 5}
    topic["http"]["disableSubscriptionOverrides"] = True
    assert retry_policy("http", topic, own).retries == 1
    assert effective_subscription(topic, own)["throttlePolicy"] is None


@pytest.mark.parametrize(
    "policy",
    [
        "x",
        "[]",
        {"ftp": {}},
        {"http": 1},
        {"http": {"x": 1}},
        {"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}},
        {"http": {"defaultHealthyRetryPolicy": {"numRetries": True}}},
        {"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 0}}},
        {"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 30, "maxDelayTarget": 29}}},
        {"http": {"defaultHealthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 2}}},
        {"http": {"defaultHealthyRetryPolicy": {"backoffFunction": "none"}}},
        {"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 0}}},
        {"http": {"defaultRequestPolicy": {"headerContentType": "text/plain\r\nX: y"}}},
        {"http": {"defaultRequestPolicy": {"headerContentType": "image/png"}}},
    ],
)
def test_what_is_no_delivery_policy(policy: Any) -> None:
    with pytest.raises(InvalidParameter):
        check_topic(policy if isinstance(policy, str) else json.dumps(policy), "DeliveryPolicy")


def test_the_policy_of_a_subscription() -> None:
    check_subscription(json.dumps({"healthyRetryPolicy": {"numRetries": 3}}), "DeliveryPolicy")
    with pytest.raises(InvalidParameter, match="http"):
        check_subscription(json.dumps({"http": {}}), "DeliveryPolicy")
