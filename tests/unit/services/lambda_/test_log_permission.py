"""Whether a function's role may write its log."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from cloudlet.compute.function import FunctionVersion
from cloudlet.errors import AccessDenied
from cloudlet.iam import organisation_table, tables
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.lambda_ import LogPermission
from cloudlet.services.lambda_.log_permission import KEPT_S
from cloudlet.services.lambda_.role import RoleRefused
from cloudlet.services.log_entries import LogRights
from tests.support.lambda_world import ACCOUNT, REGION, ROLE, World

FUNCTION = FunctionVersion(
    ACCOUNT, REGION, "fn", "$LATEST", "e", "python3.12", "h", "d", ROLE, log_group="/aws/lambda/fn"
)
SESSION = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/fn", "AROA:fn", role_arn=ROLE)
NOTHING = LogRights(create_group=False, create_stream=False, put_events=False)


class Authorizer:
    """Denies the operations that are named."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[tuple[Principal, str, str, Mapping[str, Any]]] = []

    async def authorize(self, context: RequestContext, params: Mapping[str, Any]) -> None:
        self.asked.append((context.principal, context.service, context.operation, params))
        if context.operation in self.denied:
            raise AccessDenied("no")


@pytest.fixture
def authorizer() -> Authorizer:
    return Authorizer()


@pytest.fixture
def permission(world: World, authorizer: Authorizer) -> LogPermission:
    return LogPermission(world.platform, authorizer, session)


async def session(_function: FunctionVersion) -> Principal:
    return SESSION


async def test_the_role_is_asked_about_its_group_and_stream(permission: LogPermission, authorizer: Authorizer) -> None:
    assert await permission.rights(FUNCTION, "s") == LogRights()
    group = {"logGroupName": "/aws/lambda/fn"}
    stream = {**group, "logStreamName": "s"}
    assert authorizer.asked == [
        (SESSION, "logs", "CreateLogGroup", group),
        (SESSION, "logs", "CreateLogStream", stream),
        (SESSION, "logs", "PutLogEvents", stream),
    ]


@pytest.mark.parametrize(
    ("operation", "rights"),
    [
        ("CreateLogGroup", LogRights(create_group=False)),
        ("CreateLogStream", LogRights(create_stream=False)),
        ("PutLogEvents", LogRights(put_events=False)),
    ],
)
async def test_each_right_is_one_of_its_own(
    permission: LogPermission, authorizer: Authorizer, operation: str, rights: LogRights
) -> None:
    authorizer.denied = {operation}
    assert await permission.rights(FUNCTION, "s") == rights


async def test_a_role_that_cannot_be_assumed_may_nothing(world: World, authorizer: Authorizer) -> None:
    async def refused(_function: FunctionVersion) -> Principal:
        raise RoleRefused("no")

    assert await LogPermission(world.platform, authorizer, refused).rights(FUNCTION, "s") == NOTHING
    assert authorizer.asked == []


async def test_a_stream_is_decided_once(permission: LogPermission, authorizer: Authorizer) -> None:
    for _ in range(3):
        await permission.rights(FUNCTION, "s")
    assert len(authorizer.asked) == 3
    await permission.rights(FUNCTION, "other")
    assert len(authorizer.asked) == 6


@pytest.mark.parametrize("channel", [tables.CHANNEL, organisation_table.CHANNEL])
async def test_what_was_decided_is_forgotten_when_rights_change(
    world: World, permission: LogPermission, authorizer: Authorizer, channel: str
) -> None:
    await permission.rights(FUNCTION, "s")
    authorizer.denied = {"PutLogEvents"}
    await world.store.transact(lambda tx: tx.notify(channel, "anything"))
    assert not (await permission.rights(FUNCTION, "s")).put_events


async def test_what_was_decided_is_old_after_some_time(
    world: World, permission: LogPermission, authorizer: Authorizer
) -> None:
    await permission.rights(FUNCTION, "s")
    authorizer.denied = {"PutLogEvents"}
    assert (await permission.rights(FUNCTION, "s")).put_events
    await world.clock.advance(KEPT_S)
    assert not (await permission.rights(FUNCTION, "s")).put_events


async def test_a_decision_that_rights_changed_under_is_not_kept(world: World, authorizer: Authorizer) -> None:
    async def changing(_function: FunctionVersion) -> Principal:
        await world.store.transact(lambda tx: tx.notify(tables.CHANNEL, "anything"))
        return SESSION

    permission = LogPermission(world.platform, authorizer, changing)
    await permission.rights(FUNCTION, "s")
    await permission.rights(FUNCTION, "s")
    assert len(authorizer.asked) == 6


async def test_the_nodes_log_says_once_what_is_missing(
    permission: LogPermission, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            permission.refused(FUNCTION, "logs:PutLogEvents")
    [record] = caplog.records
    assert "its role may not logs:PutLogEvents" in record.message
    assert "AWSLambdaBasicExecutionRole" in record.message
    assert vars(record)["role"] == ROLE
    permission.forget()
    permission.refused(FUNCTION, "logs:PutLogEvents")
    assert len(caplog.records) == 2
