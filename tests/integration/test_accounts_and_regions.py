"""What is made in one account and region is seen nowhere else, by no operation that lists or describes."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from cloudlet.services.base import Service
from tests.support.functions import package
from tests.support.iam_world import ALLOW_ALL, trust
from tests.support.nodes import REGION, Clients, MakeClient, NodeInThread, fresh_account

GLOBAL = {"iam", "organizations", "sts"}
LISTING = ("List", "Describe", "Lookup")
NOT_OF_AN_ACCOUNT = {
    ("iam", "ListPoliciesGrantingServiceAccess"),
    ("cloudtrail", "DescribeTrails"),
}
Json = dict[str, Any]


def listing_operations(services: list[Service]) -> Iterator[tuple[str, str]]:
    """All operations of these services that list or describe."""
    for service in services:
        for name in sorted(service.operations()):
            if name.startswith(LISTING) and (service.name, name) not in NOT_OF_AN_ACCOUNT:
                yield service.name, name


class World:
    """An account with something of everything in it; all of it bears `mark` in its name."""

    def __init__(self, client: MakeClient) -> None:
        self.mark = f"mark{os.urandom(6).hex()}"
        self.names: Json = {}
        """Members of requests -> what they are for what is in this account."""
        self._iam(client("iam"))
        self._logs(client("logs"))
        self._lambda(client("lambda"))
        self._sqs(client("sqs"))
        self._sns(client("sns"))
        self._ecr(client("ecr"))
        self._cloudwatch(client("cloudwatch"))
        self._organizations(client("organizations"))

    def _iam(self, iam: Any) -> None:
        mark = self.mark
        for kind, arguments in (
            ("user", {"UserName": mark, "Tags": [{"Key": mark, "Value": mark}]}),
            ("group", {"GroupName": mark}),
            ("instance_profile", {"InstanceProfileName": mark}),
        ):
            getattr(iam, f"create_{kind}")(**arguments)
            self.names |= {key: value for key, value in arguments.items() if key != "Tags"}
        document = trust({"Service": "lambda.amazonaws.com"})
        role = iam.create_role(RoleName=mark, AssumeRolePolicyDocument=document)["Role"]
        policy = iam.create_policy(PolicyName=mark, PolicyDocument=ALLOW_ALL)["Policy"]
        provider = iam.create_open_id_connect_provider(Url=f"https://{mark}.example", ClientIDList=[mark])
        iam.add_user_to_group(UserName=mark, GroupName=mark)
        iam.add_role_to_instance_profile(RoleName=mark, InstanceProfileName=mark)
        iam.attach_role_policy(RoleName=mark, PolicyArn=policy["Arn"])
        iam.put_user_policy(UserName=mark, PolicyName=mark, PolicyDocument=ALLOW_ALL)
        iam.put_role_policy(RoleName=mark, PolicyName=mark, PolicyDocument=ALLOW_ALL)
        iam.put_group_policy(GroupName=mark, PolicyName=mark, PolicyDocument=ALLOW_ALL)
        iam.create_access_key(UserName=mark)
        iam.create_account_alias(AccountAlias=mark)
        self.role_arn = role["Arn"]
        self.names |= {
            "RoleName": mark,
            "PolicyArn": policy["Arn"],
            "OpenIDConnectProviderArn": provider["OpenIDConnectProviderArn"],
            "SAMLProviderArn": policy["Arn"].replace(":policy/", ":saml-provider/"),
            "ServerCertificateName": mark,
            "SerialNumber": policy["Arn"].replace(":policy/", ":mfa/"),
            "ServiceNamespaces": ["lambda"],
        }

    def _logs(self, logs: Any) -> None:
        logs.create_log_group(logGroupName=self.mark, tags={self.mark: self.mark})
        logs.create_log_stream(logGroupName=self.mark, logStreamName=self.mark)
        arn = logs.describe_log_groups(logGroupNamePrefix=self.mark)["logGroups"][0]["logGroupArn"]
        self.names |= {"logGroupName": self.mark, "resourceArn": arn}

    def _lambda(self, functions: Any) -> None:
        code = {"ZipFile": package("def handler(event, context): pass")}
        made = functions.create_function(
            FunctionName=self.mark,
            Runtime="python3.11",
            Handler="app.handler",
            Role=self.role_arn,
            Code=code,
            Tags={self.mark: self.mark},
        )
        functions.create_alias(FunctionName=self.mark, Name=self.mark, FunctionVersion="$LATEST")
        profile = made["FunctionArn"].replace(":lambda:", ":signer:").replace(":function:", ":/signing-profiles/")
        signing = functions.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": [profile]}, Description=self.mark
        )["CodeSigningConfig"]["CodeSigningConfigArn"]
        functions.put_function_code_signing_config(FunctionName=self.mark, CodeSigningConfigArn=signing)
        self.names |= {
            "FunctionName": self.mark,
            "Resource": made["FunctionArn"],
            "LayerName": self.mark,
            "CodeSigningConfigArn": signing,
        }

    def _sqs(self, sqs: Any) -> None:
        url = sqs.create_queue(QueueName=self.mark, tags={self.mark: self.mark})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.names |= {"QueueUrl": url, "SourceArn": arn}

    def _sns(self, sns: Any) -> None:
        arn = sns.create_topic(Name=self.mark, Tags=[{"Key": self.mark, "Value": self.mark}])["TopicArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=arn.replace(":sns:", ":sqs:"))
        self.names |= {"TopicArn": arn, "ResourceArn": arn}

    def _ecr(self, ecr: Any) -> None:
        tags = [{"Key": self.mark, "Value": self.mark}]
        made = ecr.create_repository(repositoryName=self.mark, tags=tags)["repository"]
        subject = {"imageDigest": f"sha256:{'0' * 64}"}
        self.names |= {"repositoryName": self.mark, "repositoryArn": made["repositoryArn"], "subjectId": subject}

    def _cloudwatch(self, cloudwatch: Any) -> None:
        cloudwatch.put_metric_data(Namespace=self.mark, MetricData=[{"MetricName": self.mark, "Value": 1.0}])

    def _organizations(self, organizations: Any) -> None:
        organizations.create_organization()
        root_id = organizations.list_roots()["Roots"][0]["Id"]
        unit = organizations.create_organizational_unit(ParentId=root_id, Name=self.mark)["OrganizationalUnit"]["Id"]
        policy = organizations.create_policy(
            Content=ALLOW_ALL, Description=self.mark, Name=self.mark, Type="SERVICE_CONTROL_POLICY"
        )
        policy_id = policy["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=policy_id, TargetId=unit)
        begun = organizations.create_account(AccountName=self.mark, Email=f"{self.mark}@example.com")
        request_id = begun["CreateAccountStatus"]["Id"]
        status = organizations.describe_create_account_status(CreateAccountRequestId=request_id)
        self.names |= {
            "ParentId": root_id,
            "ChildType": "ORGANIZATIONAL_UNIT",
            "ChildId": unit,
            "OrganizationalUnitId": unit,
            "PolicyId": policy_id,
            "TargetId": unit,
            "ResourceId": unit,
            "Filter": "SERVICE_CONTROL_POLICY",
            "CreateAccountRequestId": request_id,
            "AccountId": status["CreateAccountStatus"]["AccountId"],
        }

    def ask(self, client: Any, operation: str) -> str:
        """The answer to an operation that is asked for what is in this account; its code when it is an error."""
        shape = client.meta.service_model.operation_model(operation).input_shape
        required = shape.required_members if shape is not None else ()
        missing = [name for name in required if name not in self.names]
        assert not missing, f"{operation}: say in this test what {missing} are, and make some"
        try:
            answer = getattr(client, xform_name(operation))(**{name: self.names[name] for name in required})
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        del answer["ResponseMetadata"]
        return json.dumps(answer, default=str)


@pytest.fixture(scope="module")
def world(node: NodeInThread) -> Iterator[tuple[World, Clients]]:
    clients = Clients(fresh_account())
    yield World(lambda service: clients.make(node.endpoint, service)), clients
    clients.close()


def test_every_operation_that_lists_shows_an_accounts_own_only(
    node: NodeInThread, world: tuple[World, Clients]
) -> None:
    made, clients = world
    shown = set()
    stranger = fresh_account()
    for service, operation in listing_operations(node.node.services):
        if made.mark in made.ask(clients.make(node.endpoint, service), operation):
            shown.add((service, operation))
        elsewhere: list[Json] = [{"account": stranger}] + ([] if service in GLOBAL else [{"region": "eu-west-1"}])
        for options in elsewhere:
            answer = made.ask(clients.make(node.endpoint, service, **options), operation)
            assert made.mark not in answer, f"{service}:{operation} in {options}"
    # Where there is something to see, its own account sees it: else this test would show nothing.
    assert len(shown) > 30
    assert {service for service, _ in shown} >= {"iam", "lambda", "logs", "organizations"}


def test_a_global_service_is_the_same_in_every_region(node: NodeInThread, world: tuple[World, Clients]) -> None:
    made, clients = world
    for service, operation in (("iam", "ListRoles"), ("organizations", "ListAccounts")):
        answers = [
            made.ask(clients.make(node.endpoint, service, region=region), operation) for region in (REGION, "eu-west-1")
        ]
        assert answers[0] == answers[1]
        assert made.mark in answers[0]
