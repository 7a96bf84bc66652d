"""Organizations' operations on tags."""

from typing import Any

from cloudlet.iam import organisation_table as table
from cloudlet.iam.organisation_table import FULL_ACCESS, Organisation
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.organizations import organisation as domain
from cloudlet.services.organizations.errors import ConstraintViolation, TargetNotFound
from cloudlet.store.base import Reader, Transaction


class TagOperations(Service):
    """TagResource and its like."""

    @operation("TagResource")
    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> Result:
        tags = domain.read_tags(params["Tags"])

        def tag(tx: Transaction) -> None:
            found = _tagged(tx, context.account, params["ResourceId"])
            table.put_tags(tx, found.account, params["ResourceId"], tags)
            if len(table.tags(tx, found.account, params["ResourceId"])) > domain.TAGS:
                text = "You have exceeded the allowed number of tags on the specified resource."
                raise ConstraintViolation(text, Reason="MAX_TAG_LIMIT_EXCEEDED")

        await self.platform.store.transact(tag)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def untag(tx: Transaction) -> None:
            found = _tagged(tx, context.account, params["ResourceId"])
            table.delete_tags(tx, found.account, params["ResourceId"], params["TagKeys"])

        await self.platform.store.transact(untag)
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def read(reader: Reader) -> list[tuple[str, str]]:
            found = _tagged(reader, context.account, params["ResourceId"])
            return table.tags(reader, found.account, params["ResourceId"])

        return {"Tags": [{"Key": key, "Value": value} for key, value in await self.platform.store.read(read)]}


def _tagged(reader: Reader, account: str, resource_id: str) -> Organisation:
    """The organisation of a resource that can have tags. Raises TargetNotFound."""
    found = domain.managed(reader, account)
    if not resource_id.startswith("p-"):
        domain.target(reader, found, resource_id)
    elif resource_id == FULL_ACCESS or table.policy(reader, account, resource_id) is None:
        raise TargetNotFound
    return found
