"""Tags of log groups and destinations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs import kept_tables
from cloudlet.services.logs.errors import InvalidParameter, ResourceNotFound, TooManyTags
from cloudlet.services.logs.names import check_text, destination_arn, group_arn, place_of
from cloudlet.services.logs.operations.base import Operations, existing_group
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        ListTagsForResourceRequestTypeDef,
        ListTagsLogGroupRequestTypeDef,
        TagLogGroupRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagLogGroupRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

MAXIMUM_TAGS = 50
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html"""
RESERVED_PREFIX = "aws:"


class TagOperations(Operations):
    """Operations on tags."""

    @operation("TagResource")
    async def tag_resource(self, context: RequestContext, params: "TagResourceRequestTypeDef") -> Result:
        return await self._tag(context, params["resourceArn"], params["tags"])

    @operation("UntagResource")
    async def untag_resource(self, context: RequestContext, params: "UntagResourceRequestTypeDef") -> Result:
        arn = params["resourceArn"]
        place, keys = place_of(context), params["tagKeys"]
        check_text(keys)

        def untag(tx: Transaction) -> None:
            kept_tables.delete_tags(tx, place, _existing(tx, context, arn), keys)

        await self.platform.store.transact(untag)
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(
        self, context: RequestContext, params: "ListTagsForResourceRequestTypeDef"
    ) -> Result:
        return await self._list_tags(context, params["resourceArn"])

    @operation("TagLogGroup")
    async def tag_log_group(self, context: RequestContext, params: "TagLogGroupRequestTypeDef") -> Result:
        try:
            return await self._tag(context, group_arn(context, params["logGroupName"]), params["tags"])
        except TooManyTags as error:  # which this older operation does not model
            raise InvalidParameter(error.message) from error

    @operation("UntagLogGroup")
    async def untag_log_group(self, context: RequestContext, params: "UntagLogGroupRequestTypeDef") -> Result:
        arn = group_arn(context, params["logGroupName"])
        return await self.untag_resource(context, {"resourceArn": arn, "tagKeys": params["tags"]})

    @operation("ListTagsLogGroup")
    async def list_tags_log_group(self, context: RequestContext, params: "ListTagsLogGroupRequestTypeDef") -> Result:
        return await self._list_tags(context, group_arn(context, params["logGroupName"]))

    async def _tag(self, context: RequestContext, arn: str, tags: Mapping[str, str]) -> Result:
        check_tags(tags)
        place = place_of(context)

        def tag(tx: Transaction) -> None:
            resource = _existing(tx, context, arn)
            if len(kept_tables.find_tags(tx, place, resource).keys() | tags.keys()) > MAXIMUM_TAGS:
                raise TooManyTags(f"A resource can have no more than {MAXIMUM_TAGS} tags.", resourceName=resource)
            kept_tables.put_tags(tx, place, resource, tags)

        await self.platform.store.transact(tag)
        return {}

    async def _list_tags(self, context: RequestContext, arn: str) -> Result:
        place = place_of(context)

        def find(reader: Reader) -> dict[str, str]:
            return kept_tables.find_tags(reader, place, _existing(reader, context, arn))

        return {"tags": await self.platform.store.read(find)}


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise InvalidParameter for tags that nobody may set."""
    check_text(tags)
    if any(key.lower().startswith(RESERVED_PREFIX) for key in tags):
        raise InvalidParameter("aws: prefixed tag key names are not allowed for external use.")


def _existing(reader: Reader, context: RequestContext, arn: str) -> str:
    """The ARN under which a resource's tags are kept. Raises ResourceNotFound where there is no such resource."""
    place = place_of(context)
    prefix = group_arn(context, "")
    if arn.startswith(prefix):
        existing_group(reader, place, arn.removeprefix(prefix))
        return arn
    prefix = destination_arn(context, "")
    if arn.startswith(prefix) and kept_tables.find_destination(reader, place, arn.removeprefix(prefix)):
        return arn
    raise ResourceNotFound("The specified resource does not exist.")
