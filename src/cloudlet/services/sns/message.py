"""A message on its way: what was published, as it is kept until everybody has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.services.sns.names import TopicKey

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic."""

    id: str
    topic: TopicKey
    topic_id: str
    text: str
    """The message, or what is for protocols that `texts` does not name."""
    published_ms: int
    texts: Mapping[str, str] = field(default_factory=dict)
    """By protocol, of a message with the structure `json`."""
    subject: str = ""
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """As envelopes show them: `Type` and `Value`, which is base64 of binary data."""
    group: str = ""
    deduplication: str = ""
    sequence: int = 0
    """In a FIFO topic, from 1."""
    endpoint: str = ""
    """`http://host:port` as its publisher knows the node, for URLs in it."""
    trace_id: str = ""
    kind: str = "Notification"
    """`SubscriptionConfirmation` and `UnsubscribeConfirmation` are for one endpoint."""
    token: str = ""
    """Of a confirmation."""
    replayed: bool = False

    def text_for(self, protocol: str) -> str:
        """What subscribers of a protocol get."""
        return self.texts.get(protocol, self.text)

    @property
    def timestamp(self) -> str:
        """When it was published, as AWS writes it."""
        return timestamp(self.published_ms)

    def encode(self) -> bytes:
        """For the store."""
        kept = {name: value for name in _FIELDS if (value := getattr(self, name))}
        return orjson.dumps(kept | {"topic": list(self.topic)})

    @classmethod
    def decode(cls, encoded: bytes) -> "Message":
        """What `encode` made it from."""
        values: dict[str, Any] = orjson.loads(encoded)
        return cls(**{"text": "", **values, "topic": TopicKey(*values["topic"])})


_FIELDS = tuple(each.name for each in fields(Message) if each.name != "topic")


def timestamp(moment_ms: int) -> str:
    """A moment as AWS writes it: `2012-05-02T00:54:06.655Z`."""
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment_ms % 1000:03d}Z"


def shown_sequence(sequence: int) -> str:
    """The `SequenceNumber` that clients see: 20 digits, so that texts sort like numbers."""
    return f"1{sequence:019d}"
