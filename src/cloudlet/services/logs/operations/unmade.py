"""Lists of what cannot be made yet, so that they are empty: filters, export tasks and queries."""

from typing import TYPE_CHECKING, Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs.errors import ResourceNotFound, Validation
from cloudlet.services.logs.operations.base import Operations

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DescribeMetricFiltersRequestTypeDef,
        DescribeQueriesRequestTypeDef,
        DescribeSubscriptionFiltersRequestTypeDef,
    )


class UnmadeOperations(Operations):
    """Operations that only look."""

    @operation("DescribeSubscriptionFilters")
    async def describe_subscription_filters(
        self, context: RequestContext, params: "DescribeSubscriptionFiltersRequestTypeDef"
    ) -> Result:
        group = await self.find_group(context, params["logGroupName"])
        if group.log_class != "STANDARD":
            raise Validation("This operation is only supported on the Standard log class.")
        return {"subscriptionFilters": []}

    @operation("DescribeMetricFilters")
    async def describe_metric_filters(
        self, context: RequestContext, params: "DescribeMetricFiltersRequestTypeDef"
    ) -> Result:
        if name := params.get("logGroupName"):
            await self.find_group(context, name)
        return {"metricFilters": []}

    @operation("DescribeExportTasks")
    async def describe_export_tasks(self, _: RequestContext, __: Any) -> Result:
        return {"exportTasks": []}

    @operation("CancelExportTask")
    async def cancel_export_task(self, _: RequestContext, __: Any) -> Result:
        raise ResourceNotFound("The specified export task does not exist.")

    @operation("DescribeQueries")
    async def describe_queries(self, context: RequestContext, params: "DescribeQueriesRequestTypeDef") -> Result:
        if name := params.get("logGroupName"):
            await self.find_group(context, name)
        return {"queries": []}
