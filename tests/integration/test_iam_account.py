"""IAM as boto3 sees it: instance profiles, identity providers, certificates, and what an account has as a whole."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.certificates import self_signed
from tests.support.iam_world import ALLOW_ALL, trust
from tests.support.nodes import MakeClient

LAMBDA = trust({"Service": "lambda.amazonaws.com"})
TAGS = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
THUMBPRINT = "a" * 40
METADATA = '<EntityDescriptor entityID="x">' + " " * 1000 + "</EntityDescriptor>"


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


def sorted_tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(tags, key=lambda tag: tag["Key"])


# Instance profiles and service-linked roles


def test_an_instance_profile_has_one_role(iam: Any, account: str) -> None:
    created = iam.create_instance_profile(InstanceProfileName="Box", Path="/p/", Tags=TAGS)["InstanceProfile"]
    assert created["Arn"] == f"arn:aws:iam::{account}:instance-profile/p/Box"
    assert created["InstanceProfileId"].startswith("AIPA")
    assert (created["Roles"], created["Tags"]) == ([], TAGS)
    for name in ("one", "two"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA)
    iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="one")
    full = refusal(lambda: iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="two"))
    assert full == ("LimitExceeded", 409, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    found = iam.get_instance_profile(InstanceProfileName="box")["InstanceProfile"]
    assert [role["RoleName"] for role in found["Roles"]] == ["one"]
    assert found["Tags"] == sorted_tags(TAGS)
    for listed in (iam.list_instance_profiles(PathPrefix="/p/"), iam.list_instance_profiles_for_role(RoleName="one")):
        assert [profile["InstanceProfileName"] for profile in listed["InstanceProfiles"]] == ["Box"]
    assert iam.list_instance_profiles_for_role(RoleName="two")["InstanceProfiles"] == []
    in_use = ("DeleteConflict", 409, "Cannot delete entity, must remove roles from instance profile first.")
    assert refusal(lambda: iam.delete_role(RoleName="one")) == in_use
    assert refusal(lambda: iam.delete_instance_profile(InstanceProfileName="box")) == in_use
    other = refusal(lambda: iam.remove_role_from_instance_profile(InstanceProfileName="box", RoleName="two"))
    assert other == ("NoSuchEntity", 404, "Role two in Instance Profile Box cannot be found.")
    iam.remove_role_from_instance_profile(InstanceProfileName="box", RoleName="one")
    iam.delete_role(RoleName="one")
    iam.delete_instance_profile(InstanceProfileName="box")
    gone = ("NoSuchEntity", 404, "Instance Profile box cannot be found.")
    assert refusal(lambda: iam.get_instance_profile(InstanceProfileName="box")) == gone


def test_a_service_linked_role_is_its_services_alone(iam: Any, account: str) -> None:
    role = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x")["Role"]
    name = "AWSServiceRoleForAutoScaling_x"
    assert role["Arn"] == f"arn:aws:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/{name}"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": ["autoscaling.amazonaws.com"]}
    taken = refusal(
        lambda: iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x")
    )
    assert taken == (
        "InvalidInput",
        400,
        f"Service role name {name} has been taken in this account, please try a different suffix.",
    )
    protected = (
        "UnmodifiableEntity",
        400,
        f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS",
    )
    for change in (
        lambda: iam.delete_role(RoleName=name),
        lambda: iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=ALLOW_ALL),
        lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=LAMBDA),
        lambda: iam.delete_role_permissions_boundary(RoleName=name),
    ):
        assert refusal(change) == protected
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/autoscaling.amazonaws.com/{name}/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refusal(lambda: iam.get_role(RoleName=name))[0] == "NoSuchEntity"
    assert refusal(lambda: iam.get_service_linked_role_deletion_status(DeletionTaskId="x"))[0] == "NoSuchEntity"


# Identity providers


def test_openid_connect_providers_are_kept(iam: Any, account: str) -> None:
    url = "https://token.example.com/path"
    arn = iam.create_open_id_connect_provider(Url=url, ThumbprintList=[THUMBPRINT], ClientIDList=["one"], Tags=TAGS)[
        "OpenIDConnectProviderArn"
    ]
    assert arn == f"arn:aws:iam::{account}:oidc-provider/token.example.com/path"
    again = refusal(lambda: iam.create_open_id_connect_provider(Url=url, ThumbprintList=[THUMBPRINT]))
    assert again == ("EntityAlreadyExists", 409, f"Provider with url {url} already exists.")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"]) == ("token.example.com/path", ["two"])
    assert (found["ThumbprintList"], found["Tags"]) == (["b" * 40], TAGS[1:])
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert refusal(lambda: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)) == (
        "NoSuchEntity",
        404,
        f"OpenIDConnect Provider not found for arn {arn}",
    )
    assert refusal(lambda: iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)) == (
        "NoSuchEntity",
        404,
        f"OpenId connect Provider {arn} cannot be found.",
    )


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"Url": "example.org"}, "ValidationError", "Invalid Open ID Connect Provider URL"),
        (
            {"ThumbprintList": [letter * 40 for letter in "abcdef"]},
            "InvalidInput",
            "Thumbprint list must contain fewer than 5 entries.",
        ),
        (
            {"ClientIDList": [str(number) for number in range(101)]},
            "LimitExceeded",
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
        ),
        (
            {"Url": "b" * 256, "ThumbprintList": ["b" * 41], "ClientIDList": ["b" * 256]},
            "ValidationError",
            "3 validation errors detected: Value at 'url' failed to satisfy constraint: Member must have length less "
            "than or equal to 255; Value at 'clientIDList' failed to satisfy constraint: Member must satisfy "
            "constraint: [Member must have length less than or equal to 255, Member must have length greater than or "
            "equal to 1]; Value at 'thumbprintList' failed to satisfy constraint: Member must satisfy constraint: "
            "[Member must have length less than or equal to 40, Member must have length greater than or equal to 40]",
        ),
    ],
)
def test_openid_connect_providers_are_checked(iam: Any, params: dict[str, Any], code: str, message: str) -> None:
    given = {"Url": "https://example.org", "ThumbprintList": [THUMBPRINT]} | params
    refused = refusal(lambda: iam.create_open_id_connect_provider(**given))
    assert (refused[0], refused[2]) == (code, message)


def test_saml_providers_are_kept(iam: Any, account: str) -> None:
    arn = iam.create_saml_provider(Name="Idp", SAMLMetadataDocument=METADATA, Tags=TAGS)["SAMLProviderArn"]
    assert arn == f"arn:aws:iam::{account}:saml-provider/Idp"
    found = iam.get_saml_provider(SAMLProviderArn=arn)
    assert (found["SAMLMetadataDocument"], found["AssertionEncryptionMode"]) == (METADATA, "Allowed")
    assert found["Tags"] == sorted_tags(TAGS)
    dated = METADATA.replace("entityID", 'validUntil="2040-01-02T03:04:05Z" entityID')
    assert iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=dated)["SAMLProviderArn"] == arn
    listed = iam.list_saml_providers()["SAMLProviderList"]
    assert [(one["Arn"], one["ValidUntil"].year) for one in listed] == [(arn, 2040)]
    bad = refusal(lambda: iam.create_saml_provider(Name="bad", SAMLMetadataDocument="x" * 1000))
    assert bad == ("InvalidInput", 400, "Could not parse metadata")
    iam.delete_saml_provider(SAMLProviderArn=arn)
    gone = ("NoSuchEntity", 404, f"Manifest not found for arn {arn}")
    assert refusal(lambda: iam.get_saml_provider(SAMLProviderArn=arn)) == gone
    assert refusal(lambda: iam.delete_saml_provider(SAMLProviderArn=arn)) == gone


# Certificates and keys


def test_a_server_certificate_fits_its_key(iam: Any, account: str) -> None:
    body, key = self_signed()
    metadata = iam.upload_server_certificate(
        ServerCertificateName="Site", Path="/p/", CertificateBody=body, PrivateKey=key, CertificateChain=body
    )["ServerCertificateMetadata"]
    assert metadata["Arn"] == f"arn:aws:iam::{account}:server-certificate/p/Site"
    _, other_key = self_signed()
    mismatch = refusal(
        lambda: iam.upload_server_certificate(ServerCertificateName="x", CertificateBody=body, PrivateKey=other_key)
    )
    assert mismatch[0] == "KeyPairMismatch"
    iam.tag_server_certificate(ServerCertificateName="site", Tags=TAGS)
    iam.update_server_certificate(ServerCertificateName="site", NewServerCertificateName="Page")
    found = iam.get_server_certificate(ServerCertificateName="page")["ServerCertificate"]
    assert (found["CertificateBody"], found["CertificateChain"]) == (body.strip(), body.strip())
    assert found["Tags"] == sorted_tags(TAGS)
    listed = iam.list_server_certificates(PathPrefix="/p/")["ServerCertificateMetadataList"]
    assert [one["ServerCertificateName"] for one in listed] == ["Page"]
    iam.delete_server_certificate(ServerCertificateName="page")
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_users_have_certificates_and_ssh_keys(iam: Any) -> None:
    iam.create_user(UserName="alice")
    bodies = [self_signed()[0] for _ in range(3)]
    first = iam.upload_signing_certificate(UserName="alice", CertificateBody=bodies[0])["Certificate"]
    assert (first["UserName"], first["Status"], first["CertificateBody"]) == ("alice", "Active", bodies[0])
    malformed = refusal(lambda: iam.upload_signing_certificate(UserName="alice", CertificateBody="invalid"))
    assert malformed == ("MalformedCertificate", 400, "Certificate invalid is malformed.")
    iam.upload_signing_certificate(UserName="alice", CertificateBody=bodies[1])
    third = refusal(lambda: iam.upload_signing_certificate(UserName="alice", CertificateBody=bodies[2]))
    assert third == ("LimitExceeded", 409, "Cannot exceed quota for CertificatesPerUser: 2")
    named = {"UserName": "alice", "CertificateId": first["CertificateId"]}
    iam.update_signing_certificate(**named, Status="Inactive")
    listed = iam.list_signing_certificates(UserName="alice")["Certificates"]
    assert sorted(one["Status"] for one in listed) == ["Active", "Inactive"]
    iam.delete_signing_certificate(**named)
    missing = refusal(lambda: iam.delete_signing_certificate(**named))
    assert missing == ("NoSuchEntity", 404, f"The Certificate with id {first['CertificateId']} cannot be found.")

    public = rsa.generate_private_key(65537, 2048).public_key()
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    key = iam.upload_ssh_public_key(UserName="alice", SSHPublicKeyBody=ssh)["SSHPublicKey"]
    assert (key["SSHPublicKeyBody"], len(key["Fingerprint"])) == (ssh, 47)
    named = {"UserName": "alice", "SSHPublicKeyId": key["SSHPublicKeyId"]}
    iam.update_ssh_public_key(**named, Status="Inactive")
    found = iam.get_ssh_public_key(**named, Encoding="PEM")["SSHPublicKey"]
    assert found["SSHPublicKeyBody"].startswith("-----BEGIN PUBLIC KEY-----")
    assert iam.list_ssh_public_keys(UserName="alice")["SSHPublicKeys"][0]["Status"] == "Inactive"
    conflict = refusal(lambda: iam.delete_user(UserName="alice"))
    assert conflict[2] == "Cannot delete entity, must remove referenced objects first."
    iam.delete_ssh_public_key(**named)
    missing = refusal(lambda: iam.get_ssh_public_key(**named, Encoding="SSH"))
    assert missing == ("NoSuchEntity", 404, f"The Public Key with id {key['SSHPublicKeyId']} cannot be found.")
    assert refusal(lambda: iam.upload_ssh_public_key(UserName="alice", SSHPublicKeyBody="ssh-rsa x"))[0] == (
        "InvalidPublicKey"
    )


# The account as a whole


def test_an_account_has_one_alias_that_no_other_has(iam: Any, client: MakeClient, account: str) -> None:
    alias = f"alias-{account}"
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias=f"old-{account}")
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    other = client("iam", account="222222222222")
    taken = refusal(lambda: other.create_account_alias(AccountAlias=alias))
    assert taken == ("EntityAlreadyExists", 409, f"The account alias {alias} already exists.")
    assert refusal(lambda: other.delete_account_alias(AccountAlias=alias))[0] == "NoSuchEntity"
    iam.delete_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_summary_counts(iam: Any) -> None:
    before = iam.get_account_summary()["SummaryMap"]
    assert (before["UsersQuota"], before["GroupsQuota"], before["UserPolicySizeQuota"]) == (5000, 300, 2048)
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="staff")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    iam.create_instance_profile(InstanceProfileName="box")
    iam.create_policy(PolicyName="all", PolicyDocument=ALLOW_ALL)
    iam.create_saml_provider(Name="idp", SAMLMetadataDocument=METADATA)
    iam.create_open_id_connect_provider(Url="https://example.com", ThumbprintList=[THUMBPRINT])
    after = iam.get_account_summary()["SummaryMap"]
    assert {name: after[name] - count for name, count in before.items() if after[name] != count} == {
        "Users": 1,
        "Groups": 1,
        "Roles": 1,
        "InstanceProfiles": 1,
        "Policies": 1,
        "PolicyVersionsInUse": 1,
        "Providers": 2,
    }


def test_the_credential_report_tells_of_every_user(iam: Any, advance: Callable[[float], None]) -> None:
    absent = refusal(iam.get_credential_report)
    assert absent[:2] == ("ReportNotPresent", 410)
    iam.create_user(UserName="alice")
    iam.create_login_profile(UserName="alice", Password="Correct-Horse-7")
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="alice", AccessKeyId=key, Status="Inactive")
    iam.create_access_key(UserName="alice")
    started = iam.generate_credential_report()
    assert started["State"] == "STARTED"
    assert started["Description"] == "No report exists. Starting a new report generation task"
    iam.create_user(UserName="later")
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    root, alice = csv.DictReader(io.StringIO(report["Content"].decode()))
    assert (root["user"], root["password_enabled"]) == ("<root_account>", "not_supported")
    assert (alice["user"], alice["password_enabled"], alice["mfa_active"]) == ("alice", "true", "false")
    assert (alice["access_key_1_active"], alice["access_key_2_active"]) == ("false", "true")
    assert (alice["access_key_2_last_used_date"], alice["cert_1_active"]) == ("N/A", "false")
    assert alice["user_creation_time"].endswith("+00:00")
    advance(4 * 3600)
    assert refusal(iam.get_credential_report)[:2] == ("ReportExpired", 410)
    assert iam.generate_credential_report()["State"] == "STARTED"


def test_all_that_says_who_may_do_what_is_in_one_list(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="all", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    aws = "arn:aws:iam::aws:policy/PowerUserAccess"
    iam.create_group(GroupName="staff")
    iam.attach_group_policy(GroupName="staff", PolicyArn=aws)
    for name in ("alice", "bob"):
        iam.create_user(UserName=name, Tags=TAGS[:1])
        iam.add_user_to_group(GroupName="staff", UserName=name)
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=ALLOW_ALL)
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA, PermissionsBoundary=arn)
    iam.create_instance_profile(InstanceProfileName="box")
    iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="worker")
    whole = iam.get_account_authorization_details()
    alice = whole["UserDetailList"][0]
    assert (alice["UserName"], alice["GroupList"], alice["Tags"]) == ("alice", ["staff"], TAGS[:1])
    assert [one["PolicyName"] for one in alice["UserPolicyList"]] == ["own"]
    assert "UserPolicyList" not in whole["UserDetailList"][1]
    assert whole["GroupDetailList"][0]["AttachedManagedPolicies"] == [
        {"PolicyName": "PowerUserAccess", "PolicyArn": aws}
    ]
    role = whole["RoleDetailList"][0]
    assert role["InstanceProfileList"][0]["InstanceProfileName"] == "box"
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert role["RoleLastUsed"] == {}
    assert [one["Arn"] for one in whole["Policies"]] == [arn, aws]
    assert whole["Policies"][0]["PolicyVersionList"][0]["IsDefaultVersion"]
    only = iam.get_account_authorization_details(Filter=["Role", "LocalManagedPolicy"])
    assert (only["UserDetailList"], only["GroupDetailList"]) == ([], [])
    assert [one["Arn"] for one in only["Policies"]] == [arn]
    paginator = iam.get_paginator("get_account_authorization_details")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) == 3
    for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
        assert [one for page in pages for one in page[name]] == whole[name]


def test_tags_of_users_and_roles_have_no_case_and_others_have(iam: Any) -> None:
    iam.create_user(UserName="alice")
    refused = refusal(lambda: iam.tag_user(UserName="alice", Tags=TAGS))
    assert refused[2] == "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    iam.tag_user(UserName="alice", Tags=TAGS[:1])
    iam.tag_user(UserName="alice", Tags=TAGS[1:])
    assert iam.list_user_tags(UserName="alice")["Tags"] == TAGS[1:]
    iam.untag_user(UserName="alice", TagKeys=["a"])
    assert iam.list_user_tags(UserName="alice")["Tags"] == []
    arn = iam.create_policy(PolicyName="p", PolicyDocument=ALLOW_ALL, Tags=TAGS)["Policy"]["Arn"]
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == sorted_tags(TAGS)
    pages = iam.get_paginator("list_policy_tags").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 1})
    assert [page["Tags"] for page in pages] == [[TAGS[1]], [TAGS[0]]]
    twice = refusal(lambda: iam.tag_policy(PolicyArn=arn, Tags=[TAGS[0], TAGS[0]]))
    assert twice == ("InvalidInput", 400, "Duplicate tag keys found.")
