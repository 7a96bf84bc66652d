"""When a delivery that failed is tried again: four phases, by who runs the endpoint, or by a delivery policy.

    at once | the shortest delay | from the shortest to the longest | the longest delay

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_MANAGED = frozenset(("sqs", "lambda", "firehose"))
_WEB = frozenset(("http", "https"))
DEFAULT_HEALTHY: Final[Mapping[str, Any]] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
"""The retry policy of HTTP endpoints where nothing else is said."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The phases. Delays in seconds."""

    at_once: int
    pre_backoff: int
    backoff: int
    post_backoff: int
    shortest_s: float
    longest_s: float
    function: str = "exponential"

    @property
    def retries(self) -> int:
        """How many there are."""
        return self.at_once + self.pre_backoff + self.backoff + self.post_backoff

    def delay_s(self, retry: int) -> float:
        """The wait before retry number `retry`, from 1."""
        if retry <= self.at_once:
            return 0.0
        if retry <= self.at_once + self.pre_backoff:
            return self.shortest_s
        step = retry - self.at_once - self.pre_backoff
        if step > self.backoff:
            return self.longest_s
        share = 1.0 if self.backoff == 1 else (step - 1) / (self.backoff - 1)
        return self.shortest_s + (self.longest_s - self.shortest_s) * self._part(share, step)

    def _part(self, share: float, step: int) -> float:
        """How much of the way from the shortest to the longest delay is gone after `share` of the steps."""
        if self.function == "arithmetic":
            return step * (step - 1) / (self.backoff * (self.backoff - 1)) if self.backoff > 1 else share
        if self.function == "geometric":
            return share**2
        if self.function == "exponential":
            return math.expm1(share * math.log(2) * 4) / math.expm1(math.log(2) * 4)
        return share


MANAGED: Final = RetryPolicy(3, 2, 10, 100_000, 1, 20)
"""Queues and functions: 100,015 retries over 23 days."""
CUSTOMER: Final = RetryPolicy(0, 2, 10, 38, 10, 600)
"""E-mail: 50 retries over 6 hours."""


def retry_policy(protocol: str, topic: Mapping[str, Any], subscription: Mapping[str, Any]) -> RetryPolicy:
    """The retry policy of a subscription, from the delivery policies of its topic and of its own."""
    if protocol in _MANAGED:
        return MANAGED
    if protocol not in _WEB:
        return CUSTOMER
    http = topic.get("http", {})
    healthy: Mapping[str, Any] = {**DEFAULT_HEALTHY, **(http.get("defaultHealthyRetryPolicy") or {})}
    if not http.get("disableSubscriptionOverrides") and subscription.get("healthyRetryPolicy"):
        healthy = {**DEFAULT_HEALTHY, **subscription["healthyRetryPolicy"]}
    named = healthy["numNoDelayRetries"], healthy["numMinDelayRetries"], healthy["numMaxDelayRetries"]
    return RetryPolicy(
        named[0],
        named[1],
        max(0, healthy["numRetries"] - sum(named)),
        named[2],
        healthy["minDelayTarget"],
        healthy["maxDelayTarget"],
        healthy["backoffFunction"],
    )
