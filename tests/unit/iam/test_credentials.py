"""Known keys."""

import configparser
import dataclasses
import stat
from pathlib import Path
from typing import Any

import pytest

from cloudlet.iam.credentials import CREDENTIALS_FILE, Credentials, account_of, make_access_key_id
from cloudlet.iam.principals import Principal
from cloudlet.iam.tokens import InvalidToken
from cloudlet.ids import Ids
from tests.support.iam_world import ACCOUNT, IamWorld, iam_world


async def test_the_root_key_pair_is_of_the_nodes_account(world: IamWorld) -> None:
    access_key_id, secret = world.credentials.root_key
    known = await world.credentials.find(access_key_id, None)
    assert known is not None
    assert known.secret == secret
    assert known.expires is None
    assert known.principal == Principal.root("000000000000", access_key_id)


async def test_the_root_key_pair_is_in_a_file_that_only_its_owner_reads(world: IamWorld) -> None:
    path = world.config.data / CREDENTIALS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    parser = configparser.ConfigParser()
    parser.read(path)
    assert tuple(parser["default"].values()) == world.credentials.root_key


async def test_the_root_key_pair_outlives_the_node(data_folder: Path) -> None:
    async with iam_world(data_folder) as first:
        key, issued = first.credentials.root_key, first.credentials.issue(Principal.root(ACCOUNT), 900)
    (data_folder / CREDENTIALS_FILE).unlink()
    async with iam_world(data_folder) as second:
        assert second.credentials.root_key == key
        assert await second.credentials.find(issued.access_key_id, issued.session_token)
    assert key[1] in (data_folder / CREDENTIALS_FILE).read_text()


async def test_the_root_key_pair_outlives_a_reset_and_sessions_do_not(world: IamWorld) -> None:
    key = world.credentials.root_key
    issued = world.credentials.issue(Principal.root(ACCOUNT), 900)
    await world.store.reset()
    await world.credentials.reset()
    assert world.credentials.root_key == key
    assert await world.credentials.find(key[0], None)
    with pytest.raises(InvalidToken):
        await world.credentials.find(issued.access_key_id, issued.session_token)


async def test_nodes_of_one_store_know_each_others_sessions(world: IamWorld, tmp_path: Path) -> None:
    other = Credentials(dataclasses.replace(world.config, data=tmp_path), world.store, world.clock, Ids())
    await other.open()
    assert other.root_key == world.credentials.root_key
    assert (tmp_path / CREDENTIALS_FILE).exists()
    for issuer, finder in ((world.credentials, other), (other, world.credentials)):
        issued = issuer.issue(Principal.root(ACCOUNT), 900)
        assert await finder.find(issued.access_key_id, issued.session_token)


async def test_nodes_of_one_store_hear_of_a_reset(world: IamWorld, tmp_path: Path) -> None:
    other = Credentials(dataclasses.replace(world.config, data=tmp_path), world.store, world.clock, Ids())
    await other.open()
    old = other.issue(Principal.root(ACCOUNT), 900)
    await world.store.reset()
    await world.credentials.reset()
    new = world.credentials.issue(Principal.root(ACCOUNT), 900)
    assert await other.find(new.access_key_id, new.session_token)
    with pytest.raises(InvalidToken):
        await other.find(old.access_key_id, old.session_token)


@pytest.mark.parametrize(("access_key_id", "account"), [("test", "000000000000"), ("123456789012", "123456789012")])
async def test_in_dev_mode_test_and_twelve_digits_are_root(world: IamWorld, access_key_id: str, account: str) -> None:
    known = await world.credentials.find(access_key_id, "any token")
    assert known is not None
    assert known.secret is None
    assert known.principal == Principal.root(account, access_key_id)


@pytest.mark.parametrize("settings", [{"auth": "enforced"}, {"host": "0.0.0.0"}])
@pytest.mark.parametrize("access_key_id", ["test", "123456789012"])
async def test_elsewhere_they_are_nobody(data_folder: Path, settings: dict[str, str], access_key_id: str) -> None:
    async with iam_world(data_folder, **settings) as world:
        assert await world.credentials.find(access_key_id, None) is None


async def test_they_are_nobody_inside_a_sandbox(world: IamWorld) -> None:
    assert await world.credentials.find("test", None)
    assert await world.credentials.find("test", None, sandboxed=True) is None
    assert await world.credentials.find(world.credentials.root_key[0], None, sandboxed=True)


@pytest.mark.parametrize("access_key_id", ["", "AKIAIOSFODNN7EXAMPLE", "12345678901", "1234567890123", "٣" * 12])
async def test_other_keys_are_not_known(world: IamWorld, access_key_id: str) -> None:
    assert await world.credentials.find(access_key_id, None) is None


async def test_temporary_credentials_are_their_principal(world: IamWorld) -> None:
    session = Principal(
        "assumed-role",
        ACCOUNT,
        f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me",
        "AROAX:me",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/worker",
        session_policies=('{"Statement": []}',),
        session_tags=(("team", "blue"), ("stage", "")),
        transitive_tag_keys=("team",),
        source_identity="alice",
    )
    issued = world.credentials.issue(session, 900)
    known = await world.credentials.find(issued.access_key_id, issued.session_token)
    assert known is not None
    assert known.secret == issued.secret_access_key
    assert known.expires == issued.expires == int(world.clock.now()) + 900
    assert known.principal.access_key_id == issued.access_key_id
    assert known.principal.token_issued == world.clock.now()
    assert known.principal.session_tags == session.session_tags
    assert known.principal.role_arn == session.role_arn
    assert known.principal.session_policies == session.session_policies
    assert known.principal.source_identity == "alice"
    assert known.principal.is_session


async def test_a_temporary_key_is_nobody_without_its_token(world: IamWorld) -> None:
    issued = world.credentials.issue(Principal.root(ACCOUNT), 900)
    assert await world.credentials.find(issued.access_key_id, None) is None
    assert await world.credentials.find(issued.access_key_id, "") is None


async def test_a_token_fits_no_other_key(world: IamWorld) -> None:
    first, second = (world.credentials.issue(Principal.root(ACCOUNT), 900) for _ in range(2))
    with pytest.raises(InvalidToken):
        await world.credentials.find(first.access_key_id, second.session_token)


async def test_another_stores_token_is_invalid(world: IamWorld, tmp_path: Path) -> None:
    async with iam_world(tmp_path / "other") as other:
        issued = other.credentials.issue(Principal.root(ACCOUNT), 900)
    with pytest.raises(InvalidToken):
        await world.credentials.find(issued.access_key_id, issued.session_token)


@pytest.mark.parametrize("account", ["000000000000", "123456789012", "999999999999"])
@pytest.mark.parametrize("prefix", ["AKIA", "ASIA"])
def test_an_access_key_id_tells_its_account(prefix: str, account: str) -> None:
    access_key_id = make_access_key_id(prefix, account, Ids())
    assert access_key_id.startswith(prefix)
    assert len(access_key_id) == 20
    assert account_of(access_key_id) == account


@pytest.mark.parametrize(
    "access_key_id", ["AKIAI44QH8DHBEXAMPLE", "AKIA", "test", "AKIA!!!!!!!!!!!!!!!!", "AKIA7777777777777777"]
)
def test_other_access_key_ids_tell_none(access_key_id: str) -> None:
    assert account_of(access_key_id) is None


def test_a_real_access_key_id_tells_its_account() -> None:
    """The example of https://summitroute.com/blog/2018/06/20/aws_security_credential_formats/ and its kin."""
    assert account_of("ASIAQNZGKIQY56JQ7WML") == "029608264753"


# Keys of users


async def user_key(world: IamWorld, name: str = "alice") -> str:
    await world.call("iam", "CreateUser", UserName=name)
    key_id: str = (await world.call("iam", "CreateAccessKey", UserName=name))["AccessKey"]["AccessKeyId"]
    return key_id


async def test_a_users_key_stands_for_the_user(world: IamWorld) -> None:
    key_id = await user_key(world)
    user = (await world.call("iam", "GetUser", UserName="alice"))["User"]
    known = await world.credentials.find(key_id, None)
    assert known is not None
    assert known.principal == Principal("user", ACCOUNT, user["Arn"], user["UserId"], key_id)
    assert account_of(key_id) == ACCOUNT


async def test_every_node_hears_of_changes_of_keys_and_their_users(world: IamWorld, tmp_path: Path) -> None:
    other = Credentials(dataclasses.replace(world.config, data=tmp_path), world.store, world.clock, Ids())
    await other.open()
    key_id = await user_key(world)
    for node in (world.credentials, other):
        assert await node.find(key_id, None)
    await world.call("iam", "UpdateUser", UserName="alice", NewUserName="bob", NewPath="/p/")
    for node in (world.credentials, other):
        known = await node.find(key_id, None)
        assert known is not None
        assert known.principal.arn == f"arn:aws:iam::{ACCOUNT}:user/p/bob"
    await world.call("iam", "UpdateAccessKey", UserName="bob", AccessKeyId=key_id, Status="Inactive")
    for node in (world.credentials, other):
        assert await node.find(key_id, None) is None
    await world.call("iam", "UpdateAccessKey", UserName="bob", AccessKeyId=key_id, Status="Active")
    for node in (world.credentials, other):
        assert await node.find(key_id, None)
    await world.call("iam", "DeleteAccessKey", UserName="bob", AccessKeyId=key_id)
    for node in (world.credentials, other):
        assert await node.find(key_id, None) is None


async def test_what_changes_while_it_is_read_is_not_kept(world: IamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id = await user_key(world)
    read = world.store.read

    async def read_then_change(fn: Any) -> Any:
        monkeypatch.setattr(world.store, "read", read)
        found = await read(fn)
        await world.call("iam", "UpdateAccessKey", UserName="alice", AccessKeyId=key_id, Status="Inactive")
        return found

    monkeypatch.setattr(world.store, "read", read_then_change)
    await world.credentials.find(key_id, None)
    assert await world.credentials.find(key_id, None) is None
