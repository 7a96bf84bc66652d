"""Messages into topics: what may be published, and the transaction that accepts it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from cloudlet.clock import now_ms
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.sns import archive, message_attributes, topic_tables
from cloudlet.services.sns.choosing import Chooser, Chosen
from cloudlet.services.sns.deliveries import Deliveries
from cloudlet.services.sns.directory import Known
from cloudlet.services.sns.envelope import readers_endpoint
from cloudlet.services.sns.errors import invalid, no_topic
from cloudlet.services.sns.filtering import Rejection
from cloudlet.services.sns.message import DEFAULT, Message
from cloudlet.services.sns.ordering import Ordering
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Transaction

MAX_SUBJECT: Final = 100
DEDUPLICATION_MS: Final = 5 * 60 * 1000
"""https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html"""


class Published(NamedTuple):
    """What became of a message."""

    id: str
    sequence: int = 0
    rejections: Sequence[Rejection] = ()
    """Of subscriptions to a FIFO topic; those of others are found at the fan-out."""


class Publisher:
    """Makes messages and accepts them, durably."""

    def __init__(self, platform: Platform, deliveries: Deliveries, ordering: Ordering, chooser: Chooser) -> None:
        self._platform = platform
        self._chooser = chooser
        self._deliveries = deliveries
        self._ordering = ordering

    def message(self, context: RequestContext, topic: Topic, params: Mapping[str, Any]) -> Message:
        """The message of a request, or of an entry of a batch. Raises what is wrong with it."""
        text = params["Message"]
        if not text:
            raise invalid("Empty message")
        attributes = params.get("MessageAttributes") or {}
        message_attributes.check(attributes)
        if size_bytes(params) > topic.max_message_bytes:
            raise invalid("Message too long")
        subject = params.get("Subject")
        if subject is not None:
            _check_subject(subject)
        texts = _texts(text, params.get("MessageStructure"))
        group, deduplication = _fifo_parameters(topic, params)
        return Message(
            self._platform.ids.uuid(),
            topic.key,
            topic.id,
            texts.pop(DEFAULT) if texts else text,
            now_ms(self._platform.clock),
            texts,
            subject or "",
            message_attributes.shown(attributes),
            group,
            deduplication,
            # Who has not signed does not say where subscribers find the node either.
            endpoint="" if context.principal.kind == "anonymous" else readers_endpoint(context),
            trace_id=context.trace_id,
        )

    async def publish(self, known: Known, messages: Sequence[Message]) -> list[Published]:
        """Accept messages; when this returns they are on disk. Raises NotFound when the topic has just gone."""

        if known.topic.is_fifo:
            chosen = [await self._chooser.chosen(_going_on(known, message), message) for message in messages]
            return await self._platform.store.transact(
                lambda tx: [
                    self._publish_in_order(tx, known.topic, *each) for each in zip(messages, chosen, strict=True)
                ]
            )

        def put(tx: Transaction) -> list[Published]:
            for message in messages:
                self._deliveries.publish(tx, message)
            return [Published(message.id) for message in messages]

        return await self._platform.store.transact(put)

    def _publish_in_order(self, tx: Transaction, topic: Topic, message: Message, chosen: Chosen) -> Published:
        sequence = topic_tables.next_sequence(tx, topic.key)  # publishers come one by one from here
        if sequence is None:
            raise no_topic()
        scope = message.group if topic.deduplicates_by_group else ""
        found = topic_tables.duplicate(tx, topic.id, scope, message.deduplication, message.published_ms)
        if found is not None:
            return Published(*found)
        numbered = replace(message, sequence=sequence)
        wanting, rejections = chosen
        self._ordering.publish(tx, wanting, numbered)
        if topic.archive_days:
            archive.keep(tx, topic, numbered)
        expires_ms = message.published_ms + DEDUPLICATION_MS
        topic_tables.remember(tx, topic.id, scope, message.deduplication, message.id, sequence, expires_ms)
        topic_tables.forget_old(tx, message.published_ms)
        return Published(message.id, sequence, rejections)


def _going_on(known: Known, message: Message) -> list[Subscription]:
    """Subscriptions that still get messages: not those whose replay was to end.

    https://docs.aws.amazon.com/sns/latest/dg/message-archiving-and-replay-subscriber.html
    """
    return [each for each in known.subscriptions if each.ends_ms is None or message.published_ms <= each.ends_ms]


def size_bytes(params: Mapping[str, Any]) -> int:
    """What counts of a message: its text and its attributes."""
    attributes = params.get("MessageAttributes") or {}
    return len(params["Message"].encode()) + message_attributes.size_bytes(attributes)


def _check_subject(subject: str) -> None:
    if not 0 < len(subject) <= MAX_SUBJECT or any(ord(character) < 32 or character == "\x7f" for character in subject):
        raise invalid("Subject")


def _texts(text: str, structure: str | None) -> dict[str, str]:
    """A message for each protocol; nothing where it is one for all."""
    if not structure:
        return {}
    if structure != "json":
        raise invalid("MessageStructure")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise invalid("Message Structure - JSON message body failed to parse")
    texts = {name: value for name, value in found.items() if isinstance(value, str)}
    if DEFAULT not in texts:
        raise invalid("Message Structure - No default entry in JSON message body")
    return texts


def _fifo_parameters(topic: Topic, params: Mapping[str, Any]) -> tuple[str, str]:
    """The group and the deduplication id. Raises InvalidParameter."""
    group, deduplication = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    if group is not None:
        _check_identifier(group, "MessageGroupId")
    if not topic.is_fifo:
        if deduplication is not None:
            raise invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")  # fmt: skip # noqa: E501
        return group or "", ""
    if group is None:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    if deduplication is None:
        if not topic.has_content_deduplication:
            raise invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")  # fmt: skip # noqa: E501
        deduplication = sha256(params["Message"].encode()).hexdigest()
    else:
        _check_identifier(deduplication, "MessageDeduplicationId")
    return group, deduplication


def _check_identifier(value: str, parameter: str) -> None:
    if not (1 <= len(value) <= 128 and value.isascii() and value.isprintable() and " " not in value):
        raise invalid(
            f"{parameter} Reason: {parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length"  # noqa: E501
        )
