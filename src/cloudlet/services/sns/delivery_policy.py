"""Delivery policies: what may be one, and which one is in effect.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html#creating-delivery-policy
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloudlet.services.sns.errors import invalid
from cloudlet.services.sns.retries import DEFAULT_HEALTHY

DEFAULT_CONTENT_TYPE: Final = "text/plain; charset=UTF-8"
MAX_TOTAL_S: Final = 3600
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "minDelayTarget": (1, 3600),
    "maxDelayTarget": (1, 3600),
    "numRetries": (0, 100),
    "numNoDelayRetries": (0, 100),
    "numMinDelayRetries": (0, 100),
    "numMaxDelayRetries": (0, 100),
}
_HTTP: Final = (
    "defaultHealthyRetryPolicy",
    "disableSubscriptionOverrides",
    "defaultThrottlePolicy",
    "defaultRequestPolicy",
)
_FUNCTIONS: Final = ("arithmetic", "exponential", "geometric", "linear")
CONTENT_TYPES: Final = (
    "application/json",
    "application/octet-stream",
    "application/soap+xml",
    "application/wsdl+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/plain",
    "text/xml",
)


def check_topic(text: str, parameter: str) -> dict[str, Any]:
    """The policy of a topic. Raises InvalidParameter."""
    policy = _object(text, parameter)
    _known(policy, ("http", "sqs", "lambda", "firehose", "application", "sms"), "", parameter)
    http = policy.get("http")
    if http is None:
        return policy
    if not isinstance(http, dict):
        raise invalid(f"{parameter}: Unexpected JSON member: http")
    known = (
        "defaultHealthyRetryPolicy",
        "disableSubscriptionOverrides",
        "defaultThrottlePolicy",
        "defaultRequestPolicy",
    )
    _known(http, known, "http", parameter)
    if http.get("defaultHealthyRetryPolicy") is not None:
        _check_healthy(http["defaultHealthyRetryPolicy"], "http.defaultHealthyRetryPolicy", parameter)
    _check_throttle(http.get("defaultThrottlePolicy"), "http.defaultThrottlePolicy", parameter)
    _check_request(http.get("defaultRequestPolicy"), "http.defaultRequestPolicy", parameter)
    return policy


def check_subscription(text: str, parameter: str) -> dict[str, Any]:
    """The policy of a subscription. Raises InvalidParameter."""
    policy = _object(text, parameter)
    known = ("healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed")
    _known(policy, known, "", parameter)
    if policy.get("healthyRetryPolicy") is not None:
        _check_healthy(policy["healthyRetryPolicy"], "healthyRetryPolicy", parameter)
    _check_throttle(policy.get("throttlePolicy"), "throttlePolicy", parameter)
    _check_request(policy.get("requestPolicy"), "requestPolicy", parameter)
    return policy


def effective_topic(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A topic's policy with all that it leaves out."""
    http = policy.get("http") or {}
    effective = {
        "defaultHealthyRetryPolicy": {**DEFAULT_HEALTHY, **(http.get("defaultHealthyRetryPolicy") or {})},
        "disableSubscriptionOverrides": bool(http.get("disableSubscriptionOverrides", False)),
        "defaultRequestPolicy": {
            "headerContentType": DEFAULT_CONTENT_TYPE,
            **(http.get("defaultRequestPolicy") or {}),
        },
    }
    if http.get("defaultThrottlePolicy"):
        effective["defaultThrottlePolicy"] = http["defaultThrottlePolicy"]
    return {"http": effective}


def effective_subscription(topic: Mapping[str, Any], subscription: Mapping[str, Any]) -> dict[str, Any]:
    """What is in effect for an HTTP endpoint: its own policy, where the topic's allows one, else the topic's."""
    http = effective_topic(topic)["http"]
    own = {} if http["disableSubscriptionOverrides"] else subscription
    effective: dict[str, Any] = {
        "guaranteed": False,
        "healthyRetryPolicy": {**DEFAULT_HEALTHY, **own["healthyRetryPolicy"]}
        if own.get("healthyRetryPolicy")
        else http["defaultHealthyRetryPolicy"],
        "sicklyRetryPolicy": None,
        "throttlePolicy": own.get("throttlePolicy") or http.get("defaultThrottlePolicy"),
        "requestPolicy": {**http["defaultRequestPolicy"], **(own.get("requestPolicy") or {})},
    }
    return effective


def _object(text: str, parameter: str) -> dict[str, Any]:
    try:
        policy = orjson.loads(text)
    except orjson.JSONDecodeError:
        policy = None
    if not isinstance(policy, dict):
        raise invalid(f"{parameter}: failed to parse JSON.")
    return policy


def _known(policy: Mapping[str, Any], names: tuple[str, ...], path: str, parameter: str) -> None:
    for name in policy:
        if name not in names:
            raise invalid(f"{parameter}: Unexpected JSON member: {f'{path}.' if path else ''}{name}")


def _check_healthy(policy: Any, path: str, parameter: str) -> None:
    if not isinstance(policy, dict):
        raise invalid(f"{parameter}: {path} must be an object")
    _known(policy, (*_RANGES, "backoffFunction"), path, parameter)
    for name, (low, high) in _RANGES.items():
        value = policy.get(name, DEFAULT_HEALTHY[name])
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise invalid(f"{parameter}: {path}.{name} must be between {low} and {high}")
    whole = {**DEFAULT_HEALTHY, **policy}
    if whole["backoffFunction"] not in _FUNCTIONS:
        raise invalid(f"{parameter}: {path}.backoffFunction must be one of {', '.join(_FUNCTIONS)}")
    if whole["maxDelayTarget"] < whole["minDelayTarget"]:
        raise invalid(f"{parameter}: {path}.maxDelayTarget must be greater than or equal to minDelayTarget")
    named = whole["numNoDelayRetries"] + whole["numMinDelayRetries"] + whole["numMaxDelayRetries"]
    if whole["numRetries"] < named:
        raise invalid(f"{parameter}: {path}.numRetries must be greater than or equal to total of numMinDelayRetries, numNoDelayRetries and numMaxDelayRetries")  # fmt: skip # noqa: E501
    if whole["numRetries"] * whole["minDelayTarget"] > MAX_TOTAL_S:
        raise invalid(f"{parameter}: {path}: the total time of all retries must not exceed {MAX_TOTAL_S} seconds")


def _check_throttle(policy: Any, path: str, parameter: str) -> None:
    if policy is None:
        return
    if not isinstance(policy, dict):
        raise invalid(f"{parameter}: {path} must be an object")
    _known(policy, ("maxReceivesPerSecond",), path, parameter)
    value = policy.get("maxReceivesPerSecond")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise invalid(f"{parameter}: {path}.maxReceivesPerSecond must be greater than or equal to 1")


def _check_request(policy: Any, path: str, parameter: str) -> None:
    if policy is None:
        return
    if not isinstance(policy, dict):
        raise invalid(f"{parameter}: {path} must be an object")
    _known(policy, ("headerContentType",), path, parameter)
    value = policy.get("headerContentType")
    if value is not None and (
        not isinstance(value, str) or value.partition(";")[0].strip() not in CONTENT_TYPES or not value.isprintable()
    ):
        raise invalid(f"{parameter}: {path}.headerContentType is not a supported content type")
