"""A queue: its settings as messages meet them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import orjson

from cloudlet.services.sqs import attributes as names
from cloudlet.services.sqs.names import QueueKey, key_of_arn


class RedrivePolicy(NamedTuple):
    """Where messages go that were received too often."""

    target: QueueKey
    max_receive_count: int


@dataclass(frozen=True)
class Queue:
    """One row of sqs_queues. Without slots, for what is computed once."""

    key: QueueKey
    id: int
    """Random, for as long as the queue is: it is in every receipt handle."""
    bucket: int
    """Where its messages lie. A purge gives the queue another one, and sweeps the old one afterwards."""
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    created_ms: int
    modified_ms: int
    purged_ms: int

    @cached_property
    def is_fifo(self) -> bool:
        return self.attributes.get("FifoQueue") == "true"

    @cached_property
    def visibility_timeout_s(self) -> int:
        return self._number("VisibilityTimeout")

    @cached_property
    def delay_s(self) -> int:
        return self._number("DelaySeconds")

    @cached_property
    def retention_s(self) -> int:
        return self._number("MessageRetentionPeriod")

    @cached_property
    def max_message_bytes(self) -> int:
        return self._number("MaximumMessageSize")

    @cached_property
    def wait_s(self) -> int:
        return self._number("ReceiveMessageWaitTimeSeconds")

    @cached_property
    def has_content_deduplication(self) -> bool:
        return self.attributes.get("ContentBasedDeduplication") == "true"

    @cached_property
    def deduplicates_by_group(self) -> bool:
        return self.attributes.get("DeduplicationScope") == "messageGroup"

    @cached_property
    def redrive_policy(self) -> RedrivePolicy | None:
        text = self.attributes.get("RedrivePolicy")
        if not text:
            return None
        policy = orjson.loads(text)
        target = key_of_arn(policy["deadLetterTargetArn"])
        return RedrivePolicy(target, policy["maxReceiveCount"]) if target is not None else None

    def allows_redrive_from(self, source: QueueKey) -> bool:
        """True when `source` may have this queue as its dead-letter queue."""
        policy = orjson.loads(self.attributes.get("RedriveAllowPolicy") or "{}")
        permission = policy.get("redrivePermission", "allowAll")
        return permission == "allowAll" or (permission == "byQueue" and source.arn in policy["sourceQueueArns"])

    def _number(self, name: str) -> int:
        return int(self.attributes.get(name) or names.DEFAULTS[name])
