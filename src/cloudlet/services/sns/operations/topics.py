"""Topics: created, found, changed, deleted; their tags and data protection policies."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudlet.clock import now_ms
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sns import (
    archive,
    confirmations,
    ordering,
    subscription_limits,
    subscription_tables,
    topic_attributes,
    topic_tables,
)
from cloudlet.services.sns.directory import changed
from cloudlet.services.sns.errors import InvalidState, ResourceNotFound, TagLimitExceeded, invalid, no_topic
from cloudlet.services.sns.message import timestamp
from cloudlet.services.sns.names import FIFO_SUFFIX, TopicKey, check_name
from cloudlet.services.sns.operations.base import PAGE, Operations, after_token, token_after
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as types

MAX_TAGS: Final = 50
MAX_DATA_PROTECTION_BYTES: Final = 30_720


class TopicOperations(Operations):
    """Operations on topics."""

    @operation("CreateTopic")
    async def create_topic(self, context: RequestContext, params: "types.CreateTopicInputTypeDef") -> Result:
        given = {str(name): value for name, value in (params.get("Attributes") or {}).items()}
        name = params["Name"]
        is_fifo = given.get("FifoTopic", "").lower() == "true"
        if name.endswith(FIFO_SUFFIX) and not is_fifo:
            raise invalid("Topic Name")
        check_name(name, is_fifo=is_fifo)
        tags = _tags(params.get("Tags") or [])
        protection = _data_protection(params.get("DataProtectionPolicy") or "")
        settings = topic_attributes.changed({}, given, is_fifo=is_fifo, creating=True)
        if not is_fifo:
            settings.pop("FifoTopic", None)
        key = TopicKey(context.account, context.region, name)
        topic = Topic(key, self.platform.ids.hex(32), settings, tags, protection, now_ms(self.platform.clock))

        def create(tx: Transaction) -> None:
            existing = topic_tables.find(tx, key)
            if existing is None:
                topic_tables.add(tx, topic)
                changed(tx, key)
                return
            if any(existing.attributes.get(each, _DEFAULTS.get(each)) != settings.get(each) for each in given):
                raise invalid("Attributes Reason: Topic already exists with different attributes")
            if not tags.items() <= existing.tags.items():
                raise invalid("Tags Reason: Topic already exists with different tags")

        await self.platform.store.transact(create)
        return {"TopicArn": key.arn}

    @operation("DeleteTopic")
    async def delete_topic(self, context: RequestContext, params: "types.DeleteTopicInputTypeDef") -> Result:
        key = self.key(context, params)

        def delete(tx: Transaction) -> None:
            topic = topic_tables.find(tx, key)
            if topic is None:
                return
            if topic.archive_days:
                raise InvalidState("Cannot delete a topic with an ArchivePolicy")
            topic_tables.delete(tx, topic)
            archive.remove(tx, key)
            subscription_tables.delete_of_topic(tx, key)
            ordering.remove_topic(tx, key)
            confirmations.remove_topic(tx, key)
            changed(tx, key)

        await self.platform.store.transact(delete)
        return {}

    @operation("ListTopics")
    async def list_topics(self, context: RequestContext, params: "types.ListTopicsInputTypeDef") -> Result:
        after = (*after_token(params.get("NextToken")), "")[0]
        found = await self.platform.store.read(
            lambda reader: topic_tables.page(reader, context.account, context.region, after, PAGE + 1)
        )
        result: dict[str, Any] = {"Topics": [{"TopicArn": key.arn} for key in found[:PAGE]]}
        if len(found) > PAGE:
            result["NextToken"] = token_after(found[PAGE - 1].name)
        return result

    @operation("GetTopicAttributes")
    async def get_topic_attributes(
        self, context: RequestContext, params: "types.GetTopicAttributesInputTypeDef"
    ) -> Result:
        key, moment_ms = self.key(context, params), now_ms(self.platform.clock)

        def read(reader: Reader) -> dict[str, str]:
            topic = topic_tables.find(reader, key)
            if topic is None:
                raise no_topic()
            shown = topic_attributes.shown(topic, *subscription_tables.counts(reader, key))
            if topic.archive_days:
                beginning_ms = archive.beginning_ms(reader, topic, moment_ms) or moment_ms
                shown["BeginningArchiveTime"] = timestamp(beginning_ms)
            return shown

        return {"Attributes": await self.platform.store.read(read)}

    @operation("SetTopicAttributes")
    async def set_topic_attributes(
        self, context: RequestContext, params: "types.SetTopicAttributesInputTypeDef"
    ) -> Result:
        given = {params["AttributeName"]: params.get("AttributeValue") or ""}

        def change(tx: Transaction, topic: Topic) -> Topic:
            settings = topic_attributes.changed(topic.attributes, given, is_fifo=topic.is_fifo, creating=False)
            if "ArchivePolicy" not in settings:
                archive.remove(tx, topic.key)
            changed_topic = replace(topic, attributes=settings)
            if "MaximumMessageSize" in given:
                subscription_limits.check_large(tx, changed_topic)
            return changed_topic

        await self.change_topic(self.key(context, params), change)
        return {}

    @operation("TagResource")
    async def tag_resource(self, context: RequestContext, params: "types.TagResourceRequestTypeDef") -> Result:
        new = _tags(params["Tags"])

        def change(_tx: Transaction, topic: Topic) -> Topic:
            tags = {**topic.tags, **new}
            if len(tags) > MAX_TAGS:
                raise TagLimitExceeded("Could not complete request: tag quota of per resource exceeded")
            return replace(topic, tags=tags)

        await self._change_tags(context, params, change)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, context: RequestContext, params: "types.UntagResourceRequestTypeDef") -> Result:
        gone = set(params["TagKeys"])
        await self._change_tags(
            context,
            params,
            lambda _tx, topic: replace(
                topic, tags={name: value for name, value in topic.tags.items() if name not in gone}
            ),
        )
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(
        self, context: RequestContext, params: "types.ListTagsForResourceRequestTypeDef"
    ) -> Result:
        known = await self.directory.find(self.key(context, params, "ResourceArn"))
        if known is None:
            raise _no_resource()
        return {"Tags": [{"Key": name, "Value": value} for name, value in known.topic.tags.items()]}

    async def _change_tags(self, context: RequestContext, params: Mapping[str, Any], change: Any) -> None:
        key = self.key(context, params, "ResourceArn")
        if await self.directory.find(key) is None:
            raise _no_resource()
        await self.change_topic(key, change)

    @operation("GetDataProtectionPolicy")
    async def get_data_protection_policy(
        self, context: RequestContext, params: "types.GetDataProtectionPolicyInputTypeDef"
    ) -> Result:
        known = await self.known(context, params, "ResourceArn")
        return {"DataProtectionPolicy": known.topic.data_protection}

    @operation("PutDataProtectionPolicy")
    async def put_data_protection_policy(
        self, context: RequestContext, params: "types.PutDataProtectionPolicyInputTypeDef"
    ) -> Result:
        policy = _data_protection(params["DataProtectionPolicy"])
        key = self.key(context, params, "ResourceArn")
        await self.change_topic(key, lambda _tx, topic: replace(topic, data_protection=policy))
        return {}


_DEFAULTS: Final[Mapping[str, str]] = {"ContentBasedDeduplication": "false", "DisplayName": ""}
"""What a topic has that was given nothing, where a request may say the same."""


def _tags(tags: Any) -> dict[str, str]:
    """A request's tags. Raises InvalidParameter, TagLimitExceeded."""
    found: dict[str, str] = {}
    for tag in tags:
        name, value = tag["Key"], tag["Value"]
        if name in found:
            raise invalid("Duplicated keys are not allowed.")
        if name.lower().startswith("aws:"):
            raise invalid("Tags Reason: System tags cannot be added or modified by requester")
        found[name] = value
    if len(found) > MAX_TAGS:
        raise TagLimitExceeded("Could not complete request: tag quota of per resource exceeded")
    return found


def _data_protection(text: str) -> str:
    """A data protection policy, as it came. Raises InvalidParameter. It is kept; Cloudlet does not act by it."""
    if not text:
        return ""
    try:
        policy = orjson.loads(text)
    except orjson.JSONDecodeError:
        policy = None
    if not isinstance(policy, dict) or len(text.encode()) > MAX_DATA_PROTECTION_BYTES:
        raise invalid("DataProtectionPolicy Reason: the policy is not a JSON object of at most 30 KiB")
    return text


def _no_resource() -> ResourceNotFound:
    return ResourceNotFound("Resource does not exist")
