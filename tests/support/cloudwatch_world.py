"""The CloudWatch service over a real store and the real dispatcher, on a clock that stands still."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudlet.config import Config
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.cloudwatch import CloudWatchService
from cloudlet.store.base import Store
from cloudlet.store.blobs import Blobs
from cloudlet.wire.model import ServiceModels
from tests.support.clock import ManualClock
from tests.support.own_account import OwnAccountAuthorizer

ACCOUNT = "111111111111"
REGION = "us-east-1"
MODELS = ServiceModels()
HOUR_S = 3600
DAY_S = 86_400


class CloudWatchWorld:
    """Calls operations as a client does."""

    def __init__(self, folder: Path, store: Store, blobs: Blobs) -> None:
        self.clock = ManualClock(1_790_000_100.0)
        self.store = store
        dispatcher = Dispatcher(MODELS, OwnAccountAuthorizer())
        self.service = CloudWatchService(Platform(Config(data=folder), self.clock, Ids(), store, blobs, dispatcher))
        dispatcher.register([self.service])
        self.calls = dispatcher

    @property
    def now(self) -> int:
        """The time that the service sees, in seconds."""
        return int(self.clock.now())

    async def __call__(self, operation: str, **params: Any) -> Mapping[str, Any]:
        """The answer, which has AWS's shape."""
        context = RequestContext(Principal.root(ACCOUNT), REGION, "request")
        answer: Mapping[str, Any] = await self.calls.call(context, "cloudwatch", operation, params)
        return answer

    async def put(self, *values: float, age_s: float = 0, resolution: int = 60, name: str = "m", **more: Any) -> None:
        """Values of one moment."""
        datum = {"Timestamp": self.now - age_s, "StorageResolution": resolution, "MetricName": name, **more}
        data = [{**datum, "Value": float(value)} for value in values]
        await self("PutMetricData", Namespace="App", MetricData=data)

    async def sums(
        self, period_s: int, start_s: int, end_s: int, stat: str = "Sum", name: str = "m"
    ) -> dict[int, float]:
        """What GetMetricData has of the metric, by the moment."""
        metric = {"Namespace": "App", "MetricName": name}
        query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": period_s, "Stat": stat}}
        answer = await self("GetMetricData", MetricDataQueries=[query], StartTime=start_s, EndTime=end_s)
        [result] = answer["MetricDataResults"]
        return dict(zip(map(int, result["Timestamps"]), result["Values"], strict=True))

    async def points(self) -> dict[int, int]:
        """How many points there are of each resolution."""
        rows = await self.store.read(
            lambda reader: reader.query("SELECT resolution, COUNT(*) FROM cloudwatch_points GROUP BY resolution")
        )
        return dict(rows)
