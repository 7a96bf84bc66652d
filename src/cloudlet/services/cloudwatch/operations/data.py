"""GetMetricData.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.cloudwatch import labels
from cloudlet.services.cloudwatch.errors import ValidationFailed
from cloudlet.services.cloudwatch.operations.base import CloudWatchParts, place_of, seconds
from cloudlet.services.cloudwatch.query import queries
from cloudlet.services.cloudwatch.results import Cursor, Results, TimeRange
from cloudlet.services.cloudwatch.tokens import decode_token, encode_token

MAX_DATAPOINTS: Final = 100_800
_PURPOSE: Final = "metric-data"


class DataOperations(CloudWatchParts):
    """Many metrics at once, and what is computed of them."""

    @operation("GetMetricData")
    async def get_metric_data(self, context: RequestContext, params: Mapping[str, Any]) -> Result:
        start_s, end_s = seconds(params["StartTime"]), seconds(params["EndTime"])
        if start_s >= end_s:
            raise ValidationFailed("The parameter StartTime must be less than the parameter EndTime.")
        limit = params.get("MaxDatapoints", MAX_DATAPOINTS)
        if not 1 <= limit <= MAX_DATAPOINTS:
            raise ValidationFailed(f"The parameter MaxDatapoints must be between 1 and {MAX_DATAPOINTS}.")
        zone = labels.zone((params.get("LabelOptions") or {}).get("Timezone"))
        asked = queries(params["MetricDataQueries"], context.account)
        results = Results(self.reading, place_of(context), asked, TimeRange(start_s, end_s, self.platform.clock.now()))
        newest_first = params.get("ScanBy") != "TimestampAscending"
        found, cursor = await results.page(
            _cursor(params.get("NextToken")), limit, newest_first=newest_first, zone=zone
        )
        answer: dict[str, Any] = {"MetricDataResults": found, "Messages": []}
        if cursor is not None:
            after = [] if cursor.after_s is None else [cursor.after_s]
            answer["NextToken"] = encode_token(_PURPOSE, [cursor.query, cursor.series, *after])
        return answer


def _cursor(token: str | None) -> Cursor:
    if not token:
        return Cursor()
    return Cursor(*decode_token(_PURPOSE, token, (int, int, int), optional=1))
