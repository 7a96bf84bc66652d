"""IAM's users as boto3 sees them: groups, policies, access keys that work, passwords; held to what AWS answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.iam_world import ALLOW_ALL, policy, trust
from tests.support.nodes import MakeClient

LAMBDA = trust({"Service": "lambda.amazonaws.com"})
ALLOW_IAM = policy({"Effect": "Allow", "Action": ["iam:*", "sts:*"], "Resource": "*"})
PASSWORD = "Correct-Horse-7"
TAGS = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def iam(client: MakeClient) -> Any:
    """IAM in an account of the test's own, as its root."""
    return client("iam")


def refusal(call: Callable[[], Any]) -> tuple[str, int, str]:
    """Code, status and message of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"].get("Message", ""),
    )


def keys_of(iam: Any, user: str) -> tuple[str, str]:
    """A new access key of a user."""
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def own_policy(iam: Any, name: str = "mine") -> str:
    """A managed policy; its ARN."""
    arn: str = iam.create_policy(PolicyName=name, PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    return arn


# Users and groups


def test_a_user_has_all_that_it_was_given(iam: Any, account: str) -> None:
    boundary = own_policy(iam)
    created = iam.create_user(UserName="Alice", Path="/staff/", PermissionsBoundary=boundary, Tags=TAGS)["User"]
    assert created["Arn"] == f"arn:aws:iam::{account}:user/staff/Alice"
    assert created["UserId"].startswith("AIDA")
    assert created["Tags"] == TAGS
    assert created["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert iam.get_user(UserName="aLICE")["User"] == created
    listed = iam.list_users(PathPrefix="/staff/")["Users"]
    assert [user["UserName"] for user in listed] == ["Alice"]
    assert not {"Tags", "PermissionsBoundary"} & listed[0].keys()
    assert refusal(lambda: iam.create_user(UserName="alice")) == (
        "EntityAlreadyExists",
        409,
        "User with name alice already exists.",
    )
    iam.delete_user_permissions_boundary(UserName="Alice")
    assert "PermissionsBoundary" not in iam.get_user(UserName="Alice")["User"]
    iam.put_user_permissions_boundary(UserName="Alice", PermissionsBoundary=boundary)
    assert iam.list_entities_for_policy(PolicyArn=boundary)["PolicyUsers"][0]["UserName"] == "Alice"
    bad = refusal(lambda: iam.put_user_permissions_boundary(UserName="Alice", PermissionsBoundary="x" * 20))
    assert bad == ("InvalidInput", 400, f"ARN {'x' * 20} is not valid.")


def test_a_user_takes_all_along_to_another_name(iam: Any, account: str) -> None:
    arn = own_policy(iam)
    iam.create_user(UserName="alice", Tags=TAGS)
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=ALLOW_ALL)
    iam.create_login_profile(UserName="alice", Password=PASSWORD)
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
    iam.create_user(UserName="carol")
    taken = refusal(lambda: iam.update_user(UserName="alice", NewUserName="CAROL"))
    assert taken == ("EntityAlreadyExists", 409, "User with name CAROL already exists.")
    iam.update_user(UserName="alice", NewUserName="Bob", NewPath="/left/")
    assert refusal(lambda: iam.get_user(UserName="alice"))[0] == "NoSuchEntity"
    user = iam.get_user(UserName="bob")["User"]
    assert (user["Arn"], user["Tags"]) == (f"arn:aws:iam::{account}:user/left/Bob", TAGS)
    assert iam.list_groups_for_user(UserName="bob")["Groups"][0]["GroupName"] == "staff"
    assert iam.get_group(GroupName="staff")["Users"][0]["UserName"] == "Bob"
    assert iam.list_attached_user_policies(UserName="bob")["AttachedPolicies"][0]["PolicyArn"] == arn
    assert iam.list_user_policies(UserName="bob")["PolicyNames"] == ["p"]
    assert iam.get_login_profile(UserName="bob")["LoginProfile"]["UserName"] == "Bob"
    assert iam.list_access_keys(UserName="bob")["AccessKeyMetadata"][0]["AccessKeyId"] == key
    credentials = iam.list_service_specific_credentials(UserName="bob")["ServiceSpecificCredentials"]
    assert credentials[0]["UserName"] == "Bob"
    assert credentials[0]["ServiceUserName"] == f"alice-at-{account}"


def test_a_user_goes_when_nothing_hangs_on_it(iam: Any) -> None:
    arn = own_policy(iam)
    iam.create_user(UserName="alice", Tags=TAGS)
    iam.create_group(GroupName="staff")
    iam.create_login_profile(UserName="alice", Password=PASSWORD)
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=ALLOW_ALL)
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("must delete login profile first.", lambda: iam.delete_login_profile(UserName="alice")),
        ("must delete access keys first.", lambda: iam.delete_access_key(UserName="alice", AccessKeyId=key)),
        (
            "must remove users from group first.",
            lambda: iam.remove_user_from_group(GroupName="staff", UserName="alice"),
        ),
        ("must detach all policies first.", lambda: iam.detach_user_policy(UserName="alice", PolicyArn=arn)),
        ("must delete policies first.", lambda: iam.delete_user_policy(UserName="alice", PolicyName="p")),
    ]
    for text, remove in steps:
        assert refusal(lambda: iam.delete_user(UserName="alice")) == (
            "DeleteConflict",
            409,
            f"Cannot delete entity, {text}",
        )
        remove()
    iam.delete_user(UserName="alice")
    gone = ("NoSuchEntity", 404, "The user with name alice cannot be found.")
    assert refusal(lambda: iam.delete_user(UserName="alice")) == gone
    assert "Tags" not in iam.create_user(UserName="alice")["User"]


def test_names_and_paths_are_refused_in_iams_words(iam: Any) -> None:
    letters = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    for call, name in (
        (lambda: iam.create_user(UserName="a b"), "userName"),
        (lambda: iam.get_user(UserName="a/b"), "userName"),
        (lambda: iam.create_group(GroupName="a:b"), "groupName"),
        (lambda: iam.get_role(RoleName="a*b"), "roleName"),
        (lambda: iam.create_policy(PolicyName="a b", PolicyDocument=ALLOW_ALL), "policyName"),
        (lambda: iam.create_instance_profile(InstanceProfileName="a b"), "instanceProfileName"),
    ):
        assert refusal(call) == ("ValidationError", 400, f"The specified value for {name} is invalid. {letters}")
    path = refusal(lambda: iam.create_user(UserName="alice", Path="/a"))
    assert path[2] == (
        "The specified value for path is invalid. "
        "It must begin and end with / and contain only alphanumeric characters and/or / characters."
    )
    prefix = refusal(lambda: iam.list_users(PathPrefix="a"))
    assert prefix[2] == (
        "The specified value for pathPrefix is invalid. "
        "It must begin with the / character and contain only alphanumeric characters and/or / characters."
    )
    long = refusal(lambda: iam.create_user(UserName="a b" * 30))
    assert long[2] == (
        "1 validation error detected: Value at 'userName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )


def test_groups_hold_users_and_policies(iam: Any, account: str) -> None:
    arn = own_policy(iam)
    created = iam.create_group(GroupName="Staff", Path="/p/")["Group"]
    assert created["Arn"] == f"arn:aws:iam::{account}:group/p/Staff"
    assert created["GroupId"].startswith("AGPA")
    duplicate = refusal(lambda: iam.create_group(GroupName="staff"))
    assert duplicate == ("EntityAlreadyExists", 409, "Group with name staff already exists.")
    for name in ("a", "b", "c"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)
    iam.put_group_policy(GroupName="staff", PolicyName="p", PolicyDocument=ALLOW_ALL)
    iam.attach_group_policy(GroupName="staff", PolicyArn=arn)
    iam.update_group(GroupName="staff", NewGroupName="Crew", NewPath="/q/")
    assert refusal(lambda: iam.get_group(GroupName="staff"))[2] == "The group with name staff cannot be found."
    pages = list(iam.get_paginator("get_group").paginate(GroupName="crew", PaginationConfig={"PageSize": 2}))
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [["a", "b"], ["c"]]
    assert iam.get_group_policy(GroupName="crew", PolicyName="p")["PolicyDocument"] == json.loads(ALLOW_ALL)
    assert iam.list_group_policies(GroupName="crew")["PolicyNames"] == ["p"]
    assert iam.list_attached_group_policies(GroupName="crew")["AttachedPolicies"][0]["PolicyArn"] == arn
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Group")["PolicyGroups"][0]["GroupName"] == "Crew"
    assert [group["GroupName"] for group in iam.list_groups(PathPrefix="/q/")["Groups"]] == ["Crew"]
    assert refusal(lambda: iam.delete_group(GroupName="crew"))[2].endswith("must remove users from group first.")
    for name in ("a", "b", "c"):
        iam.remove_user_from_group(GroupName="crew", UserName=name)
        iam.remove_user_from_group(GroupName="crew", UserName=name)
    assert refusal(lambda: iam.delete_group(GroupName="crew"))[2].endswith("must detach all policies first.")
    iam.detach_group_policy(GroupName="crew", PolicyArn=arn)
    assert refusal(lambda: iam.delete_group(GroupName="crew"))[2].endswith("must delete policies first.")
    iam.delete_group_policy(GroupName="crew", PolicyName="p")
    iam.delete_group(GroupName="crew")
    missing = refusal(lambda: iam.get_group_policy(GroupName="crew", PolicyName="p"))
    assert missing == ("NoSuchEntity", 404, "The group with name crew cannot be found.")


def test_a_user_is_in_ten_groups_and_no_more(iam: Any) -> None:
    iam.create_user(UserName="alice")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="alice")
    one_more = refusal(lambda: iam.add_user_to_group(GroupName="g10", UserName="alice"))
    assert one_more == ("LimitExceeded", 409, "Cannot exceed quota for GroupsPerUser: 10")
    assert len(iam.list_groups_for_user(UserName="alice")["Groups"]) == 10


def test_the_inline_policies_of_each_kind_have_their_own_limit(iam: Any) -> None:
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="staff")

    def document(length: int) -> str:
        name = "s3:" + "x" * (
            length - len(policy({"Effect": "Allow", "Action": "s3:", "Resource": "*"}).replace(" ", ""))
        )
        return policy({"Effect": "Allow", "Action": name, "Resource": "*"})

    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(2048))
    user = refusal(lambda: iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(2049)))
    assert user == ("LimitExceeded", 409, "Maximum policy size of 2048 bytes exceeded for user alice")
    iam.put_group_policy(GroupName="staff", PolicyName="p", PolicyDocument=document(5120))
    group = refusal(lambda: iam.put_group_policy(GroupName="staff", PolicyName="p", PolicyDocument=document(5121)))
    assert group == ("LimitExceeded", 409, "Maximum policy size of 5120 bytes exceeded for group staff")


# Access keys


def test_a_users_key_signs_as_the_user(iam: Any, client: MakeClient, account: str) -> None:
    user = iam.create_user(UserName="alice", Path="/p/")["User"]
    iam.put_user_policy(UserName="alice", PolicyName="iam", PolicyDocument=ALLOW_IAM)
    key = keys_of(iam, "alice")
    sts, own = client("sts", keys=key), client("iam", keys=key)
    identity = sts.get_caller_identity()
    assert (identity["Account"], identity["Arn"], identity["UserId"]) == (account, user["Arn"], user["UserId"])
    assert own.get_user()["User"]["UserName"] == "alice"
    assert [one["AccessKeyId"] for one in own.list_access_keys()["AccessKeyMetadata"]] == [key[0]]
    iam.update_user(UserName="alice", NewUserName="bob")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:user/p/bob"
    iam.update_access_key(UserName="bob", AccessKeyId=key[0], Status="Inactive")
    assert refusal(sts.get_caller_identity)[0] == "InvalidClientTokenId"
    iam.update_access_key(UserName="bob", AccessKeyId=key[0], Status="Active")
    assert sts.get_caller_identity()["UserId"] == user["UserId"]
    own.delete_access_key(AccessKeyId=key[0])
    assert refusal(sts.get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_user_has_two_keys_and_no_more(iam: Any) -> None:
    iam.create_user(UserName="alice")
    keys = [keys_of(iam, "alice")[0] for _ in range(2)]
    one_more = refusal(lambda: iam.create_access_key(UserName="alice"))
    assert one_more == ("LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2")
    listed = iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == set(keys)
    assert {(key["Status"], key["UserName"]) for key in listed} == {("Active", "alice")}
    missing = refusal(lambda: iam.update_access_key(UserName="alice", AccessKeyId="A" * 20, Status="Active"))
    assert missing == ("NoSuchEntity", 404, f"The Access Key with id {'A' * 20} cannot be found.")


def test_the_last_use_of_a_key_is_known(iam: Any, client: MakeClient, account: str) -> None:
    iam.create_user(UserName="alice")
    key = keys_of(iam, "alice")
    unused = iam.get_access_key_last_used(AccessKeyId=key[0])
    assert unused["UserName"] == "alice"
    assert unused["AccessKeyLastUsed"] == {"Region": "N/A", "ServiceName": "N/A"}
    client("sts", keys=key, region="eu-west-1").get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=key[0])["AccessKeyLastUsed"]
    assert (used["Region"], used["ServiceName"]) == ("eu-west-1", "sts")
    assert "LastUsedDate" in used
    assert refusal(lambda: iam.get_access_key_last_used(AccessKeyId="AKIAIOSFODNN7EXAMPLE")) == (
        "AccessDenied",
        403,
        f"User: arn:aws:iam::{account}:root is not authorized to perform iam:GetAccessKeyLastUsed on resource: "
        "access key AKIAIOSFODNN7EXAMPLE",
    )


def test_root_has_keys_of_its_own(iam: Any, client: MakeClient, account: str) -> None:
    key = iam.create_access_key()["AccessKey"]
    assert "UserName" not in key
    root = client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    assert root.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    user = iam.get_user()["User"]
    assert (user["UserId"], user["Arn"]) == (account, f"arn:aws:iam::{account}:root")
    iam.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert refusal(root.get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_role_has_to_name_whom_it_means(iam: Any, client: MakeClient, account: str) -> None:
    trusted = trust({"AWS": account})
    arn = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName="worker", PolicyName="iam", PolicyDocument=ALLOW_IAM)
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="sts", PolicyDocument=ALLOW_IAM)
    sts = client("sts", keys=keys_of(iam, "alice"))
    session = sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    keys = session["AccessKeyId"], session["SecretAccessKey"]
    own = client("iam", keys=keys, token=session["SessionToken"])
    nobody = ("ValidationError", 400, "Must specify userName when calling with non-User credentials")
    assert refusal(own.get_user) == nobody
    assert refusal(own.list_access_keys) == nobody
    assert refusal(lambda: own.delete_access_key(AccessKeyId="A" * 20)) == nobody


# Passwords


def test_a_password_is_set_changed_and_taken_away(iam: Any, client: MakeClient) -> None:
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="iam", PolicyDocument=ALLOW_IAM)
    missing = ("NoSuchEntity", 404, "Login Profile for User alice cannot be found.")
    assert refusal(lambda: iam.get_login_profile(UserName="alice")) == missing
    profile = iam.create_login_profile(UserName="alice", Password=PASSWORD, PasswordResetRequired=True)["LoginProfile"]
    assert (profile["UserName"], profile["PasswordResetRequired"]) == ("alice", True)
    again = refusal(lambda: iam.create_login_profile(UserName="alice", Password=PASSWORD))
    assert again == ("EntityAlreadyExists", 409, "Login Profile for user alice already exists.")
    own = client("iam", keys=keys_of(iam, "alice"))
    own.change_password(OldPassword=PASSWORD, NewPassword=f"{PASSWORD}!")
    assert not iam.get_login_profile(UserName="alice")["LoginProfile"]["PasswordResetRequired"]
    wrong = refusal(lambda: own.change_password(OldPassword=PASSWORD, NewPassword=f"{PASSWORD}!"))
    assert wrong[:2] == ("AccessDenied", 403)
    iam.update_login_profile(UserName="alice", Password=PASSWORD, PasswordResetRequired=True)
    assert iam.get_login_profile(UserName="alice")["LoginProfile"]["PasswordResetRequired"]
    own.change_password(OldPassword=PASSWORD, NewPassword=f"{PASSWORD}?")
    root = refusal(lambda: iam.change_password(OldPassword=PASSWORD, NewPassword=PASSWORD))
    assert root[0] == "InvalidUserType"
    iam.delete_login_profile(UserName="alice")
    assert refusal(lambda: iam.delete_login_profile(UserName="alice")) == missing


def test_passwords_keep_to_the_accounts_policy(iam: Any, client: MakeClient, account: str) -> None:
    none = ("NoSuchEntity", 404, f"The Password Policy with domain name {account} cannot be found.")
    assert refusal(iam.get_account_password_policy) == none
    missing = ("NoSuchEntity", 404, "The account policy with name PasswordPolicy cannot be found.")
    assert refusal(iam.delete_account_password_policy) == missing
    iam.create_user(UserName="alice")
    short = refusal(lambda: iam.create_login_profile(UserName="alice", Password="Aa1!"))
    assert short == ("PasswordPolicyViolation", 400, "Password should have a minimum length of 8")
    iam.update_account_password_policy()
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
        "MinimumPasswordLength": 6,
        "RequireLowercaseCharacters": False,
        "RequireNumbers": False,
        "RequireSymbols": False,
        "RequireUppercaseCharacters": False,
    }
    iam.update_account_password_policy(PasswordReusePrevention=2, RequireSymbols=True, MaxPasswordAge=60)
    policy_now = iam.get_account_password_policy()["PasswordPolicy"]
    assert (policy_now["ExpirePasswords"], policy_now["MaxPasswordAge"]) == (True, 60)
    plain = refusal(lambda: iam.create_login_profile(UserName="alice", Password="abcdef"))
    assert plain == ("PasswordPolicyViolation", 400, "Password should have at least one symbol")
    iam.create_login_profile(UserName="alice", Password="abcdef!")
    iam.put_user_policy(UserName="alice", PolicyName="iam", PolicyDocument=ALLOW_IAM)
    own = client("iam", keys=keys_of(iam, "alice"))
    own.change_password(OldPassword="abcdef!", NewPassword="ghijkl!")
    again = refusal(lambda: own.change_password(OldPassword="ghijkl!", NewPassword="abcdef!"))
    assert again[0] == "PasswordPolicyViolation"
    iam.delete_account_password_policy()
    limits = refusal(
        lambda: iam.update_account_password_policy(
            MinimumPasswordLength=129, PasswordReusePrevention=25, MaxPasswordAge=1096
        )
    )
    assert limits[2].startswith("3 validation errors detected: Value at 'minimumPasswordLength' failed")
