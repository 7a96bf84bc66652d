"""The CloudWatch Logs service over a real store and the real dispatcher, on a clock that stands still."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from cloudlet.clock import now_ms
from cloudlet.config import Config
from cloudlet.errors import ServiceError
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.logs import LogsService
from cloudlet.store.base import Store
from cloudlet.store.blobs import Blobs
from cloudlet.wire.model import ServiceModels
from tests.support.clock import ManualClock
from tests.support.own_account import OwnAccountAuthorizer

ACCOUNT = "111111111111"
REGION = "us-east-1"
MODELS = ServiceModels()
SHAPES = get_session().get_service_model("logs")


class LogsWorld:
    """Calls operations as a client does: `await logs("CreateLogGroup", logGroupName="group")`."""

    def __init__(self, folder: Path, store: Store, blobs: Blobs) -> None:
        self.clock = ManualClock(1_790_000_000.0)
        self.store = store
        dispatcher = Dispatcher(MODELS, OwnAccountAuthorizer())
        platform = Platform(Config(data=folder), self.clock, Ids(), store, blobs, dispatcher)
        self.service = LogsService(platform)
        dispatcher.register([self.service])
        self.calls = dispatcher
        self.account = ACCOUNT
        self.region = REGION

    @property
    def now_ms(self) -> int:
        """The time that the service sees."""
        return now_ms(self.clock)

    async def __call__(self, operation: str, **params: Any) -> Mapping[str, Any]:
        """The answer, which has AWS's shape."""
        context = RequestContext(Principal.root(self.account), self.region, "request")
        answer: Mapping[str, Any] = await self.calls.call(context, "logs", operation, params)
        shape = SHAPES.operation_model(operation).output_shape
        if shape is None:
            assert answer == {}
        else:
            report = ParamValidator().validate(answer, shape)
            assert not report.has_errors(), report.generate_report()
        return answer

    async def pages(self, operation: str, **params: Any) -> list[Mapping[str, Any]]:
        """The answers of a call and of those that go on from it."""
        found = [await self(operation, **params)]
        while token := found[-1].get("nextToken"):
            found.append(await self(operation, **params, nextToken=token))
        return found

    async def refuses(self, operation: str, **params: Any) -> tuple[str, str]:
        """The code and the text of the error that a call is answered with."""
        with pytest.raises(ServiceError) as caught:
            await self(operation, **params)
        return caught.value.code, caught.value.message

    async def put(self, group: str, stream: str, *events: tuple[int, str]) -> Mapping[str, Any]:
        """Put events whose times are relative to now, in ms."""
        now = self.now_ms
        listed = [{"timestamp": now + offset, "message": message} for offset, message in events]
        return await self("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=listed)

    async def make(self, group: str, *streams: str) -> None:
        """Make a group and streams in it."""
        await self("CreateLogGroup", logGroupName=group)
        for stream in streams:
            await self("CreateLogStream", logGroupName=group, logStreamName=stream)

    async def rows(self, table: str) -> int:
        """How many rows a table has."""
        found = await self.store.read(lambda reader: reader.one(f"SELECT COUNT(*) FROM {table}"))
        assert found
        return int(found[0])


def messages(answer: Mapping[str, Any]) -> list[str]:
    """The messages of the events of an answer."""
    return [event["message"] for event in answer["events"]]
