"""A message in a queue, as it is kept."""

import hashlib
from typing import Any, NamedTuple

import orjson

from cloudlet.services.sqs import message_attributes, sequence
from cloudlet.services.sqs.errors import InvalidMessageContents, invalid, missing

NEVER = 0
"""The time of what has not happened."""


class Message(NamedTuple):
    """One row of sqs_messages. A tuple: there are millions, and they go from and to SQL."""

    sequence: int
    visible_ms: int
    """When it can be received: the end of its delay, or of its visibility timeout."""
    receives: int
    """In all queues that it has been in."""
    first_ms: int
    """When it was received first; NEVER until then."""
    received_ms: int
    """When it was received last in this queue; NEVER until then."""
    group: str
    id: str
    sender: str
    body: str
    details: str
    """What few messages have, as JSON; empty for none of it: `attributes`, `trace`, `deduplication`, `source` (the
    ARN of the queue that it was moved from), `received_before` (the receives before this queue)."""

    def detail(self, name: str) -> Any:
        """One of the details; None when it has not this one."""
        return orjson.loads(self.details).get(name) if self.details else None

    @property
    def receives_here(self) -> int:
        """How often it was received in this queue: what a redrive policy counts."""
        return self.receives - int(self.detail("received_before") or 0)

    def is_in_flight(self, now_ms: int) -> bool:
        """True when a consumer has it."""
        return self.received_ms != NEVER and self.visible_ms > now_ms


def details(**values: Any) -> str:
    """The details that are not empty."""
    kept = {name: value for name, value in values.items() if value}
    return orjson.dumps(kept).decode() if kept else ""


def with_details(message: Message, **values: Any) -> Message:
    """`message` with further details."""
    before = orjson.loads(message.details) if message.details else {}
    return message._replace(details=details(**(before | values)))


def md5(body: str) -> str:
    """The digest by which clients check that a body arrived as it was sent."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def check_body(body: str | None) -> None:
    """Raises MissingParameter or InvalidMessageContents."""
    if not body:
        raise missing("MessageBody")
    if message_attributes.has_invalid_character(body):
        raise InvalidMessageContents(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD"
            " | #x10000 to #x10FFFF"
        )


def check_identifier(value: str, parameter: str) -> None:
    """Raises InvalidParameterValue for a group or deduplication id that is none."""
    if not (1 <= len(value) <= 128 and value.isascii() and value.isprintable() and " " not in value):
        raise invalid(
            value,
            parameter,
            f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )


def system_attributes(message: Message, *, is_fifo: bool) -> dict[str, str]:
    """All that the queue itself says of a message."""
    found = orjson.loads(message.details) if message.details else {}
    values = {
        "SenderId": message.sender,
        "SentTimestamp": str(sequence.moment_ms(message.sequence)),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(message.first_ms),
    }
    if is_fifo:
        values["SequenceNumber"] = sequence.shown(message.sequence)
    optional = {
        "MessageDeduplicationId": found.get("deduplication"),
        "MessageGroupId": message.group,
        "AWSTraceHeader": found.get("trace"),
        "DeadLetterQueueSourceArn": found.get("source"),
    }
    return values | {name: value for name, value in optional.items() if value}
