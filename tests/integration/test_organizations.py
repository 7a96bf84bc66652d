"""Organizations as boto3 sees it: accounts that are made, units, and policies that bind all who are below them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.nodes import MakeClient, fresh_account

Json = dict[str, Any]
FULL = "p-FullAWSAccess"


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


DENY_LOGS = document({"Effect": "Deny", "Action": "logs:Create*", "Resource": "*"})


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Code and message of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def organizations(client: MakeClient) -> Any:
    """Organizations, for the account that manages a new organisation."""
    made = client("organizations")
    made.create_organization()
    return made


@pytest.fixture
def root_id(organizations: Any) -> str:
    return str(organizations.list_roots()["Roots"][0]["Id"])


@pytest.fixture
def create_account(organizations: Any) -> Callable[..., str]:
    """Makes an account; its number."""

    def create(name: str = "dev", **params: Any) -> str:
        email = f"{fresh_account()}@example.com"
        begun = organizations.create_account(AccountName=name, Email=email, **params)["CreateAccountStatus"]
        assert begun["State"] == "IN_PROGRESS"
        status = organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])
        assert status["CreateAccountStatus"]["State"] == "SUCCEEDED"
        return str(status["CreateAccountStatus"]["AccountId"])

    return create


@pytest.fixture
def assume(client: MakeClient) -> Callable[..., Any]:
    """A client in another account, by the role that its creation made."""

    def make(account: str, service: str, role: str = "OrganizationAccountAccessRole") -> Any:
        arn = f"arn:aws:iam::{account}:role/{role}"
        keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
        pair = keys["AccessKeyId"], keys["SecretAccessKey"]
        return client(service, keys=pair, token=keys["SessionToken"])

    return make


def test_an_organisation_has_all_features_and_one_root(organizations: Any, account: str) -> None:
    found = organizations.describe_organization()["Organization"]
    assert found["FeatureSet"] == "ALL"
    assert found["MasterAccountId"] == account
    assert found["Arn"] == f"arn:aws:organizations::{account}:organization/{found['Id']}"
    assert found["MasterAccountArn"] == f"arn:aws:organizations::{account}:account/{found['Id']}/{account}"
    [root] = organizations.list_roots()["Roots"]
    assert root["Arn"] == f"arn:aws:organizations::{account}:root/{found['Id']}/{root['Id']}"
    assert root["PolicyTypes"] == [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
    assert refusal(organizations.create_organization)[0] == "AlreadyInOrganizationException"


def test_without_an_organisation_everything_says_so(client: MakeClient) -> None:
    code, text = refusal(client("organizations").list_accounts)
    assert (code, text) == (
        "AWSOrganizationsNotInUseException",
        "Your account is not a member of an organization.",
    )


def test_a_made_account_is_entered_by_its_role(
    organizations: Any, create_account: Callable[..., str], assume: Callable[..., Any], client: MakeClient
) -> None:
    dev = create_account("dev")
    identity = assume(dev, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{dev}:assumed-role/OrganizationAccountAccessRole/me"
    assume(dev, "logs").create_log_group(logGroupName="there")
    assert client("logs").describe_log_groups()["logGroups"] == []
    described = organizations.describe_account(AccountId=dev)["Account"]
    assert (described["Name"], described["Status"], described["JoinedMethod"]) == ("dev", "ACTIVE", "CREATED")
    other = create_account("ops", RoleName="Enter", Tags=[{"Key": "team", "Value": "red"}])
    assert assume(other, "sts", "Enter").get_caller_identity()["Account"] == other
    assert organizations.list_tags_for_resource(ResourceId=other)["Tags"] == [{"Key": "team", "Value": "red"}]
    listed = {one["Id"]: one["Name"] for one in organizations.list_accounts()["Accounts"]}
    assert listed.items() >= {dev: "dev", other: "ops"}.items()
    assert len(listed) == 3


def test_an_address_is_used_once(organizations: Any, create_account: Callable[..., str]) -> None:
    dev = create_account()
    email = organizations.describe_account(AccountId=dev)["Account"]["Email"]
    begun = organizations.create_account(AccountName="again", Email=email)["CreateAccountStatus"]
    status = organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])["CreateAccountStatus"]
    assert (status["State"], status["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    failed = organizations.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert [one["Id"] for one in failed] == [begun["Id"]]


def test_a_member_sees_its_organisation_and_no_more(
    client: MakeClient, create_account: Callable[..., str], account: str
) -> None:
    dev = client("organizations", account=create_account())
    assert dev.describe_organization()["Organization"]["MasterAccountId"] == account
    assert refusal(dev.list_accounts) == (
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    )


def test_accounts_move_between_units(organizations: Any, root_id: str, create_account: Callable[..., str]) -> None:
    dev = create_account()
    unit = organizations.create_organizational_unit(ParentId=root_id, Name="apps")["OrganizationalUnit"]["Id"]
    assert refusal(organizations.create_organizational_unit, ParentId=root_id, Name="apps")[0] == (
        "DuplicateOrganizationalUnitException"
    )
    organizations.move_account(AccountId=dev, SourceParentId=root_id, DestinationParentId=unit)
    assert organizations.list_parents(ChildId=dev)["Parents"] == [{"Id": unit, "Type": "ORGANIZATIONAL_UNIT"}]
    assert organizations.list_parents(ChildId=unit)["Parents"] == [{"Id": root_id, "Type": "ROOT"}]
    assert [one["Id"] for one in organizations.list_accounts_for_parent(ParentId=unit)["Accounts"]] == [dev]
    assert organizations.list_children(ParentId=unit, ChildType="ACCOUNT")["Children"] == [
        {"Id": dev, "Type": "ACCOUNT"}
    ]
    move = {"AccountId": dev, "SourceParentId": root_id}
    assert refusal(organizations.move_account, **move, DestinationParentId=unit)[0] == "DuplicateAccountException"
    assert refusal(organizations.move_account, **move, DestinationParentId=root_id)[0] == (
        "SourceParentNotFoundException"
    )
    assert refusal(organizations.delete_organizational_unit, OrganizationalUnitId=unit)[0] == (
        "OrganizationalUnitNotEmptyException"
    )
    renamed = organizations.update_organizational_unit(OrganizationalUnitId=unit, Name="services")
    assert renamed["OrganizationalUnit"]["Name"] == "services"
    organizations.move_account(AccountId=dev, SourceParentId=unit, DestinationParentId=root_id)
    organizations.delete_organizational_unit(OrganizationalUnitId=unit)
    assert refusal(organizations.describe_organizational_unit, OrganizationalUnitId=unit)[0] == (
        "OrganizationalUnitNotFoundException"
    )


def test_units_go_five_deep(organizations: Any, root_id: str) -> None:
    parent = root_id
    for _ in range(5):
        made = organizations.create_organizational_unit(ParentId=parent, Name="deeper")
        parent = made["OrganizationalUnit"]["Id"]
    with pytest.raises(organizations.exceptions.ConstraintViolationException) as raised:
        organizations.create_organizational_unit(ParentId=parent, Name="deeper")
    assert raised.value.response["Reason"] == "OU_DEPTH_LIMIT_EXCEEDED"


def _policy(organizations: Any, content: str, name: str = "limit") -> str:
    made = organizations.create_policy(Content=content, Description="", Name=name, Type="SERVICE_CONTROL_POLICY")
    return str(made["Policy"]["PolicySummary"]["Id"])


def test_a_policy_of_a_unit_binds_roles_and_root_below_it_and_nobody_else(
    organizations: Any,
    root_id: str,
    create_account: Callable[..., str],
    assume: Callable[..., Any],
    client: MakeClient,
) -> None:
    dev, other = create_account("dev"), create_account("other")
    unit = organizations.create_organizational_unit(ParentId=root_id, Name="apps")["OrganizationalUnit"]["Id"]
    organizations.move_account(AccountId=dev, SourceParentId=root_id, DestinationParentId=unit)
    organizations.attach_policy(PolicyId=_policy(organizations, DENY_LOGS), TargetId=unit)
    for caller in (assume(dev, "logs"), client("logs", account=dev)):
        code, text = refusal(caller.create_log_group, logGroupName="g")
        assert code == "AccessDeniedException"
        assert text.endswith("with an explicit deny in a service control policy")
        assert caller.describe_log_groups()["logGroups"] == []
    client("logs", account=other).create_log_group(logGroupName="g")
    organizations.move_account(AccountId=dev, SourceParentId=unit, DestinationParentId=root_id)
    client("logs", account=dev).create_log_group(logGroupName="g")


def test_each_level_has_to_allow_and_the_management_account_is_free(
    organizations: Any, root_id: str, create_account: Callable[..., str], client: MakeClient
) -> None:
    dev = create_account()
    only_reading = document({"Effect": "Allow", "Action": ["logs:Describe*", "organizations:*"], "Resource": "*"})
    organizations.attach_policy(PolicyId=_policy(organizations, only_reading), TargetId=root_id)
    client("logs", account=dev).create_log_group(logGroupName="a")
    organizations.detach_policy(PolicyId=FULL, TargetId=root_id)
    logs = client("logs", account=dev)
    text = refusal(logs.create_log_group, logGroupName="b")[1]
    assert text.endswith("because no service control policy allows the logs:CreateLogGroup action")
    assert len(logs.describe_log_groups()["logGroups"]) == 1
    client("logs").create_log_group(logGroupName="b")
    organizations.disable_policy_type(RootId=root_id, PolicyType="SERVICE_CONTROL_POLICY")
    logs.create_log_group(logGroupName="b")


def test_policies_are_attached_between_one_and_five_times(organizations: Any, root_id: str) -> None:
    assert refusal(organizations.detach_policy, PolicyId=FULL, TargetId=root_id)[0] == "ConstraintViolationException"
    assert refusal(organizations.attach_policy, PolicyId=FULL, TargetId=root_id) == (
        "DuplicatePolicyAttachmentException",
        "The selected policy is already attached to the specified target.",
    )
    made = [_policy(organizations, DENY_LOGS, f"policy-{number}") for number in range(5)]
    for policy_id in made[:4]:
        organizations.attach_policy(PolicyId=policy_id, TargetId=root_id)
    assert refusal(organizations.attach_policy, PolicyId=made[4], TargetId=root_id)[0] == (
        "ConstraintViolationException"
    )
    attached = organizations.list_policies_for_target(TargetId=root_id, Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert {one["Id"] for one in attached} == {FULL, *made[:4]}
    [target] = organizations.list_targets_for_policy(PolicyId=made[0])["Targets"]
    assert (target["TargetId"], target["Type"], target["Name"]) == (root_id, "ROOT", "Root")
    assert refusal(organizations.delete_policy, PolicyId=made[0])[0] == "PolicyInUseException"
    organizations.delete_policy(PolicyId=made[4])
    assert refusal(organizations.describe_policy, PolicyId=made[4]) == (
        "PolicyNotFoundException",
        "You specified a policy that doesn't exist.",
    )


def test_policies_are_checked_when_they_are_put(organizations: Any) -> None:
    policy_id = _policy(organizations, DENY_LOGS)
    create = {"Description": "", "Type": "SERVICE_CONTROL_POLICY"}
    assert refusal(organizations.create_policy, **create, Name="limit", Content=DENY_LOGS)[0] == (
        "DuplicatePolicyException"
    )
    assert refusal(organizations.create_policy, **create, Name="other", Content="{")[0] == (
        "MalformedPolicyDocumentException"
    )
    long = document({"Effect": "Deny", "Action": "logs:" + "x" * 5120, "Resource": "*"})
    assert refusal(organizations.create_policy, **create, Name="other", Content=long)[0] == (
        "ConstraintViolationException"
    )
    assert refusal(organizations.update_policy, PolicyId=FULL, Name="mine")[0] == "InvalidInputException"
    updated = organizations.update_policy(PolicyId=policy_id, Description="what it does")["Policy"]
    assert updated["PolicySummary"]["Description"] == "what it does"
    assert updated["Content"] == DENY_LOGS
    names = [one["Name"] for one in organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]]
    assert sorted(names) == ["FullAWSAccess", "limit"]


def test_who_is_in_an_organisation_can_be_asked_for(
    organizations: Any, create_account: Callable[..., str], client: MakeClient, account: str
) -> None:
    dev = create_account()
    organisation_id = organizations.describe_organization()["Organization"]["Id"]
    trust = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": organisation_id}},
        }
    )
    arn = client("iam").create_role(RoleName="guest", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert client("sts", account=dev).assume_role(RoleArn=arn, RoleSessionName="me")
    stranger = client("sts", account=fresh_account())
    assert refusal(stranger.assume_role, RoleArn=arn, RoleSessionName="me")[0] == "AccessDenied"


def test_a_closed_account_may_nothing(
    organizations: Any, create_account: Callable[..., str], client: MakeClient, account: str
) -> None:
    dev = create_account()
    client("logs", account=dev).create_log_group(logGroupName="g")
    organizations.close_account(AccountId=dev)
    assert organizations.describe_account(AccountId=dev)["Account"]["Status"] == "SUSPENDED"
    assert refusal(client("logs", account=dev).describe_log_groups)[0] == "AccessDeniedException"
    assert refusal(organizations.close_account, AccountId=dev)[0] == "AccountAlreadyClosedException"
    assert refusal(organizations.close_account, AccountId=account)[0] == "ConstraintViolationException"


def test_an_organisation_is_deleted_when_nobody_else_is_left(
    organizations: Any, create_account: Callable[..., str], client: MakeClient, account: str
) -> None:
    dev = create_account()
    assert refusal(organizations.delete_organization)[0] == "OrganizationNotEmptyException"
    assert refusal(organizations.remove_account_from_organization, AccountId=account)[0] == (
        "MasterCannotLeaveOrganizationException"
    )
    organizations.remove_account_from_organization(AccountId=dev)
    organizations.delete_organization()
    assert refusal(organizations.describe_organization)[0] == "AWSOrganizationsNotInUseException"
    assert client("organizations", account=dev).create_organization()


def test_lists_come_in_pages(organizations: Any, root_id: str) -> None:
    for number in range(23):
        organizations.create_organizational_unit(ParentId=root_id, Name=f"unit-{number}")
    pages = list(organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=root_id))
    assert [len(page["OrganizationalUnits"]) for page in pages] == [20, 3]
    assert refusal(organizations.list_accounts, NextToken="é")[0] == "InvalidInputException"
