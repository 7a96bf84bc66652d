"""Functions' roles."""

import dataclasses
import datetime
from typing import Any

import pytest

from cloudlet.compute.function import ComputeError, FunctionVersion
from cloudlet.errors import AccessDenied, ServiceError, ServiceUnavailable
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.tables import CHANNEL
from cloudlet.services.base import Service, operation
from cloudlet.services.lambda_ import FunctionCredentials
from cloudlet.services.lambda_.role import REFUSED, RoleRefused
from tests.support.lambda_world import ACCOUNT, REGION, ROLE, World

EXPIRATION = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
FUNCTION = FunctionVersion(ACCOUNT, REGION, "fn", "$LATEST", "e", "python3.12", "h", "d", ROLE)


class _NoSuchEntity(ServiceError):
    code = "NoSuchEntity"
    status = 404


class _Sts(Service):
    name = "sts"
    error: ServiceError | None = None
    refused = ""
    calls: list[tuple[RequestContext, dict[str, Any]]]

    @operation("AssumeRole")
    async def assume_role(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((context, params))
        if self.error is not None:
            raise self.error
        if params["RoleArn"] == self.refused:
            raise AccessDenied("no")
        return {
            "Credentials": {
                "AccessKeyId": "ASIAAAAAAAAAAAAAAAAA",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": EXPIRATION,
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"AROA{len(self.calls)}:{params['RoleSessionName']}",
                "Arn": params["RoleArn"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
                + f"/{params['RoleSessionName']}",
            },
        }


class _Iam(Service):
    name = "iam"
    has_role = False

    @operation("GetRole")
    async def get_role(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        if not self.has_role:
            raise _NoSuchEntity("no such role")
        return {"Role": {}}


@pytest.fixture
def sts(world: World) -> _Sts:
    sts = _Sts(world.platform)
    sts.calls = []
    world.dispatcher.register([sts])
    return sts


@pytest.fixture
def iam(world: World) -> _Iam:
    iam = _Iam(world.platform)
    world.dispatcher.register([iam])
    return iam


async def test_credentials_come_from_sts_as_lambda_for_the_function(world: World, sts: _Sts) -> None:
    given = await FunctionCredentials(world.platform).credentials(FUNCTION)
    assert (given.access_key_id, given.secret_access_key, given.session_token) == (
        "ASIAAAAAAAAAAAAAAAAA",
        "secret",
        "token",
    )
    assert given.expiration == EXPIRATION.timestamp()
    [(context, params)] = sts.calls
    assert params["RoleArn"] == ROLE
    assert params["RoleSessionName"] == "fn"
    assert (context.principal.source_service, context.account) == ("lambda.amazonaws.com", ACCOUNT)
    assert context.source_arn == FUNCTION.function_arn


async def test_a_role_that_does_not_let_lambda_in(world: World, sts: _Sts) -> None:
    sts.error = AccessDenied("no")
    with pytest.raises(RoleRefused, match=REFUSED):
        await FunctionCredentials(world.platform).credentials(FUNCTION)


async def test_sts_that_fails_is_an_error_of_the_platform(world: World, sts: _Sts) -> None:
    sts.error = ServiceUnavailable("later")
    with pytest.raises(ComputeError, match="later") as caught:
        await FunctionCredentials(world.platform).credentials(FUNCTION)
    assert not isinstance(caught.value, RoleRefused)


async def test_a_role_is_tried_when_a_function_is_made(world: World, sts: _Sts, iam: _Iam) -> None:
    await world.create()
    assert [params["RoleArn"] for _, params in sts.calls] == [ROLE]


async def test_a_role_that_is_there_and_refuses_is_refused(world: World, sts: _Sts, iam: _Iam) -> None:
    await world.create("before")
    sts.error, iam.has_role = AccessDenied("no"), True
    for call in (world.create(), world.call("UpdateFunctionConfiguration", FunctionName="before", Role=ROLE)):
        with pytest.raises(ServiceError) as caught:
            await call
        assert (caught.value.code, caught.value.message) == ("InvalidParameterValueException", REFUSED)


async def test_in_dev_mode_a_role_need_not_be_there(world: World, sts: _Sts, iam: _Iam) -> None:
    sts.error = AccessDenied("no")
    await world.create()


async def test_with_rights_enforced_it_must(world: World, sts: _Sts, iam: _Iam) -> None:
    sts.error = AccessDenied("no")
    enforced = dataclasses.replace(world.config, auth="enforced")
    world.service.platform = dataclasses.replace(world.platform, config=enforced)
    with pytest.raises(ServiceError, match=REFUSED):
        await world.create()


OTHERS_ROLE = ROLE.replace(ACCOUNT, "222222222222")


async def test_in_dev_mode_a_role_of_an_account_that_is_not_there_means_the_functions_own(
    world: World, sts: _Sts, iam: _Iam
) -> None:
    sts.refused = OTHERS_ROLE
    await world.create(Role=OTHERS_ROLE)
    function = dataclasses.replace(FUNCTION, role_arn=OTHERS_ROLE)
    await FunctionCredentials(world.platform).credentials(function)
    assert sts.calls[-1][1]["RoleArn"] == ROLE


async def test_with_rights_enforced_a_role_is_of_the_functions_account(world: World, sts: _Sts) -> None:
    enforced = dataclasses.replace(world.platform, config=dataclasses.replace(world.config, auth="enforced"))
    world.service.platform = enforced
    with pytest.raises(ServiceError) as caught:
        await world.create(Role=OTHERS_ROLE)
    assert (caught.value.code, caught.value.message) == (
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
    )
    sts.refused = OTHERS_ROLE
    with pytest.raises(RoleRefused):
        await FunctionCredentials(enforced).credentials(dataclasses.replace(FUNCTION, role_arn=OTHERS_ROLE))


async def test_the_session_of_a_function_is_that_of_its_last_credentials(world: World, sts: _Sts) -> None:
    credentials = FunctionCredentials(world.platform)
    await credentials.credentials(FUNCTION)
    session = await credentials.session(FUNCTION)
    assert len(sts.calls) == 1
    assert (session.kind, session.role_arn, session.user_id) == ("assumed-role", ROLE, "AROA1:fn")
    assert (session.access_key_id, session.source_function_arn) == ("ASIAAAAAAAAAAAAAAAAA", FUNCTION.function_arn)


@pytest.mark.parametrize(
    ("payload", "is_old"),
    [("", True), (f"{ACCOUNT}/role/worker", True), (f"{ACCOUNT}/role/other", False), (f"{ACCOUNT}/user/worker", False)],
)
async def test_a_session_is_begun_anew_once_its_role_has_changed(
    world: World, sts: _Sts, payload: str, is_old: bool
) -> None:
    credentials = FunctionCredentials(world.platform)
    first = await credentials.session(FUNCTION)
    await world.store.transact(lambda tx: tx.notify(CHANNEL, payload))
    assert (await credentials.session(FUNCTION) != first) == is_old
    credentials.forget()
    assert await credentials.session(FUNCTION) != first
