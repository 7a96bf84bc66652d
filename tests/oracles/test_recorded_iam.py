"""IAM answers as the real one did, wherever it was recorded."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import self_signed
from tests.support.iam_world import ALLOW_ALL, trust
from tests.support.nodes import Clients, NodeInThread
from tests.support.recordings import Comparison, answer_of, recordings

ACCOUNT = "111111111111"
RECORDED = recordings("iam")
LAMBDA = trust({"Service": "lambda.amazonaws.com"})
SUFFIX = "TestIAMServiceRoles::test_service_role_lifecycle_custom_suffix_not_allowed"
SERVICES = sorted(name.partition("[")[2].rstrip("]") for name in RECORDED if name.startswith(SUFFIX))

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")


@pytest.fixture
def recorded_iam(node: NodeInThread) -> Iterator[Any]:
    """IAM in the account that the recordings are of."""
    clients = Clients(ACCOUNT)
    yield clients.make(node.endpoint, "iam")
    clients.close()


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{os.urandom(6).hex()}"


def plain(value: Any) -> Any:
    """An answer with its dates as one text, as recordings have them."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return "a date" if isinstance(value, datetime) else value


def check(test: str, answers: dict[str, Any], **known: str) -> None:
    """Hold the answers to those that were recorded under the same names."""
    comparison = Comparison(**known)
    for name, answer in answers.items():
        comparison.check(RECORDED[test][name], plain(answer))


def test_a_role_is_created_and_described_as_recorded(recorded_iam: Any) -> None:
    path = f"/{unique('path')}/"
    document = trust({"Service": "ec2.amazonaws.com"}).replace('["sts:AssumeRole"]', '"sts:AssumeRole"')
    name = unique("role")
    created = recorded_iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)
    answers = {
        "create_role_result": created,
        "get_role_result": recorded_iam.get_role(RoleName=name),
        "list_roles_result": recorded_iam.list_roles(PathPrefix=path),
    }
    check("TestIAMIntegrations::test_create_describe_role", answers, **{"path-prefix": path.strip("/")})


def test_documents_keep_what_is_encoded_in_them_as_recorded(recorded_iam: Any) -> None:
    source = "arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Faaeeieije"
    path, role, policy_name = f"/{unique('path')}/", unique("role"), unique("policy")
    condition = {"StringEquals": {"aws:SourceArn": source}}
    assume = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Effect": "Allow",
                "Condition": condition,
            }
        ],
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["apigatway:PUT"],
                "Resource": [f"arn:aws:apigateway:us-east-1::/tags/{source}"],
            }
        ],
    }
    created = recorded_iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=json.dumps(assume))
    recorded_iam.put_role_policy(RoleName=role, PolicyName=policy_name, PolicyDocument=json.dumps(document))
    answers = {
        "create-role-response": created,
        "get-policy-response": recorded_iam.get_role_policy(RoleName=role, PolicyName=policy_name),
        "get-role-response": recorded_iam.get_role(RoleName=role),
        "list-roles-response": recorded_iam.list_roles(PathPrefix=path),
    }
    check("TestIAMPolicyEncoding::test_put_role_policy_encoding", answers, **{"path:1": path, "role-name:1": role})


def test_a_trust_policy_is_changed_as_recorded(recorded_iam: Any) -> None:
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}
            ],
        }
    )
    name = unique("role")
    answers = {
        "created_role": recorded_iam.create_role(RoleName=name, AssumeRolePolicyDocument=document),
        "updated_policy": recorded_iam.update_assume_role_policy(RoleName=name, PolicyDocument=LAMBDA),
    }
    check("TestIAMIntegrations::test_update_assume_role_policy", answers)
    assert recorded_iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(LAMBDA)


def test_policies_are_created_and_attached_as_recorded(recorded_iam: Any) -> None:
    role, policy_name = unique("role"), unique("test-policy")
    recorded_iam.create_role(RoleName=role, AssumeRolePolicyDocument=LAMBDA)
    created = recorded_iam.create_policy(PolicyName=policy_name, PolicyDocument=ALLOW_ALL)
    arn = created["Policy"]["Arn"]

    def attach(policy_arn: str) -> dict[str, Any]:
        return answer_of(recorded_iam.attach_role_policy, RoleName=role, PolicyArn=policy_arn)

    answers = {
        "create_policy_response": created,
        "existing_policy_name_provided": attach(policy_name),
        "non_existent_malformed_policy_arn": attach("longpolicynamebutnoarn"),
        "valid_arn_not_existent": attach(f"{arn}123"),
        "valid_policy_arn": attach(arn),
    }
    check("TestIAMIntegrations::test_user_attach_policy", answers)
    missing = answer_of(recorded_iam.delete_policy, PolicyArn=arn.replace(policy_name, "non-existent-policy"))
    check(
        "TestIAMIntegrations::test_delete_non_existent_policy_returns_no_such_entity",
        {"delete-non-existent-policy-exc": missing},
    )


def test_a_policy_is_described_as_recorded(recorded_iam: Any) -> None:
    arn = recorded_iam.create_policy(PolicyName=unique("policy"), PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    check("test_managed_policy_with_empty_resource", {"managed_policy": recorded_iam.get_policy(PolicyArn=arn)})


# Users


def test_users_are_described_as_recorded(recorded_iam: Any) -> None:
    names = {
        "TestBasicCRD::test_black_box": "describe-resource",
        "TestParity::test_create_with_full_properties": "describe-user-resource",
        "test_iam_username_defaultname": "get_iam_user",
    }
    for recording, answer in names.items():
        name = unique("user")
        recorded_iam.create_user(UserName=name)
        known = {"user-name": name, "user-name:1": name}
        check(recording, {answer: recorded_iam.get_user(UserName=name)}, **known)


def test_the_groups_of_a_user_are_listed_as_recorded(recorded_iam: Any) -> None:
    name, first, second = unique("user"), unique("group-1"), unique("group-2")
    recorded_iam.create_user(UserName=name)
    for group in (first, second):
        recorded_iam.create_group(GroupName=group)
        recorded_iam.add_user_to_group(GroupName=group, UserName=name)
    answers = {"describe-user-group-association": recorded_iam.list_groups_for_user(UserName=name)}
    known = {"group-name-1": first, "group-name-2": second}
    check("TestParity::test_create_with_full_properties", answers, **known)


def test_a_user_with_a_credential_of_a_service_stays_as_recorded(recorded_iam: Any) -> None:
    name = unique("user")
    answers = {
        "create-user-response": recorded_iam.create_user(UserName=name),
        "create-service-specific-credential-response": recorded_iam.create_service_specific_credential(
            UserName=name, ServiceName="codecommit.amazonaws.com"
        ),
        "delete-user-existing-credential": answer_of(recorded_iam.delete_user, UserName=name),
    }
    recording = "TestIAMServiceSpecificCredentials::test_delete_user_after_service_credential_created"
    check(recording, answers, **{"user-name:1": name})


def test_a_credential_belongs_to_its_user_as_recorded(recorded_iam: Any) -> None:
    name = unique("user")
    created = recorded_iam.create_user(UserName=name)
    credential = recorded_iam.create_service_specific_credential(UserName=name, ServiceName="codecommit.amazonaws.com")
    wrong = {
        "UserName": "wrong-user-name",
        "ServiceSpecificCredentialId": credential["ServiceSpecificCredential"]["ServiceSpecificCredentialId"],
    }
    answers = {
        "create-user-response": created,
        "create-service-specific-credential-response": credential,
        "update-wrong-user-name": answer_of(
            recorded_iam.update_service_specific_credential, Status="Inactive", **wrong
        ),
        "reset-wrong-user-name": answer_of(recorded_iam.reset_service_specific_credential, **wrong),
        "delete-wrong-user-name": answer_of(recorded_iam.delete_service_specific_credential, **wrong),
    }
    check("TestIAMServiceSpecificCredentials::test_id_match_user_mismatch", answers, **{"user-name:1": name})


# Service-linked roles and certificates


@pytest.mark.parametrize("service", SERVICES)
def test_a_suffix_is_refused_as_recorded(recorded_iam: Any, service: str) -> None:
    answer = answer_of(
        recorded_iam.create_service_linked_role, AWSServiceName=service, CustomSuffix="suffix", Description="test"
    )
    check(f"{SUFFIX}[{service}]", {"custom-suffix-not-allowed": answer})


def test_a_server_certificate_is_kept_as_recorded(recorded_iam: Any) -> None:
    name = unique("certificate")
    recording = RECORDED["test_server_certificate"]
    body, key = self_signed()
    recorded_iam.upload_server_certificate(ServerCertificateName=name, CertificateBody=body, PrivateKey=key)
    found = recorded_iam.get_server_certificate(ServerCertificateName=name)
    assert found["ServerCertificate"]["CertificateBody"] == body.strip()
    # The recorded certificate is another one, whose private key is not recorded.
    found["ServerCertificate"]["CertificateBody"] = recording["certificate"]["ServerCertificate"]["CertificateBody"]
    recorded_iam.delete_server_certificate(ServerCertificateName=name)
    answers = {
        "certificate": found,
        "get_server_certificate_error": answer_of(recorded_iam.get_server_certificate, ServerCertificateName=name),
    }
    check("test_server_certificate", answers, **{"server-certificate-name:1": name})


def test_every_recording_is_replayed() -> None:
    tests = Path(__file__).read_text()  # not what has run: another process may have run it
    assert [name for name in RECORDED if name.partition("[")[0] not in tests] == []
