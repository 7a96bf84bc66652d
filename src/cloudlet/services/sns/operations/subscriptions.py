"""Subscriptions: made, confirmed, found, changed, ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cloudlet.clock import now_ms
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sns import (
    confirmations,
    endpoints,
    ordering,
    subscription_attributes,
    subscription_limits,
    subscription_tables,
    topic_tables,
)
from cloudlet.services.sns.confirmations import SUBSCRIBE, UNSUBSCRIBE, is_token
from cloudlet.services.sns.directory import changed
from cloudlet.services.sns.envelope import readers_endpoint
from cloudlet.services.sns.errors import AuthorizationError, invalid, no_subscription, no_topic
from cloudlet.services.sns.names import SubscriptionKey, TopicKey, subscription_key, topic_key
from cloudlet.services.sns.operations.base import PAGE, Operations, after_token, token_after
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as types

NOT_CONFIRMED: Final = "pending confirmation"


class SubscriptionOperations(Operations):
    """Operations on subscriptions."""

    @operation("Subscribe")
    async def subscribe(self, context: RequestContext, params: "types.SubscribeInputTypeDef") -> Result:
        topic = (await self.known(context, params)).topic
        protocol, endpoint = params["Protocol"], params.get("Endpoint") or ""
        endpoints.check(protocol, endpoint, topic.key, self.platform.config)
        given = subscription_attributes.plain(params.get("Attributes") or {})
        subscription = self._made(context, topic, protocol, endpoint, given)

        def put(tx: Transaction) -> Subscription:
            current = topic_tables.find(tx, topic.key)
            if current is None:
                raise no_topic()
            found = subscription_tables.of_endpoint(tx, topic.key, protocol, endpoint)
            if found is None:
                subscription_limits.check_new(tx, current, protocol, subscription.attributes)
                subscription_tables.add(tx, subscription)
                found = subscription
                self._replay(tx, current, found, given)
            elif subscription_attributes.differ(found, given, subscription.attributes):
                raise invalid("Attributes Reason: Subscription already exists with different attributes")
            if not found.is_confirmed:
                self.confirmations.ask(tx, current, found, SUBSCRIBE, readers_endpoint(context))
            changed(tx, topic.key)
            return found

        found = await self.platform.store.transact(put)
        shown = found.is_confirmed or params.get("ReturnSubscriptionArn")
        return {"SubscriptionArn": found.arn if shown else NOT_CONFIRMED}

    def _made(
        self, context: RequestContext, topic: Topic, protocol: str, endpoint: str, given: dict[str, str]
    ) -> Subscription:
        attributes = subscription_attributes.changed(
            {}, given, topic=topic.key, protocol=protocol, endpoint=endpoint, creating=True
        )
        is_confirmed = endpoints.is_confirmed(protocol, endpoint, context.account)
        return Subscription(
            SubscriptionKey(topic.key, self.platform.ids.uuid()),
            context.account,
            protocol,
            endpoint,
            attributes,
            context.principal.arn,
            is_confirmed,
            is_confirmed,
            needs_authentication=False,
            created_ms=now_ms(self.platform.clock),
        )

    @operation("ConfirmSubscription")
    async def confirm_subscription(
        self, context: RequestContext, params: "types.ConfirmSubscriptionInputTypeDef"
    ) -> Result:
        """Open to whoever has the token."""
        token, key = params["Token"], topic_key(params["TopicArn"], "Topic")
        is_authenticated = context.principal.kind != "anonymous"
        if (is_authenticated and key.region != context.region) or await self.directory.find(key) is None:
            raise invalid("Topic")
        if not is_token(token):
            raise invalid("Token")
        is_protected = is_authenticated and params.get("AuthenticateOnUnsubscribe", "").lower() == "true"

        def confirm(tx: Transaction) -> Subscription:
            found = self.confirmations.confirm(
                tx, key, token, is_authenticated=is_authenticated, is_protected=is_protected
            )
            if found is None:
                raise invalid("Token")
            changed(tx, key)
            return found

        return {"SubscriptionArn": (await self.platform.store.transact(confirm)).arn}

    @operation("Unsubscribe")
    async def unsubscribe(self, context: RequestContext, params: "types.UnsubscribeInputTypeDef") -> Result:
        """Open to whoever has the link, unless the subscription was confirmed with `AuthenticateOnUnsubscribe`."""
        key = subscription_key(params["SubscriptionArn"])
        is_anonymous = context.principal.kind == "anonymous"
        if key.topic.region != context.region and not is_anonymous:
            raise invalid("SubscriptionArn")

        def delete(tx: Transaction) -> None:
            found = subscription_tables.find(tx, key)
            if found is None:
                return
            if not is_anonymous:
                _check_owner(context, found)
            elif found.needs_authentication:
                raise AuthorizationError("This subscription can be ended with credentials only.")
            topic = topic_tables.find(tx, key.topic)
            if not is_anonymous:
                confirmations.remove_subscription(tx, key)
            elif topic is not None:
                self.confirmations.ask(tx, topic, found, UNSUBSCRIBE, readers_endpoint(context))
            subscription_tables.delete(tx, key)
            ordering.remove_subscription(tx, key)
            topic_tables.count_deleted_subscription(tx, key.topic)
            changed(tx, key.topic)

        await self.platform.store.transact(delete)
        return {}

    @operation("GetSubscriptionAttributes")
    async def get_subscription_attributes(
        self, context: RequestContext, params: "types.GetSubscriptionAttributesInputTypeDef"
    ) -> Result:
        key = subscription_key(params["SubscriptionArn"])

        def read(reader: Reader) -> dict[str, str]:
            found, topic = subscription_tables.find(reader, key), topic_tables.find(reader, key.topic)
            if found is None or topic is None or key.topic.region != context.region:
                raise no_subscription()
            _check_owner(context, found)
            return subscription_attributes.shown(found, topic)

        return {"Attributes": await self.platform.store.read(read)}

    @operation("SetSubscriptionAttributes")
    async def set_subscription_attributes(
        self, context: RequestContext, params: "types.SetSubscriptionAttributesInputTypeDef"
    ) -> Result:
        key = subscription_key(params["SubscriptionArn"])
        given = {params["AttributeName"]: params.get("AttributeValue") or ""}

        def change(tx: Transaction, found: Subscription) -> Subscription:
            attributes = subscription_attributes.changed(
                found.attributes,
                given,
                topic=key.topic,
                protocol=found.protocol,
                endpoint=found.endpoint,
                creating=False,
            )
            new = replace(found, attributes=attributes)
            topic = topic_tables.find(tx, key.topic)
            if topic is not None:
                subscription_limits.check_change(tx, topic, found.attributes, attributes)
                self._replay(tx, topic, new, given)
            return new

        await self.change_subscription(context, key, change)
        return {}

    def _replay(self, tx: Transaction, topic: Topic, subscription: Subscription, given: Mapping[str, str]) -> None:
        """Begin the replay that a new policy asks for. Raises InvalidParameter for a topic without an archive."""
        if not given.get("ReplayPolicy"):
            return
        if not topic.archive_days:
            raise invalid("ReplayPolicy: the topic has no ArchivePolicy")
        self.replay.begin(tx, subscription)

    async def change_subscription(
        self,
        context: RequestContext,
        key: SubscriptionKey,
        change: Callable[[Transaction, Subscription], Subscription],
    ) -> None:
        """Change a subscription's row. Raises NotFound, AuthorizationError, and what `change` raises."""

        def put(tx: Transaction) -> None:
            found = subscription_tables.find(tx, key)
            if found is None or key.topic.region != context.region:
                raise no_subscription()
            _check_owner(context, found)
            subscription_tables.put(tx, change(tx, found))
            changed(tx, key.topic)

        await self.platform.store.transact(put)

    @operation("ListSubscriptions")
    async def list_subscriptions(
        self, context: RequestContext, params: "types.ListSubscriptionsInputTypeDef"
    ) -> Result:
        token = after_token(params.get("NextToken"))
        after = token if len(token) == 3 else ("", "", "")
        found = await self.platform.store.read(
            lambda reader: subscription_tables.of_owner(reader, context.account, context.region, after, PAGE + 1)
        )
        return _page(found, lambda last: (last.key.topic.account, last.key.topic.name, last.key.id))

    @operation("ListSubscriptionsByTopic")
    async def list_subscriptions_by_topic(
        self, context: RequestContext, params: "types.ListSubscriptionsByTopicInputTypeDef"
    ) -> Result:
        key = self.key(context, params)
        after = (*after_token(params.get("NextToken")), "")[0]
        found = await self.platform.store.read(lambda reader: _of_topic(reader, key, after))
        return _page(found, lambda last: (last.key.id,))


def _of_topic(reader: Reader, key: TopicKey, after: str) -> list[Subscription]:
    if topic_tables.find(reader, key) is None:
        raise no_topic()
    return subscription_tables.of_topic(reader, key, after, PAGE + 1)


def _page(found: Sequence[Subscription], names: Callable[[Subscription], Sequence[str]]) -> Result:
    shown = [
        {
            "SubscriptionArn": each.shown_arn,
            "Owner": each.owner,
            "Protocol": each.protocol,
            "Endpoint": endpoints.shown(each.protocol, each.endpoint),
            "TopicArn": each.key.topic.arn,
        }
        for each in found[:PAGE]
    ]
    result: dict[str, Any] = {"Subscriptions": shown}
    if len(found) > PAGE:
        result["NextToken"] = token_after(*names(found[PAGE - 1]))
    return result


def _check_owner(context: RequestContext, subscription: Subscription) -> None:
    """Raises AuthorizationError for who owns neither the subscription nor the topic."""
    if context.account not in (subscription.owner, subscription.key.topic.account):
        raise AuthorizationError(f"User: {context.principal.arn} is not authorized to perform: SNS:{context.operation}")
