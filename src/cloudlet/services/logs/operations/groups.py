"""Log groups and how long they keep their events."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs import kept_tables, tables
from cloudlet.services.logs.errors import (
    InvalidParameter,
    ResourceAlreadyExists,
    Validation,
    group_not_found,
)
from cloudlet.services.logs.ingestion import new_group
from cloudlet.services.logs.names import check_text, group_arn, group_of_identifier, place_of
from cloudlet.services.logs.operations.base import Operations, existing_group, not_implemented
from cloudlet.services.logs.operations.tags import check_tags
from cloudlet.services.logs.tables import Group, GroupFilter, escape_like
from cloudlet.services.logs.tokens import decode_token, encode_token
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        CreateLogGroupRequestTypeDef,
        DeleteLogGroupRequestTypeDef,
        DeleteRetentionPolicyRequestTypeDef,
        DescribeLogGroupsRequestTypeDef,
        ListLogGroupsRequestTypeDef,
        PutLogGroupDeletionProtectionRequestTypeDef,
        PutRetentionPolicyRequestTypeDef,
    )

DEFAULT_LIMIT = 50
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
)  # fmt: skip
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
DELIVERY_RETENTION_DAYS = 1
"""What a group of class DELIVERY has and keeps.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html"""


class GroupOperations(Operations):
    """Operations on log groups."""

    @operation("CreateLogGroup")
    async def create_log_group(self, context: RequestContext, params: "CreateLogGroupRequestTypeDef") -> Result:
        name, tags = params["logGroupName"], params.get("tags") or {}
        if name.lower().startswith("aws/"):
            raise InvalidParameter("Log groups starting with AWS/ are reserved for AWS.")
        if params.get("kmsKeyId"):
            not_implemented("kmsKeyId", params.get("kmsKeyId"))
        check_tags(tags)
        log_class: str = params.get("logGroupClass") or "STANDARD"
        group = new_group(
            self.platform.ids, name, self.now_ms(), log_class, bool(params.get("deletionProtectionEnabled"))
        )
        if log_class == "DELIVERY":
            group = group._replace(retention_days=DELIVERY_RETENTION_DAYS)
        place, arn = place_of(context), group_arn(context, name)

        def create(tx: Transaction) -> None:
            if not tables.add_group(tx, place, group):
                raise ResourceAlreadyExists("The specified log group already exists")
            kept_tables.put_tags(tx, place, arn, tags)

        await self.platform.store.transact(create)
        return {}

    @operation("DeleteLogGroup")
    async def delete_log_group(self, context: RequestContext, params: "DeleteLogGroupRequestTypeDef") -> Result:
        place, name = place_of(context), params["logGroupName"]
        arn = group_arn(context, name)

        def delete(tx: Transaction) -> None:
            group = existing_group(tx, place, name)
            if group.is_protected:
                raise Validation(f"Log group {name} cannot be deleted because deletion protection is enabled.")
            tables.delete_group(tx, place, group)
            kept_tables.delete_all_tags(tx, place, arn)

        await self.platform.store.transact(delete)
        self.upkeep.wake()
        return {}

    @operation("DescribeLogGroups")
    async def describe_log_groups(self, context: RequestContext, params: "DescribeLogGroupsRequestTypeDef") -> Result:
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix and pattern:
            raise InvalidParameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        if _asks_for_others(context, params):
            return {"logGroups": []}
        like = f"{escape_like(prefix)}%" if prefix else f"%{escape_like(pattern)}%" if pattern else ""
        names = [group_of_identifier(context, each) for each in params.get("logGroupIdentifiers") or ()]
        which = GroupFilter(names, [like] if like else [], params.get("logGroupClass") or "")
        groups, sizes, token = await self._list(context, which, params.get("nextToken"), params.get("limit"))
        described = [_describe(context, group, None if pattern else sizes.get(group.id, 0)) for group in groups]
        return {"logGroups": described, **token}

    @operation("ListLogGroups")
    async def list_log_groups(self, context: RequestContext, params: "ListLogGroupsRequestTypeDef") -> Result:
        if _asks_for_others(context, params) or params.get("dataSources") or params.get("fieldIndexNames"):
            return {"logGroups": []}  # no group has a data source or a field index
        check_text(params.get("logGroupTags"))
        alternatives = (params.get("logGroupNamePattern") or "").split("|")
        which = GroupFilter(
            likes=[_like(alternative) for alternative in alternatives if alternative],
            log_class=params.get("logGroupClass") or "",
            tags={each["key"]: each.get("values") or () for each in params.get("logGroupTags") or ()},
        )
        groups, _, token = await self._list(context, which, params.get("nextToken"), params.get("limit"))
        listed = [
            {
                "logGroupName": group.name,
                "logGroupArn": group_arn(context, group.name),
                "logGroupClass": group.log_class,
            }
            for group in groups
        ]
        return {"logGroups": listed, **token}

    async def _list(
        self, context: RequestContext, which: GroupFilter, token: str | None, limit: int | None
    ) -> tuple[Sequence[Group], Mapping[int, int], Mapping[str, str]]:
        """A page of groups, what their events count, and where the next page begins."""
        place, count = place_of(context), limit or DEFAULT_LIMIT
        (after,) = decode_token("groups", token, [str]) if token else ("",)

        def query(reader: Reader) -> tuple[list[Group], dict[int, int]]:
            found = tables.list_groups(reader, place, after, which, count + 1)
            return found, tables.stored_bytes(reader, place, [group.id for group in found]) if found else {}

        groups, sizes = await self.platform.store.read(query)
        following = {"nextToken": encode_token("groups", [groups[count - 1].name])} if len(groups) > count else {}
        return groups[:count], sizes, following

    @operation("PutLogGroupDeletionProtection")
    async def put_log_group_deletion_protection(
        self, context: RequestContext, params: "PutLogGroupDeletionProtectionRequestTypeDef"
    ) -> Result:
        place, name = place_of(context), group_of_identifier(context, params["logGroupIdentifier"])
        is_protected = params["deletionProtectionEnabled"]
        if not await self.platform.store.transact(lambda tx: tables.set_protection(tx, place, name, is_protected)):
            raise group_not_found()
        return {}

    @operation("PutRetentionPolicy")
    async def put_retention_policy(self, context: RequestContext, params: "PutRetentionPolicyRequestTypeDef") -> Result:
        days = params["retentionInDays"]
        if days not in RETENTION_DAYS:
            raise InvalidParameter(f"Invalid retention value. Valid values are: {list(RETENTION_DAYS)}")
        return await self._set_retention(context, params["logGroupName"], days)

    @operation("DeleteRetentionPolicy")
    async def delete_retention_policy(
        self, context: RequestContext, params: "DeleteRetentionPolicyRequestTypeDef"
    ) -> Result:
        return await self._set_retention(context, params["logGroupName"], None)

    async def _set_retention(self, context: RequestContext, name: str, days: int | None) -> Result:
        place = place_of(context)

        def change(tx: Transaction) -> None:
            if existing_group(tx, place, name).log_class == "DELIVERY":
                raise InvalidParameter("The retention of a log group of class DELIVERY cannot be changed.")
            tables.set_retention(tx, place, name, days)

        await self.platform.store.transact(change)
        return {}


def _asks_for_others(context: RequestContext, params: Mapping[str, Any]) -> bool:
    """True when the caller names accounts and its own, the only one that it can see, is not among them."""
    accounts = params.get("accountIdentifiers")
    return bool(params.get("includeLinkedAccounts") and accounts and context.account not in accounts)


def _like(alternative: str) -> str:
    is_prefix = alternative.startswith("^")
    return f"{'' if is_prefix else '%'}{escape_like(alternative.removeprefix('^'))}%"


def _describe(context: RequestContext, group: Group, stored_bytes: int | None) -> dict[str, Any]:
    """A group's description; without its size when it was found by a pattern."""
    arn = group_arn(context, group.name)
    described: dict[str, Any] = {"logGroupName": group.name, "creationTime": group.created_ms}
    if group.retention_days is not None:
        described["retentionInDays"] = group.retention_days
    described |= {"metricFilterCount": 0, "arn": f"{arn}:*"}
    if stored_bytes is not None:
        described["storedBytes"] = stored_bytes
    described |= {"logGroupClass": group.log_class, "logGroupArn": arn}
    if stored_bytes is not None:
        described["deletionProtectionEnabled"] = bool(group.is_protected)
    return described
