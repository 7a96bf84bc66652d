"""ListMetrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.cloudwatch import tables
from cloudlet.services.cloudwatch.metric import MetricKey
from cloudlet.services.cloudwatch.operations.base import CloudWatchParts, place_of
from cloudlet.services.cloudwatch.retention import ACTIVE_S, LISTED_S
from cloudlet.services.cloudwatch.tables import ListedAfter
from cloudlet.services.cloudwatch.tokens import decode_token, encode_token

PAGE: Final = 500
MAX_PAGES: Final = 20
"""Rows that one request looks through, in pages. Where few of them match, a page of results is shorter."""
_PURPOSE: Final = "list-metrics"


class ListOperations(CloudWatchParts):
    """What metrics there are."""

    @operation("ListMetrics")
    async def list_metrics(self, context: RequestContext, params: Mapping[str, Any]) -> Result:
        owner = params.get("OwningAccount")
        found, after = ([], None) if owner not in (None, context.account) else await self._matching(context, params)
        answer: dict[str, Any] = {"Metrics": [metric.shape() for metric in found]}
        if params.get("IncludeLinkedAccounts"):
            # No account is linked to another here, as on AWS before somebody has done so.
            answer["OwningAccounts"] = [context.account] * len(found)
        if after is not None:
            answer["NextToken"] = encode_token(_PURPOSE, [after.namespace, after.name, after.metric.hex()])
        return answer

    async def _matching(
        self, context: RequestContext, params: Mapping[str, Any]
    ) -> tuple[list[MetricKey], ListedAfter | None]:
        """A page of metrics, and where the next one begins."""
        place, filters = place_of(context), params.get("Dimensions") or ()
        namespace, name = params.get("Namespace") or "", params.get("MetricName") or ""
        kept_s = ACTIVE_S if params.get("RecentlyActive") else LISTED_S
        since_s = int(self.platform.clock.now()) - kept_s
        after = _after(params.get("NextToken"))
        found: list[MetricKey] = []
        for _ in range(MAX_PAGES):
            page = partial(tables.metrics_page, after=after, limit=PAGE)
            rows = await self.platform.store.read(
                partial(page, place=place, namespace=namespace, name=name, since_s=since_s)
            )
            for row in rows:
                after = ListedAfter(*row[:3])
                metric = MetricKey(row[0], row[1], map(tuple, orjson.loads(row[3])))
                if _fits(metric, filters):
                    found.append(metric)
                    if len(found) == PAGE:
                        return found, after
            if len(rows) < PAGE:
                return found, None
        return found, after


def _after(token: str | None) -> ListedAfter:
    if not token:
        return ListedAfter()
    namespace, name, metric = decode_token(_PURPOSE, token, (str, str, str))
    try:
        return ListedAfter(namespace, name, bytes.fromhex(metric))
    except ValueError:
        return ListedAfter(namespace, name)


def _fits(metric: MetricKey, filters: Sequence[Mapping[str, Any]]) -> bool:
    """True where the metric has all these dimensions, with the value where one is named."""
    if not filters:
        return True
    there = dict(metric.dimensions)
    return all(one["Name"] in there and one.get("Value") in (None, there[one["Name"]]) for one in filters)
