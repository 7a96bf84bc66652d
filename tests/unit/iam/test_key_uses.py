"""When keys and roles were last used."""

import asyncio

import pytest

from cloudlet.iam import access_key_table
from cloudlet.iam.key_uses import WRITE_EVERY_S
from cloudlet.iam.principals import Principal
from cloudlet.store.base import StoreError
from tests.support.iam_world import ACCOUNT, IamWorld

KEY = "AKIAIOSFODNN7EXAMPLE"


async def last(world: IamWorld, subject: str) -> access_key_table.Use | None:
    return await world.store.read(lambda reader: access_key_table.last_use(reader, subject))


async def test_uses_are_written_once_a_minute(world: IamWorld) -> None:
    uses = world.credentials.uses
    loop = asyncio.create_task(uses.write_forever())
    uses.note(Principal.root(ACCOUNT, KEY), "s3", "us-east-1")
    uses.note(Principal.root(ACCOUNT, KEY), "sqs", "eu-west-1")
    await asyncio.sleep(0)
    assert await last(world, KEY) is None
    world.clock.advance(WRITE_EVERY_S)
    async with asyncio.timeout(10):
        while (use := await last(world, KEY)) is None:
            await asyncio.sleep(0)
    assert (use.service, use.region) == ("sqs", "eu-west-1")
    loop.cancel()


async def test_a_role_is_known_by_its_unique_id_and_other_sessions_are_not_noted(world: IamWorld) -> None:
    uses = world.credentials.uses
    session = Principal("assumed-role", ACCOUNT, "", "AROAX:name", "ASIAX", token_issued=1.0)
    uses.note(session, "lambda", "us-east-1")
    uses.note(Principal("user", ACCOUNT, "", "AIDAX", "ASIAY", token_issued=1.0), "lambda", "us-east-1")
    await uses.write()
    assert await last(world, "AROAX") is not None
    assert await last(world, "ASIAY") is None


async def test_an_older_use_does_not_hide_a_newer_one(world: IamWorld) -> None:
    newer = access_key_table.Use(KEY, 2.0, "s3", "us-east-1")
    older = access_key_table.Use(KEY, 1.0, "sqs", "us-east-1")
    for use in (newer, older):
        await world.store.transact(lambda tx, use=use: access_key_table.put_uses(tx, [use]))  # type: ignore[misc]
    assert await last(world, KEY) == newer


async def test_what_cannot_be_written_is_kept(world: IamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = world.credentials.uses
    uses.note(Principal.root(ACCOUNT, KEY), "s3", "us-east-1")

    async def fail(_: object) -> None:
        raise StoreError("full")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "transact", fail)
        with pytest.raises(StoreError):
            await uses.write()
    await uses.write()
    assert await last(world, KEY) is not None


async def test_what_was_noted_is_forgotten_with_the_store(world: IamWorld) -> None:
    world.credentials.uses.note(Principal.root(ACCOUNT, KEY), "s3", "us-east-1")
    world.credentials.uses.forget()
    await world.credentials.uses.write()
    assert await last(world, KEY) is None
