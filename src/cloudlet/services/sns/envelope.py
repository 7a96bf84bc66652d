"""What subscribers get: the JSON around a message, the event of a function.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import json
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from cloudlet.compute.launcher.agent.network import PLATFORM_PORT
from cloudlet.iam.principals import RequestContext
from cloudlet.services.sns.message import Message, shown_sequence
from cloudlet.services.sns.signing import SigningKey

_SIGNED: Final = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
"""What is signed, in this order, where it is there."""
NOTIFICATION: Final = "Notification"
_INSIDE: Final = f"http://127.0.0.1:{PLATFORM_PORT}"


def readers_endpoint(context: RequestContext) -> str:
    """Where those who read a message find the node: as its publisher does; empty for a function, whose address of the
    node is one inside of its sandbox."""
    return "" if context.endpoint == _INSIDE else context.endpoint


class Envelopes:
    """The envelopes of one message. It is signed once, though subscribers differ in how they unsubscribe."""

    def __init__(self, message: Message, key: SigningKey | None, version: str, endpoint: str) -> None:
        """`key`: None for messages of FIFO topics, which are not signed. `endpoint`: for URLs, where the message's
        publisher told none."""
        self._message = message
        self._key = key
        self._version = version
        self._endpoint = message.endpoint or endpoint
        self._signatures: dict[str, str] = {}

    def fields(self, protocol: str, subscription_arn: str) -> dict[str, Any]:
        """The members in AWS's order."""
        message = self._message
        fields: dict[str, Any] = {"Type": message.kind, "MessageId": message.id}
        if message.kind != NOTIFICATION:
            fields["Token"] = message.token
        if message.sequence:
            fields["SequenceNumber"] = shown_sequence(message.sequence)
        fields["TopicArn"] = message.topic.arn
        if message.subject:
            fields["Subject"] = message.subject
        fields["Message"] = message.text_for(protocol)
        if message.kind != NOTIFICATION:
            fields["SubscribeURL"] = self.url("ConfirmSubscription", TopicArn=message.topic.arn, Token=message.token)
        fields["Timestamp"] = message.timestamp
        if self._key is not None:
            fields |= {
                "SignatureVersion": self._version,
                "Signature": self._signature(fields, self._key),
                "SigningCertURL": self._endpoint + self._key.path,
            }
        if message.kind == NOTIFICATION:
            fields["UnsubscribeURL"] = self.url("Unsubscribe", SubscriptionArn=subscription_arn)
        if message.replayed:
            fields["Replayed"] = "true"
        if message.attributes:
            fields["MessageAttributes"] = message.attributes
        return fields

    def text(self, protocol: str, subscription_arn: str) -> str:
        """The envelope as it is sent, laid out as AWS does."""
        fields = self.fields(protocol, subscription_arn)
        return json.dumps(fields, indent=2, separators=(",", " : "), ensure_ascii=False)

    def event(self, subscription_arn: str) -> bytes:
        """The event of a function. https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
        fields = self.fields("lambda", subscription_arn)
        renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
        content = {renamed.get(name, name): value for name, value in fields.items()}
        content["Subject"] = self._message.subject or None
        content.setdefault("MessageAttributes", {})
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "Sns": content,
        }
        return orjson.dumps({"Records": [record]})

    def url(self, action: str, **parameters: str) -> str:
        """Where a subscriber does something without credentials of its own."""
        return f"{self._endpoint}/?{urlencode({'Action': action, **parameters}, safe=':')}"

    def _signature(self, fields: dict[str, Any], key: SigningKey) -> str:
        text = fields["Message"]
        if text not in self._signatures:
            signed = [(name, fields[name]) for name in _SIGNED if name in fields]
            self._signatures[text] = key.sign(signed, self._version)
        return self._signatures[text]
