"""IAM and STS over a real store and the real dispatcher, on a clock that stands still."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudlet.config import Config
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.iam import IamService
from cloudlet.services.sts import StsService
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.sqlite import SqliteStore
from cloudlet.wire.model import ServiceModels
from tests.support.clock import ManualClock
from tests.support.own_account import OwnAccountAuthorizer

ACCOUNT = "111111111111"
OTHER_ACCOUNT = "222222222222"
REGION = "us-east-1"
MODELS = ServiceModels()

Json = dict[str, Any]


def policy(*statements: Json) -> str:
    """A policy document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: Json | str, *actions: str, effect: str = "Allow", **extra: Any) -> str:
    """A trust policy of one statement."""
    statement = {"Effect": effect, "Principal": principal, "Action": list(actions or ("sts:AssumeRole",)), **extra}
    return policy(statement)


ANYBODY_HERE = trust({"AWS": ACCOUNT})
ALLOW_ALL = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})


@dataclass
class IamWorld:
    """A node's IAM and STS, without the node."""

    config: Config
    clock: ManualClock
    credentials: Credentials
    dispatcher: Dispatcher
    store: SqliteStore

    async def call(
        self, service: str, operation: str, caller: Principal | None = None, source_arn: str = "", **params: Any
    ) -> Any:
        """Call an operation as `caller`, root of ACCOUNT where none is given."""
        context = RequestContext(caller or Principal.root(ACCOUNT), REGION, "request", source_arn=source_arn)
        return await self.dispatcher.call(context, service, operation, params)

    async def create_role(self, name: str = "worker", trust_policy: str = ANYBODY_HERE, **params: Any) -> str:
        """A role; its ARN."""
        answer = await self.call("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=trust_policy, **params)
        return str(answer["Role"]["Arn"])

    async def assume(
        self, role_arn: str, caller: Principal | None = None, session: str = "session", **params: Any
    ) -> Any:
        """What AssumeRole answers."""
        return await self.call("sts", "AssumeRole", caller, RoleArn=role_arn, RoleSessionName=session, **params)

    async def bearer(self, credentials: Json) -> Principal:
        """Who has these credentials."""
        known = await self.credentials.find(credentials["AccessKeyId"], credentials["SessionToken"])
        assert known is not None
        return known.principal


@asynccontextmanager
async def iam_world(folder: Path, **settings: Any) -> AsyncIterator[IamWorld]:
    """A world whose data is in `folder`, with `settings` of its node."""
    config = Config(data=folder, **settings)
    clock, ids = ManualClock(), Ids()
    store = await SqliteStore.open(folder)
    try:
        credentials = Credentials(config, store, clock, ids)
        await credentials.open()
        dispatcher = Dispatcher(MODELS, OwnAccountAuthorizer())
        platform = Platform(config, clock, ids, store, FolderBlobs(folder / "blobs"), dispatcher)
        services = [IamService(platform, credentials.uses), StsService(platform, credentials)]
        for service in services:
            await store.migrate(service.name, service.migrations)
        dispatcher.register(services)
        yield IamWorld(config, clock, credentials, dispatcher, store)
    finally:
        await store.close()
