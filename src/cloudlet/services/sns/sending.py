"""One attempt to hand a message to one subscriber.

Queues and functions are called through the dispatcher, as SNS and for the topic, so their own policies decide.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cloudlet.arn import Arn
from cloudlet.errors import CloudletError, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Params, Platform
from cloudlet.services.sns import message_attributes
from cloudlet.services.sns.envelope import NOTIFICATION, Envelopes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.signing import Signer
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic

SERVICE = "sns.amazonaws.com"
_TRY_AGAIN = frozenset({"OverLimit", "Throttled", "RequestThrottled", "ThrottlingException"})
"""Errors of the sender's that another attempt may not meet."""


class NotSent(CloudletError):
    """The subscriber did not take it. `is_permanent` when it never will; `code` is what it said, where it did."""

    def __init__(self, message: str, *, is_permanent: bool = False, code: str = "") -> None:
        super().__init__(message)
        self.is_permanent = is_permanent
        self.code = code


class NotNow(CloudletError):
    """The subscriber does not want it yet. `after_s`: when it may."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"not before {after_s:.3f} s have passed")
        self.after_s = after_s


Send = Callable[[Topic, Subscription, Message, Envelopes], Awaitable[None]]
"""Hands over a message. Raises NotSent, NotNow."""


class Sending:
    """Knows how to reach subscribers of each protocol."""

    def __init__(self, platform: Platform, signer: Signer, others: Mapping[str, Send]) -> None:
        """`others`: protocols beside those of the platform itself."""
        self._platform = platform
        self._signer = signer
        self._senders: Mapping[str, Send] = {"sqs": self._to_queue, "lambda": self._to_function, **others}

    async def envelopes(self, topic: Topic, message: Message) -> Envelopes:
        """The envelopes of a message, which may serve many subscribers."""
        key = await self._signer.key() if not topic.is_fifo else None
        return Envelopes(message, key, topic.signature_version, self._platform.config.endpoint)

    async def send(self, topic: Topic, subscription: Subscription, message: Message, envelopes: Envelopes) -> None:
        """Hand a message over. Raises NotSent, NotNow."""
        await self._senders[subscription.protocol](topic, subscription, message, envelopes)

    async def to_dead_letters(
        self, subscription: Subscription, message: Message, envelopes: Envelopes, errors: Mapping[str, Any]
    ) -> None:
        """Put it into the subscription's dead-letter queue. `errors`: attributes that say why. Raises NotSent."""
        await self._send_message(subscription, message, envelopes, Arn.parse(subscription.dead_letter_arn), errors)

    async def _to_queue(
        self, _topic: Topic, subscription: Subscription, message: Message, envelopes: Envelopes
    ) -> None:
        await self._send_message(subscription, message, envelopes, Arn.parse(subscription.endpoint), {})

    async def _send_message(
        self,
        subscription: Subscription,
        message: Message,
        envelopes: Envelopes,
        queue: Arn,
        attributes: Mapping[str, Any],
    ) -> None:
        params: Params = {"QueueUrl": f"https://sqs.{queue.region}.amazonaws.com/{queue.account}/{queue.resource}"}
        if subscription.is_raw and message.kind == NOTIFICATION:
            params["MessageBody"] = message.text_for(subscription.protocol)
            attributes = {**message_attributes.for_queue(message.attributes), **attributes}
        else:
            params["MessageBody"] = envelopes.text(subscription.protocol, subscription.arn)
        if attributes:
            params["MessageAttributes"] = dict(attributes)
        if message.group:
            params["MessageGroupId"] = message.group
        if queue.resource.endswith(".fifo"):
            params["MessageDeduplicationId"] = message.deduplication
        await self._call(message, queue, "SendMessage", params)

    async def _to_function(
        self, _topic: Topic, subscription: Subscription, message: Message, envelopes: Envelopes
    ) -> None:
        params = {
            "FunctionName": subscription.endpoint,
            "InvocationType": "Event",
            "Payload": envelopes.event(subscription.arn),
        }
        await self._call(message, Arn.parse(subscription.endpoint), "Invoke", params)

    async def _call(self, message: Message, target: Arn, operation: str, params: Params) -> None:
        """Call an operation of the service whose resource `target` is, in its account and for the topic."""
        context = RequestContext(
            Principal.service(SERVICE, target.account),
            target.region,
            self._platform.ids.uuid(),
            called_via=(SERVICE,),
            trace_id=message.trace_id,
            source_arn=message.topic.arn,
        )
        try:
            await self._platform.calls.call(context, target.service, operation, params)
        except ServiceError as error:
            is_permanent = error.sender_fault and error.status != 429 and error.code not in _TRY_AGAIN
            text = f"{error.code}: {error.message}"
            raise NotSent(text, is_permanent=is_permanent, code=str(error.status)) from error
