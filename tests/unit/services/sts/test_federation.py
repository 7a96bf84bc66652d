"""GetFederationToken and GetSessionToken: sessions of users, and who may ask for them."""

from typing import Any

import pytest

from cloudlet.errors import AccessDenied, ValidationError
from cloudlet.iam.compiled import compiled
from cloudlet.iam.evaluate import PolicySet, evaluate
from cloudlet.iam.granted import GrantedPolicies
from cloudlet.iam.principals import Principal
from cloudlet.iam.request import AccessRequest
from cloudlet.services.sts.errors import InvalidAuthorizationMessage
from tests.support.iam_world import ACCOUNT, ALLOW_ALL, OTHER_ACCOUNT, IamWorld, policy

READS = policy({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"})
GET, PUT = "s3:GetObject", "s3:PutObject"


@pytest.fixture
async def alice(world: IamWorld) -> Principal:
    """A user who may do everything with S3."""
    user = (await world.call("iam", "CreateUser", UserName="alice"))["User"]
    document = policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    await world.call("iam", "PutUserPolicy", UserName="alice", PolicyName="s3", PolicyDocument=document)
    return Principal("user", ACCOUNT, user["Arn"], user["UserId"], "AKIA")


async def _may(world: IamWorld, principal: Principal, action: str, resource_policy: str | None = None) -> bool:
    granted_policies = GrantedPolicies(world.store)
    granted = await granted_policies.of(principal)
    granted_policies.close()
    resource = None if resource_policy is None else compiled(resource_policy)
    policies = PolicySet(granted.identity, resource, granted.boundary, granted.session)
    return evaluate(AccessRequest(principal, action, "arn:aws:s3:::b/k"), policies).is_allowed


async def _federated(world: IamWorld, caller: Principal, **params: Any) -> Principal:
    answer = await world.call("sts", "GetFederationToken", caller, Name="bob", **params)
    return await world.bearer(answer["Credentials"])


async def test_a_federated_user_has_a_name_and_a_token(world: IamWorld, alice: Principal) -> None:
    answer = await world.call("sts", "GetFederationToken", alice, Name="bob", Policy=READS)
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:bob", "Arn": arn}
    assert answer["PackedPolicySize"] > 0
    assert answer["Credentials"]["Expiration"].timestamp() - world.clock.now() == 12 * 3600
    bearer = await world.bearer(answer["Credentials"])
    assert (bearer.kind, bearer.arn) == ("federated-user", arn)
    assert await world.call("sts", "GetCallerIdentity", bearer) == {
        "UserId": f"{ACCOUNT}:bob",
        "Account": ACCOUNT,
        "Arn": arn,
    }


async def test_a_federated_user_may_what_both_the_user_and_the_policy_allow(world: IamWorld, alice: Principal) -> None:
    bob = await _federated(world, alice, Policy=policy({"Effect": "Allow", "Action": "*", "Resource": "*"}))
    assert await _may(world, bob, GET)
    assert not await _may(world, bob, "sqs:SendMessage")
    bob = await _federated(world, alice, Policy=READS)
    assert await _may(world, bob, GET)
    assert not await _may(world, bob, PUT)


async def test_without_a_policy_a_federated_user_has_what_resources_grant_to_it(
    world: IamWorld, alice: Principal
) -> None:
    bob = await _federated(world, alice)
    assert not await _may(world, bob, GET)
    statement = {"Effect": "Allow", "Action": GET, "Resource": "*"}
    assert await _may(world, bob, GET, policy({**statement, "Principal": {"AWS": bob.arn}}))
    assert not await _may(world, bob, GET, policy({**statement, "Principal": {"AWS": alice.arn}}))
    assert not await _may(world, bob, GET, policy({**statement, "Principal": {"AWS": ACCOUNT}}))


async def test_what_the_user_loses_the_federated_user_loses(world: IamWorld, alice: Principal) -> None:
    bob = await _federated(world, alice, Policy=ALLOW_ALL)
    assert await _may(world, bob, GET)
    await world.call("iam", "DeleteUserPolicy", UserName="alice", PolicyName="s3")
    assert not await _may(world, bob, GET)


async def test_roots_federated_user_may_what_the_policy_allows(world: IamWorld) -> None:
    answer = await world.call("sts", "GetFederationToken", Name="bob", Policy=READS, DurationSeconds=129600)
    assert answer["Credentials"]["Expiration"].timestamp() - world.clock.now() == 3600
    bob = await world.bearer(answer["Credentials"])
    assert await _may(world, bob, GET)
    assert not await _may(world, bob, PUT)


@pytest.mark.parametrize("operation", ["GetFederationToken", "GetSessionToken"])
async def test_a_session_gets_no_further_session(world: IamWorld, alice: Principal, operation: str) -> None:
    params = {"Name": "bob"} if operation == "GetFederationToken" else {}
    issued = await world.call("sts", operation, alice, **params)
    bearer = await world.bearer(issued["Credentials"])
    with pytest.raises(AccessDenied, match=f"^Cannot call {operation} with session credentials$"):
        await world.call("sts", operation, bearer, **params)


@pytest.mark.parametrize("duration_s", [899, 129601])
async def test_a_federated_session_has_aws_limits(world: IamWorld, alice: Principal, duration_s: int) -> None:
    with pytest.raises(ValidationError):
        await world.call("sts", "GetFederationToken", alice, Name="bob", DurationSeconds=duration_s)


async def test_an_encoded_message_is_read_in_its_account_only(world: IamWorld) -> None:
    message = world.credentials.seal_message(ACCOUNT, '{"allowed":false}')
    decode = "DecodeAuthorizationMessage"
    assert await world.call("sts", decode, EncodedMessage=message) == {"DecodedMessage": '{"allowed":false}'}
    for other in (message[:-8] + "AAAAAAA=", "nothing", message[:20]):
        with pytest.raises(InvalidAuthorizationMessage):
            await world.call("sts", decode, EncodedMessage=other)
    with pytest.raises(InvalidAuthorizationMessage):
        await world.call("sts", decode, Principal.root(OTHER_ACCOUNT), EncodedMessage=message)
