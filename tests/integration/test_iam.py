"""IAM as boto3 sees it: roles, their policies and tags, managed policies."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.iam_world import ALLOW_ALL, trust
from tests.support.nodes import MakeClient

LAMBDA = trust({"Service": "lambda.amazonaws.com"})
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def iam(client: MakeClient) -> Any:
    """IAM in an account of the test's own."""
    return client("iam")


def refusal(call: Callable[[], Any]) -> tuple[str, int, str]:
    """Code, status and message of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{os.urandom(6).hex()}"


# Roles


def test_a_role_has_all_that_it_was_given(iam: Any, account: str) -> None:
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    created = iam.create_role(
        RoleName="Worker",
        Path="/app/",
        AssumeRolePolicyDocument=LAMBDA,
        Description="Does the work",
        MaxSessionDuration=7200,
        PermissionsBoundary=boundary,
        Tags=[{"Key": "Team", "Value": "blue"}],
    )["Role"]
    assert "MaxSessionDuration" not in created
    assert created["RoleId"].startswith("AROA")
    assert len(created["RoleId"]) == 21
    assert created["Tags"] == [{"Key": "Team", "Value": "blue"}]
    for name in ("Worker", "wORKER"):
        role = iam.get_role(RoleName=name)["Role"]
        assert role["Arn"] == f"arn:aws:iam::{account}:role/app/Worker"
        assert role["Description"] == "Does the work"
        assert role["MaxSessionDuration"] == 7200
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
        assert role["AssumeRolePolicyDocument"] == json.loads(LAMBDA)
        assert role["RoleLastUsed"] == {}
    assert iam.get_policy(PolicyArn=boundary)["Policy"]["PermissionsBoundaryUsageCount"] == 1


def test_a_role_is_changed(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    iam.update_role(RoleName="worker", Description="new", MaxSessionDuration=43200)
    assert iam.update_role_description(RoleName="worker", Description="newer")["Role"]["Description"] == "newer"
    role = iam.get_role(RoleName="worker")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("newer", 43200)
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=BASIC)
    assert "PermissionsBoundary" in iam.get_role(RoleName="worker")["Role"]
    iam.delete_role_permissions_boundary(RoleName="worker")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="worker")["Role"]


def test_names_are_unique_without_regard_to_case(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    assert refusal(lambda: iam.create_role(RoleName="WORKER", AssumeRolePolicyDocument=LAMBDA)) == (
        "EntityAlreadyExists",
        409,
        "Role with name WORKER already exists.",
    )


def test_a_role_goes_when_nothing_hangs_on_it(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA, Tags=[{"Key": "a", "Value": "b"}])
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=ALLOW_ALL)
    attached = refusal(lambda: iam.delete_role(RoleName="worker"))
    assert attached == ("DeleteConflict", 409, "Cannot delete entity, must detach all policies first.")
    iam.detach_role_policy(RoleName="worker", PolicyArn=BASIC)
    inline = refusal(lambda: iam.delete_role(RoleName="worker"))
    assert inline == ("DeleteConflict", 409, "Cannot delete entity, must delete policies first.")
    iam.delete_role_policy(RoleName="worker", PolicyName="all")
    iam.delete_role(RoleName="worker")
    gone = ("NoSuchEntity", 404, "The role with name worker cannot be found.")
    assert refusal(lambda: iam.get_role(RoleName="worker")) == gone
    assert refusal(lambda: iam.delete_role(RoleName="worker")) == gone
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    assert "Tags" not in iam.get_role(RoleName="worker")["Role"]


def test_roles_are_listed_in_pages_below_a_path(iam: Any) -> None:
    for number in range(5):
        iam.create_role(RoleName=f"r{number}", Path=f"/p{number % 2}/x/", AssumeRolePolicyDocument=LAMBDA)
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert names == ["r0", "r1", "r2", "r3", "r4"]
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix="/p0/", PaginationConfig={"PageSize": 2}))
    assert [[role["RoleName"] for role in page["Roles"]] for page in pages] == [["r0", "r2"], ["r4"]]
    assert iam.list_roles(PathPrefix="/p")["Roles"]
    assert iam.list_roles(PathPrefix="/q/")["Roles"] == []
    assert refusal(lambda: iam.list_roles(Marker="nonsense!"))[0] == "ValidationError"


def test_accounts_do_not_see_each_others_roles(iam: Any, client: MakeClient) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    other = client("iam", account="222222222222")
    assert refusal(lambda: other.get_role(RoleName="worker"))[0] == "NoSuchEntity"
    assert all(role["RoleName"] != "worker" for role in other.list_roles()["Roles"])


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ("{", "MalformedPolicyDocument", "This policy contains invalid Json"),
        (
            trust({"AWS": "me"}),
            "MalformedPolicyDocument",
            'Invalid principal in policy: "AWS":"me"',
        ),
        (
            trust({"Service": "lambda.amazonaws.com"}, "lambda:InvokeFunction"),
            "MalformedPolicyDocument",
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            trust({"Service": "lambda.amazonaws.com"}, Sid="x" * 2048),
            "LimitExceeded",
            "Cannot exceed quota for ACLSizePerRole: 2048",
        ),
    ],
)
def test_a_trust_policy_is_checked(iam: Any, document: str, code: str, message: str) -> None:
    create = refusal(lambda: iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document))
    assert (create[0], create[2]) == (code, message)
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    update = refusal(lambda: iam.update_assume_role_policy(RoleName="worker", PolicyDocument=document))
    assert update == create


def test_a_trust_policy_names_only_roles_that_are_there(iam: Any, account: str) -> None:
    arn = f"arn:aws:iam::{account}:role/caller"
    document = trust({"AWS": arn})
    assert refusal(lambda: iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document)) == (
        "MalformedPolicyDocument",
        400,
        f'Invalid principal in policy: "AWS":"{arn}"',
    )
    iam.create_role(RoleName="caller", AssumeRolePolicyDocument=LAMBDA)
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document)


# Inline policies and tags


def test_inline_policies_are_kept_with_their_role(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    for name in ("c", "a", "B"):
        iam.put_role_policy(RoleName="worker", PolicyName=name, PolicyDocument=ALLOW_ALL)
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["a", "B", "c"]
    pages = iam.get_paginator("list_role_policies").paginate(RoleName="worker", PaginationConfig={"PageSize": 2})
    assert [page["PolicyNames"] for page in pages] == [["a", "B"], ["c"]]
    found = iam.get_role_policy(RoleName="worker", PolicyName="b")
    assert found["PolicyName"] == "B"
    assert found["PolicyDocument"] == json.loads(ALLOW_ALL)
    iam.delete_role_policy(RoleName="worker", PolicyName="b")
    gone = ("NoSuchEntity", 404, "The role policy with name b cannot be found.")
    assert refusal(lambda: iam.get_role_policy(RoleName="worker", PolicyName="b")) == gone
    assert refusal(lambda: iam.delete_role_policy(RoleName="worker", PolicyName="b")) == gone


def test_inline_policies_are_checked(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)

    def put(document: str, role: str = "worker") -> tuple[str, int, str]:
        return refusal(lambda: iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document))

    assert put(ALLOW_ALL, "nobody")[0] == "NoSuchEntity"
    assert put("text") == ("MalformedPolicyDocument", 400, "Syntax errors in policy.")
    assert put(LAMBDA) == ("MalformedPolicyDocument", 400, "Policy document should not specify a principal.")
    long = ALLOW_ALL.replace('"*"', json.dumps(["s3:GetObject" + "x" * 10240]), 1)
    assert put(long) == ("LimitExceeded", 409, "Maximum policy size of 10240 bytes exceeded for role worker")
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == []


def test_tags_are_put_replaced_and_taken_away(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    iam.tag_role(RoleName="worker", Tags=[{"Key": "Team", "Value": "blue"}, {"Key": "stage", "Value": ""}])
    iam.tag_role(RoleName="worker", Tags=[{"Key": "team", "Value": "red"}])
    assert iam.list_role_tags(RoleName="worker")["Tags"] == [
        {"Key": "stage", "Value": ""},
        {"Key": "team", "Value": "red"},
    ]
    iam.untag_role(RoleName="worker", TagKeys=["TEAM", "nothing"])
    assert iam.get_role(RoleName="worker")["Role"]["Tags"] == [{"Key": "stage", "Value": ""}]


def test_tags_are_limited_and_unique(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refusal(lambda: iam.tag_role(RoleName="worker", Tags=twice)) == (
        "InvalidInput",
        400,
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )
    iam.tag_role(RoleName="worker", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    assert (
        refusal(lambda: iam.tag_role(RoleName="worker", Tags=[{"Key": "one more", "Value": ""}]))[0] == "LimitExceeded"
    )
    assert len(iam.list_role_tags(RoleName="worker")["Tags"]) == 50


# Managed policies


def test_a_policy_has_versions(iam: Any) -> None:
    policy = iam.create_policy(PolicyName="all", Path="/p/", Description="All", PolicyDocument=ALLOW_ALL)["Policy"]
    arn = policy["Arn"]
    assert policy["PolicyId"].startswith("ANPA")
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL.replace("Allow", "Deny"))[
        "PolicyVersion"
    ]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    third = iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL, SetAsDefault=True)["PolicyVersion"]
    assert (third["VersionId"], third["IsDefaultVersion"]) == ("v3", True)
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(version["VersionId"], version["IsDefaultVersion"]) for version in listed] == [
        ("v3", True),
        ("v2", False),
        ("v1", False),
    ]
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
    assert [[version["VersionId"] for version in page["Versions"]] for page in pages] == [["v3", "v2"], ["v1"]]
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Effect"] == "Deny"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    found = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (found["DefaultVersionId"], found["Description"]) == ("v1", "All")


def test_versions_are_limited_and_their_numbers_not_given_twice(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="all", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL)
    code, status, message = refusal(lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL))
    assert (code, status) == ("LimitExceeded", 409)
    assert message.startswith("A managed policy can have up to 5 versions.")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    created = iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL)
    assert created["PolicyVersion"]["VersionId"] == "v6"
    default = refusal(lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v1"))
    assert default == ("DeleteConflict", 409, "Cannot delete the default version of a policy.")
    missing = refusal(lambda: iam.get_policy_version(PolicyArn=arn, VersionId="v5"))
    assert missing == ("NoSuchEntity", 404, f"Policy {arn} version v5 does not exist or is not attachable.")


def test_a_policy_goes_when_it_is_not_used(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="all", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    used = refusal(lambda: iam.delete_policy(PolicyArn=arn))
    assert used == ("DeleteConflict", 409, "Cannot delete a policy attached to entities.")
    iam.detach_role_policy(RoleName="worker", PolicyArn=arn)
    detached = refusal(lambda: iam.detach_role_policy(RoleName="worker", PolicyArn=arn))
    assert detached == ("NoSuchEntity", 404, f"Policy {arn} was not found.")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL)
    versions = refusal(lambda: iam.delete_policy(PolicyArn=arn))
    assert versions[0] == "DeleteConflict"
    assert versions[2].startswith("This policy has more than one version.")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    assert refusal(lambda: iam.get_policy(PolicyArn=arn)) == ("NoSuchEntity", 404, f"Policy {arn} was not found.")


def test_policies_are_checked_and_unique(iam: Any) -> None:
    iam.create_policy(PolicyName="all", PolicyDocument=ALLOW_ALL)
    assert refusal(lambda: iam.create_policy(PolicyName="ALL", PolicyDocument=ALLOW_ALL)) == (
        "EntityAlreadyExists",
        409,
        "A policy called ALL already exists. Duplicate names are not allowed.",
    )
    bad = refusal(lambda: iam.create_policy(PolicyName="bad", PolicyDocument="{}"))
    assert bad == ("MalformedPolicyDocument", 400, "Syntax errors in policy.")
    long = ALLOW_ALL.replace('"*"', json.dumps(["s3:GetObject" + "x" * 6144]), 1)
    assert refusal(lambda: iam.create_policy(PolicyName="long", PolicyDocument=long)) == (
        "LimitExceeded",
        409,
        "Cannot exceed quota for PolicySize: 6144",
    )


def test_awss_policies_are_there_and_nobodys_to_change(iam: Any) -> None:
    policy = iam.get_policy(PolicyArn=BASIC)["Policy"]
    assert policy["PolicyName"] == "AWSLambdaBasicExecutionRole"
    document = iam.get_policy_version(PolicyArn=BASIC, VersionId=policy["DefaultVersionId"])["PolicyVersion"][
        "Document"
    ]
    assert document["Statement"][0]["Action"] == ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    outside = ("AccessDenied", 403, "Policy is outside your own account.")
    assert refusal(lambda: iam.delete_policy(PolicyArn=BASIC)) == outside
    assert refusal(lambda: iam.create_policy_version(PolicyArn=BASIC, PolicyDocument=ALLOW_ALL)) == outside


def test_another_accounts_policy_cannot_be_attached(iam: Any, client: MakeClient) -> None:
    other = client("iam", account="222222222222")
    arn = other.create_policy(PolicyName=unique("all"), PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    attach = refusal(lambda: iam.attach_role_policy(RoleName="worker", PolicyArn=arn))
    assert attach == ("NoSuchEntity", 404, f"Policy {arn} does not exist or is not attachable.")
    assert refusal(lambda: iam.get_policy(PolicyArn=arn))[0] == "AccessDenied"


def test_attached_policies_are_limited_and_listed(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    for number in range(9):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    one_more = refusal(
        lambda: iam.attach_role_policy(RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    )
    assert one_more == ("LimitExceeded", 409, "Cannot exceed quota for PoliciesPerRole: 10")
    attached = iam.list_attached_role_policies(RoleName="worker")
    assert len(attached["AttachedPolicies"]) == 10
    assert {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC} in attached["AttachedPolicies"]
    service_roles = iam.list_attached_role_policies(RoleName="worker", PathPrefix="/service-role/")
    assert [policy["PolicyArn"] for policy in service_roles["AttachedPolicies"]] == [BASIC]
    pages = iam.get_paginator("list_attached_role_policies").paginate(
        RoleName="worker", PaginationConfig={"PageSize": 4}
    )
    assert [len(page["AttachedPolicies"]) for page in pages] == [4, 4, 2]


def test_policies_are_listed_by_who_has_them_and_how_they_are_used(iam: Any) -> None:
    own = iam.create_policy(PolicyName="mine", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA, PermissionsBoundary=own)
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)

    def arns(**filters: Any) -> list[str]:
        return [policy["Arn"] for policy in iam.list_policies(**filters)["Policies"]]

    assert arns(Scope="Local") == [own]
    assert own not in arns(Scope="AWS")
    assert {own, BASIC} <= set(arns())
    assert arns(OnlyAttached=True) == [BASIC, own]
    assert arns(PolicyUsageFilter="PermissionsPolicy") == [BASIC]
    assert arns(PolicyUsageFilter="PermissionsBoundary") == [own]
    assert all("/service-role/" in arn for arn in arns(PathPrefix="/service-role/"))
    pages = list(iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 7}))
    assert [policy["Arn"] for page in pages for policy in page["Policies"]] == arns()


def test_the_entities_of_a_policy_are_listed(iam: Any) -> None:
    iam.create_role(RoleName="attached", AssumeRolePolicyDocument=LAMBDA)
    iam.create_role(RoleName="bounded", Path="/p/", AssumeRolePolicyDocument=LAMBDA, PermissionsBoundary=BASIC)
    iam.attach_role_policy(RoleName="attached", PolicyArn=BASIC)

    def names(**filters: Any) -> list[str]:
        answer = iam.list_entities_for_policy(PolicyArn=BASIC, **filters)
        assert answer["PolicyUsers"] == answer["PolicyGroups"] == []
        return [role["RoleName"] for role in answer["PolicyRoles"]]

    assert names() == ["attached", "bounded"]
    assert names(PolicyUsageFilter="PermissionsPolicy") == ["attached"]
    assert names(PolicyUsageFilter="PermissionsBoundary") == ["bounded"]
    assert names(PathPrefix="/p/") == ["bounded"]
    assert names(EntityFilter="User") == []


def test_policies_have_tags(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=ALLOW_ALL, Tags=[{"Key": "a", "Value": "1"}])["Policy"][
        "Arn"
    ]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Tags"] == [{"Key": "b", "Value": "2"}]
