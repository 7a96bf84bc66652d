"""May a function's role write its log? On AWS its lines are stored as the role: one without the rights has no log.

Asked off the invocations' path, when a stream's first lines are about to be stored; then again when IAM or an
organisation changes, and after some time, for policies may look at the clock.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from cloudlet.compute.function import FunctionVersion
from cloudlet.errors import AccessDenied
from cloudlet.iam import organisation_table, tables
from cloudlet.iam.authorizer import Authorizer
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Params, Platform
from cloudlet.services.lambda_.role import RoleRefused
from cloudlet.services.log_entries import LogRights

logger = logging.getLogger(__name__)

KEPT_S = 10.0
"""Of the platform's time."""
MAX_KEPT = 10_000
BASIC_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
_NOTHING = LogRights(create_group=False, create_stream=False, put_events=False)

FunctionSession = Callable[[FunctionVersion], Awaitable[Principal]]
"""Who a function is when it calls something: `FunctionCredentials.session`. Raises ComputeError."""


class _Log(NamedTuple):
    """A function's log stream, and with which role it is written."""

    function_arn: str
    role_arn: str
    group: str
    stream: str


class LogPermission:
    """Knows who may write which log. One per node."""

    def __init__(self, platform: Platform, authorizer: Authorizer, session: FunctionSession) -> None:
        self._platform = platform
        self._authorizer = authorizer
        self._session = session
        self._kept: OrderedDict[_Log, tuple[LogRights, float]] = OrderedDict()
        self._said: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        """Function, role and action of refusals that the node's log tells of already."""
        self._changes = 0
        for channel in (tables.CHANNEL, organisation_table.CHANNEL):
            platform.store.listen(channel, lambda _payload: self._changed())

    async def rights(self, function: FunctionVersion, log_stream: str) -> LogRights:
        """What the role of `function` may do with its log. Raises ComputeError, StoreError."""
        log = _Log(function.function_arn, function.role_arn, function.log_group, log_stream)
        now = self._platform.clock.now()
        kept = self._kept.get(log)
        if kept is not None and now < kept[1]:
            return kept[0]
        before = self._changes
        try:
            principal = await self._session(function)
        except RoleRefused:
            rights = _NOTHING
        else:
            rights = await self._decided(principal, function.region, log)
        if before == self._changes:
            self._kept[log] = rights, now + KEPT_S
            self._kept.move_to_end(log)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return rights

    def refused(self, function: FunctionVersion, action: str) -> None:
        """Say in the node's log that lines were not stored, the first time."""
        key = function.function_arn, function.role_arn, action
        if key in self._said:
            return
        self._said[key] = None
        if len(self._said) > MAX_KEPT:
            self._said.popitem(last=False)
        logger.warning(
            "a function's log is not stored: its role may not %s (the managed policy %s allows it)",
            action,
            BASIC_POLICY,
            extra={"function": function.function_arn, "role": function.role_arn, "log_group": function.log_group},
        )

    def forget(self) -> None:
        """The store was emptied."""
        self._changed()
        self._said.clear()

    def _changed(self) -> None:
        self._changes += 1
        self._kept.clear()

    async def _decided(self, principal: Principal, region: str, log: _Log) -> LogRights:
        group = {"logGroupName": log.group}
        stream = group | {"logStreamName": log.stream}
        return LogRights(
            await self._may(principal, region, "CreateLogGroup", group),
            await self._may(principal, region, "CreateLogStream", stream),
            await self._may(principal, region, "PutLogEvents", stream),
        )

    async def _may(self, principal: Principal, region: str, operation: str, params: Params) -> bool:
        context = RequestContext(
            principal,
            region,
            self._platform.ids.uuid(),
            "logs",
            operation,
            endpoint=f"https://logs.{region}.amazonaws.com",
        )
        try:
            await self._authorizer.authorize(context, params)
        except AccessDenied:
            return False
        return True
