"""What is granted to a user or a role, as the rights layer reads it."""

from typing import Any

from cloudlet.iam.policies_of import IdentityPolicies, identity_policies
from cloudlet.iam.principals import Principal
from cloudlet.iam.tables import CHANNEL
from tests.support.iam_world import ACCOUNT, ALLOW_ALL, IamWorld, policy

DENY = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
POWER = "arn:aws:iam::aws:policy/PowerUserAccess"


async def granted(world: IamWorld, principal: Principal) -> IdentityPolicies:
    return await world.store.read(lambda reader: identity_policies(reader, principal))


async def create_user(world: IamWorld, name: str, **params: Any) -> Principal:
    user = (await world.call("iam", "CreateUser", UserName=name, **params))["User"]
    return Principal("user", ACCOUNT, user["Arn"], user["UserId"])


async def test_a_user_has_its_own_policies_and_those_of_its_groups(world: IamWorld) -> None:
    alice = await create_user(world, "Alice", Path="/p/", Tags=[{"Key": "Team", "Value": "blue"}])
    mine = (await world.call("iam", "CreatePolicy", PolicyName="Mine", PolicyDocument=ALLOW_ALL))["Policy"]["Arn"]
    await world.call("iam", "CreateGroup", GroupName="Staff")
    await world.call("iam", "AddUserToGroup", GroupName="staff", UserName="alice")
    await world.call("iam", "PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=DENY)
    await world.call("iam", "PutGroupPolicy", GroupName="staff", PolicyName="all", PolicyDocument=ALLOW_ALL)
    await world.call("iam", "AttachUserPolicy", UserName="alice", PolicyArn=mine)
    await world.call("iam", "AttachGroupPolicy", GroupName="staff", PolicyArn=POWER)
    found = await granted(world, alice)
    documents = dict(found.documents)
    assert set(documents) == {"user_Alice_own", mine, "group_Staff_all", POWER}
    assert (documents["user_Alice_own"], documents[mine]) == (DENY, ALLOW_ALL)
    assert found.tags == {"Team": "blue"}
    assert found.boundary is None
    assert found.rests_on == {
        f"{ACCOUNT}/user/alice",
        f"{ACCOUNT}/group/staff",
        f"{ACCOUNT}/policy/mine",
        "aws/policy/poweruseraccess",
    }


async def test_the_version_in_force_counts(world: IamWorld) -> None:
    await world.create_role(PermissionsBoundary=POWER)
    arn = (await world.call("iam", "CreatePolicy", PolicyName="p", PolicyDocument=ALLOW_ALL))["Policy"]["Arn"]
    await world.call("iam", "AttachRolePolicy", RoleName="worker", PolicyArn=arn)
    await world.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY)
    role = (await world.call("iam", "GetRole", RoleName="worker"))["Role"]
    session = Principal("assumed-role", ACCOUNT, "", f"{role['RoleId']}:session", role_arn=role["Arn"])
    found = await granted(world, session)
    assert found.documents == ((arn, ALLOW_ALL),)
    assert found.boundary is not None
    assert found.boundary[0] == POWER
    await world.call("iam", "SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    assert (await granted(world, session)).documents == ((arn, DENY),)


async def test_a_session_goes_by_the_unique_id(world: IamWorld) -> None:
    alice = await create_user(world, "alice")
    await world.call("iam", "PutUserPolicy", UserName="alice", PolicyName="p", PolicyDocument=ALLOW_ALL)
    await world.call("iam", "UpdateUser", UserName="alice", NewUserName="bob")
    assert dict((await granted(world, alice)).documents) == {"user_bob_p": ALLOW_ALL}
    impostor = await create_user(world, "alice")
    await world.call("iam", "PutUserPolicy", UserName="alice", PolicyName="q", PolicyDocument=DENY)
    assert dict((await granted(world, impostor)).documents) == {"user_alice_q": DENY}
    assert dict((await granted(world, alice)).documents) == {"user_bob_p": ALLOW_ALL}
    await world.call("iam", "DeleteUserPolicy", UserName="bob", PolicyName="p")
    await world.call("iam", "DeleteUser", UserName="bob")
    assert (await granted(world, alice)).documents == ()


async def test_root_and_services_have_no_policies(world: IamWorld) -> None:
    assert await granted(world, Principal.root(ACCOUNT)) == IdentityPolicies()
    assert await granted(world, Principal.service("lambda.amazonaws.com", ACCOUNT)) == IdentityPolicies()


async def test_every_change_is_told(world: IamWorld) -> None:
    heard: list[str] = []
    world.store.listen(CHANNEL, heard.append)

    async def tells(operation: str, *payloads: str, **params: Any) -> Any:
        heard.clear()
        answer = await world.call("iam", operation, **params)
        assert set(payloads) <= {payload.removeprefix(f"{ACCOUNT}/") for payload in heard}, operation
        return answer

    user, group, role = {"UserName": "Alice"}, {"GroupName": "Staff"}, {"RoleName": "worker"}
    inline = {"PolicyName": "p", "PolicyDocument": ALLOW_ALL}
    arn = (await tells("CreatePolicy", "policy/mine", PolicyName="Mine", PolicyDocument=ALLOW_ALL))["Policy"]["Arn"]
    await tells("CreatePolicyVersion", "policy/mine", PolicyArn=arn, PolicyDocument=DENY, SetAsDefault=True)
    await tells("CreateUser", "user/alice", **user)
    await tells("CreateGroup", "group/staff", **group)
    await world.create_role()
    await tells("AddUserToGroup", "user/alice", **user, **group)
    for kind, named, path in (
        ("User", user, "user/alice"),
        ("Group", group, "group/staff"),
        ("Role", role, "role/worker"),
    ):
        await tells(f"Put{kind}Policy", path, **named, **inline)
        await tells(f"Attach{kind}Policy", path, **named, PolicyArn=arn)
        await tells(f"Detach{kind}Policy", path, **named, PolicyArn=arn)
        await tells(f"Delete{kind}Policy", path, **named, PolicyName="p")
    await tells("PutUserPermissionsBoundary", "user/alice", **user, PermissionsBoundary=arn)
    await tells("PutRolePermissionsBoundary", "role/worker", **role, PermissionsBoundary=arn)
    await tells("TagUser", "user/alice", **user, Tags=[{"Key": "a", "Value": "b"}])
    await tells("UntagUser", "user/alice", **user, TagKeys=["a"])
    await tells("UpdateGroup", "group/staff", "group/crew", **group, NewGroupName="Crew")
    await tells("UpdateUser", "user/alice", "user/bob", **user, NewUserName="Bob")
    await tells("RemoveUserFromGroup", "user/bob", GroupName="crew", UserName="bob")
    await tells("DeleteUser", "user/bob", UserName="bob")
    await tells("DeleteGroup", "group/crew", GroupName="crew")
    await tells("DeleteRole", "role/worker", **role)
