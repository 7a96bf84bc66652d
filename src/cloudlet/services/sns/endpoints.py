"""Endpoints: what each protocol takes, and who has to confirm.

https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from cloudlet.config import Config
from cloudlet.errors import OperationNotImplemented
from cloudlet.services.sns.errors import InvalidParameter, invalid
from cloudlet.services.sns.names import TopicKey, parse

MAX_ENDPOINT: Final = 2048
CONTROL: Final = "_cloudlet"
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{4,30}")
_EMAIL = re.compile(r"[^@\s,<>\"()\[\]:;\\]{1,64}@[^@\s,<>\"()\[\]:;\\]{1,255}")
"""Without what means something else in a mail's head: https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3"""
_PASSWORD = re.compile(r"^([a-zA-Z]+://[^/?#@:]*:)[^/?#]*(@)")
_QUEUE = re.compile(r"[a-z0-9-]+:\d{12}:(?:[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)")
_FUNCTION = re.compile(r"function:[A-Za-z0-9_-]{1,64}(?::[A-Za-z0-9$_-]{1,128})?")


def check(protocol: str, endpoint: str, topic: TopicKey, config: Config) -> None:
    """Raises InvalidParameter for an endpoint that the protocol does not have; NotImplemented for protocols that
    Cloudlet does not speak."""
    checker = _CHECKS.get(protocol)
    if checker is None:
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if not endpoint or len(endpoint) > MAX_ENDPOINT:
        raise invalid("Endpoint")
    checker(endpoint, topic)
    if protocol in _UNSPOKEN:
        raise OperationNotImplemented(f"Subscriptions with the protocol {protocol} are not implemented by Cloudlet.")
    if protocol.startswith("email") and not config.smtp:
        raise OperationNotImplemented("Subscriptions by e-mail need an SMTP server; the setting smtp names none.")


def is_confirmed(protocol: str, endpoint: str, caller: str) -> bool:
    """True when nobody has to confirm: the endpoint is of the account that asks."""
    if protocol not in ("sqs", "lambda"):
        return False
    arn = parse(endpoint)
    return arn is not None and arn.account == caller


def _queue(endpoint: str, topic: TopicKey) -> None:
    arn = parse(endpoint)
    if arn is None or arn.service != "sqs" or not _QUEUE.fullmatch(f"{arn.region}:{arn.account}:{arn.resource}"):
        raise invalid("SQS endpoint ARN")
    if arn.resource.endswith(".fifo") and not topic.is_fifo:
        raise invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")  # fmt: skip # noqa: E501


def _function(endpoint: str, topic: TopicKey) -> None:
    arn = parse(endpoint)
    if arn is None or arn.service != "lambda" or not _FUNCTION.fullmatch(arn.resource) or not arn.region:
        raise invalid("Lambda endpoint ARN")
    _no_fifo(topic)


def _web(scheme: str) -> Callable[[str, TopicKey], None]:
    def check_url(endpoint: str, topic: TopicKey) -> None:
        if not endpoint.lower().startswith(f"{scheme}://") or not endpoint.partition("://")[2]:
            raise invalid("Endpoint must match the specified protocol")
        if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint or is_control(endpoint):
            raise invalid("Endpoint")
        _no_fifo(topic)

    return check_url


def is_control(url: str) -> bool:
    """True for a URL of a node's control interface, however it is written.

    A node is open to its own machine in dev mode. A message is sent from there, with a body and a content type that its
    subscriber chooses, and functions subscribe too, which may not control the node.
    """
    from yarl import URL

    try:
        path = URL(url).path  # as it would be sent
    except ValueError:
        return False  # and so would not be
    return path.lstrip("/").split("/", 1)[0] == CONTROL


def shown(protocol: str, endpoint: str) -> str:
    """An endpoint in lists: without its password, which GetSubscriptionAttributes tells.

    https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
    """
    return _PASSWORD.sub(r"\1****\2", endpoint, count=1) if protocol in ("http", "https") else endpoint


def _email(endpoint: str, topic: TopicKey) -> None:
    if not _EMAIL.fullmatch(endpoint) or not endpoint.isprintable():
        raise invalid("Email address")
    _no_fifo(topic)


def _phone(endpoint: str, _topic: TopicKey) -> None:
    if not _PHONE.fullmatch(endpoint):
        raise InvalidParameter(f"Invalid SMS endpoint: {endpoint}")


def _stream(endpoint: str, _topic: TopicKey) -> None:
    arn = parse(endpoint)
    if arn is None or arn.service != "firehose":
        raise invalid("Firehose endpoint ARN")


def _application(endpoint: str, _topic: TopicKey) -> None:
    arn = parse(endpoint)
    if arn is None or arn.service != "sns":
        raise invalid("Application endpoint arn invalid")


def _no_fifo(topic: TopicKey) -> None:
    if topic.is_fifo:
        raise invalid("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")


_CHECKS: Final[Mapping[str, Callable[[str, TopicKey], None]]] = {
    "sqs": _queue,
    "lambda": _function,
    "http": _web("http"),
    "https": _web("https"),
    "email": _email,
    "email-json": _email,
    "sms": _phone,
    "firehose": _stream,
    "application": _application,
}
_UNSPOKEN: Final = ("sms", "firehose", "application")
