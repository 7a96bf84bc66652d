"""Policies are enforced on every operation, over HTTP and on calls from inside alike."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.corrections import UNRESTRICTED
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.requirements import action_of
from cloudlet.services.base import Service
from cloudlet.services.cloudwatch import CloudWatchService
from cloudlet.services.ecr import EcrService
from cloudlet.services.iam import IamService
from cloudlet.services.lambda_.service import LambdaService
from cloudlet.services.logs.service import LogsService
from cloudlet.services.organizations import OrganizationsService
from cloudlet.services.sns.service import SnsService
from cloudlet.services.sqs.service import SqsService
from cloudlet.services.sts import StsService
from tests.support.functions import create_function
from tests.support.nodes import MakeClient, NodeInThread, fresh_account

SERVICES: tuple[type[Service], ...] = (
    CloudWatchService,
    EcrService,
    IamService,
    LambdaService,
    LogsService,
    OrganizationsService,
    SnsService,
    SqsService,
    StsService,
)
REGION = "us-east-1"
Json = dict[str, Any]


def _operations(service: type[Service]) -> Iterator[str]:
    for cls in service.__mro__:
        for value in vars(cls).values():
            if name := getattr(value, "__dict__", {}).get("operation"):
                yield name


OPERATIONS = [(service.name, name) for service in SERVICES for name in sorted(set(_operations(service)))]
RESTRICTED = [one for one in OPERATIONS if one not in UNRESTRICTED]


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> str:
    return document({"Effect": "Allow", "Action": action, "Resource": resource, **more})


class Role:
    """A role, the keys of a session of it, and what it is granted."""

    def __init__(self, client: MakeClient, account: str, name: str = "worker", **session: Any) -> None:
        self._client, self.name = client, name
        self.iam = client("iam")
        trust = document({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"})
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        self.arn, self.role_id = made["Arn"], made["RoleId"]
        self.account = account
        self.assume(**session)

    def assume(self, **session: Any) -> None:
        answer = self._client("sts").assume_role(RoleArn=self.arn, RoleSessionName="me", **session)
        issued = answer["Credentials"]
        self.session_arn = answer["AssumedRoleUser"]["Arn"]
        self.keys = {
            "keys": (issued["AccessKeyId"], issued["SecretAccessKey"]),
            "token": issued["SessionToken"],
        }

    def grant(self, policy: str, name: str = "granted") -> None:
        self.iam.put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=policy)

    def client(self, service: str, **options: Any) -> Any:
        return self._client(service, **self.keys, **options)

    @property
    def principal(self) -> Principal:
        return Principal(
            "assumed-role", self.account, self.session_arn, f"{self.role_id}:me", role_arn=self.arn, token_issued=1.0
        )


@pytest.fixture
def role(client: MakeClient, account: str) -> Role:
    return Role(client, account)


def refused(call: Any, **params: Any) -> str:
    """The text with which a call is denied."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError")
    return str(caught.value.response["Error"]["Message"])


def _call(node: NodeInThread, principal: Principal, service: str, operation: str) -> ServiceError | None:
    """What a call without parameters ends with."""
    context = RequestContext(principal, REGION, "request")
    try:
        node.call(node.node.platform.calls.call(context, service, operation, {}))
    except ServiceError as error:
        return error
    except (KeyError, LookupError):
        return None
    return None


def test_every_operation_means_an_action_that_aws_knows() -> None:
    unknown = [f"{service}:{name}" for service, name in RESTRICTED if action_of(service, name) is None]
    assert unknown == []


def test_without_a_permission_every_operation_is_denied(node: NodeInThread, role: Role) -> None:
    for service, name in RESTRICTED:
        assert isinstance(_call(node, role.principal, service, name), AccessDenied), f"{service}:{name}"


def test_with_exactly_its_action_every_operation_passes(node: NodeInThread, role: Role) -> None:
    for service, name in RESTRICTED:
        found = action_of(service, name)
        assert found is not None
        role.grant(allow(found[0].name))
        outcome = _call(node, role.principal, service, name)
        denied = isinstance(outcome, AccessDenied) and "not authorized" in outcome.message
        assert not denied, f"{service}:{name}: {outcome}"


def test_a_refusal_reads_as_on_aws(client: MakeClient, role: Role, account: str) -> None:
    text = refused(role.client("logs").create_log_group, logGroupName="g")
    group = f"arn:aws:logs:{REGION}:{account}:log-group:g:log-stream:"
    assert text == (
        f"User: {role.session_arn} is not authorized to perform: logs:CreateLogGroup on resource: {group} "
        "because no identity-based policy allows the logs:CreateLogGroup action"
    )
    role.grant(allow("*"))
    role.grant(document({"Effect": "Deny", "Action": "logs:Create*", "Resource": "*"}), "no-logs")
    assert refused(role.client("logs").create_log_group, logGroupName="g").endswith(
        f"on resource: {group} with an explicit deny in an identity-based policy"
    )
    assert client("logs").describe_log_groups()["logGroups"] == []


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("ecr", "list_images", {"repositoryName": "a\0"}),
        ("ecr", "list_images", {"repositoryName": "app", "registryId": "\0"}),
        ("lambda", "get_function", {"FunctionName": "a\0"}),
        ("lambda", "get_layer_version", {"LayerName": "a\0", "VersionNumber": 1}),
        ("sqs", "send_message", {"QueueUrl": "http://localhost/000000000000/a\0", "MessageBody": "b"}),
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:000000000000:a\0", "Message": "b"}),
        ("iam", "get_user", {"UserName": "a\0"}),
        ("organizations", "describe_policy", {"PolicyId": "p-\0"}),
        ("logs", "describe_log_streams", {"logGroupName": "a\0"}),
    ],
)
def test_a_name_that_no_store_takes_is_the_callers_fault(
    role: Role, service: str, operation: str, params: dict[str, Any]
) -> None:
    role.grant(allow("*"))
    with pytest.raises(ClientError) as caught:
        getattr(role.client(service, parameter_validation=False), operation)(**params)
    assert 400 <= caught.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500


def test_a_grant_counts_at_once_and_so_does_its_end(role: Role) -> None:
    logs = role.client("logs")
    refused(logs.describe_log_groups)
    role.grant(allow("logs:DescribeLogGroups"))
    logs.describe_log_groups()
    role.iam.delete_role_policy(RoleName=role.name, PolicyName="granted")
    refused(logs.describe_log_groups)
    role.iam.attach_role_policy(
        RoleName=role.name, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    logs.create_log_group(logGroupName="g")
    refused(logs.describe_log_groups)


def test_resources_are_told_apart(role: Role, account: str) -> None:
    role.grant(allow(["logs:CreateLogGroup", "logs:CreateLogStream"], f"arn:aws:logs:*:{account}:log-group:/mine/*"))
    logs = role.client("logs")
    logs.create_log_group(logGroupName="/mine/a")
    logs.create_log_stream(logGroupName="/mine/a", logStreamName="s")
    refused(logs.create_log_group, logGroupName="/other/a")
    refused(role.client("logs", region="eu-west-1").describe_log_groups)


def test_a_session_policy_narrows(client: MakeClient, role: Role) -> None:
    role.grant(allow("logs:*"))
    role.assume(Policy=allow("logs:DescribeLogGroups"))
    role.client("logs").describe_log_groups()
    text = refused(role.client("logs").create_log_group, logGroupName="g")
    assert text.endswith("because no session policy allows the logs:CreateLogGroup action")


def test_a_boundary_narrows(client: MakeClient, role: Role) -> None:
    role.grant(allow("logs:*"))
    boundary = client("iam").create_policy(PolicyName="edge", PolicyDocument=allow("logs:DescribeLogGroups"))
    client("iam").put_role_permissions_boundary(RoleName=role.name, PermissionsBoundary=boundary["Policy"]["Arn"])
    role.client("logs").describe_log_groups()
    text = refused(role.client("logs").create_log_group, logGroupName="g")
    assert text.endswith("because no permissions boundary allows the logs:CreateLogGroup action")


def test_tags_of_the_request_and_the_resource_count(client: MakeClient, role: Role) -> None:
    role.grant(allow("logs:CreateLogGroup", Condition={"StringEquals": {"aws:RequestTag/team": "red"}}))
    role.grant(allow("logs:DeleteLogGroup", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}), "delete")
    logs = role.client("logs")
    refused(logs.create_log_group, logGroupName="g", tags={"team": "blue"})
    logs.create_log_group(logGroupName="g", tags={"team": "red"})
    client("logs").create_log_group(logGroupName="blue", tags={"team": "blue"})
    refused(logs.delete_log_group, logGroupName="blue")
    logs.delete_log_group(logGroupName="g")


def test_a_role_is_handed_over_only_by_who_may_pass_it(role: Role, account: str) -> None:
    functions = role.client("lambda")
    request = {
        "FunctionName": "f",
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": f"arn:aws:iam::{account}:role/worker",
        "Code": {"ZipFile": b"no zip"},
    }
    role.grant(allow("lambda:*"))
    text = refused(functions.create_function, **request)
    assert f"iam:PassRole on resource: arn:aws:iam::{account}:role/worker because no identity-based policy" in text
    role.grant(allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}), "pass")
    refused(functions.create_function, **request)
    role.grant(
        allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}), "pass"
    )
    with pytest.raises(functions.exceptions.InvalidParameterValueException):
        functions.create_function(**request)


def test_a_function_gets_another_role_only_from_who_may_pass_it(client: MakeClient, role: Role, account: str) -> None:
    """Else whoever may update a function has the rights of every role that Lambda may assume."""
    create_function(client("lambda"), "f", "def handler(event, context): pass")
    role.grant(allow("lambda:*"))
    functions = role.client("lambda")
    mighty = f"arn:aws:iam::{account}:role/mighty"
    assert "iam:PassRole on resource" in refused(functions.update_function_configuration, FunctionName="f", Role=mighty)
    named = {"Variables": {"ROLE_ARN": mighty}}
    functions.update_function_configuration(FunctionName="f", Environment=named)
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1})
    role.grant(allow("iam:PassRole", mighty), "pass")
    assert functions.update_function_configuration(FunctionName="f", Role=mighty)["Role"] == mighty


def test_a_function_gets_a_signing_configuration_only_with_rights_on_both(
    client: MakeClient, role: Role, account: str
) -> None:
    profile = f"arn:aws:signer:us-east-1:{account}:/signing-profiles/mine"
    made = client("lambda").create_code_signing_config(AllowedPublishers={"SigningProfileVersionArns": [profile]})
    config = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    functions, function = role.client("lambda"), f"arn:aws:lambda:{REGION}:{account}:function:f"
    put, action = functions.put_function_code_signing_config, "lambda:PutFunctionCodeSigningConfig"
    for only in (function, config):
        role.grant(allow(action, only))
        refused(put, FunctionName="f", CodeSigningConfigArn=config)
    role.grant(allow(action, [function, config], Condition={"StringEquals": {"lambda:CodeSigningConfigArn": "other"}}))
    refused(put, FunctionName="f", CodeSigningConfigArn=config)
    role.grant(allow(action, [function, config], Condition={"StringEquals": {"lambda:CodeSigningConfigArn": config}}))
    with pytest.raises(functions.exceptions.ResourceNotFoundException):  # there is no such function
        put(FunctionName="f", CodeSigningConfigArn=config)


def test_another_accounts_role_needs_both_sides(client: MakeClient, account: str) -> None:
    other = fresh_account()
    caller = Role(client, account, "caller")
    trust = document({"Effect": "Allow", "Principal": {"AWS": caller.arn}, "Action": "sts:AssumeRole"})
    there = client("iam", account=other).create_role(RoleName="guest", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    sts = caller.client("sts")
    refused(sts.assume_role, RoleArn=there, RoleSessionName="me")
    caller.grant(allow("sts:AssumeRole", there))
    answer = sts.assume_role(RoleArn=there, RoleSessionName="me")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{other}:assumed-role/guest/me"
    nobody = document(
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other}:root"}, "Action": "sts:AssumeRole"}
    )
    client("iam", account=other).update_assume_role_policy(RoleName="guest", PolicyDocument=nobody)
    refused(sts.assume_role, RoleArn=there, RoleSessionName="me")


def test_a_deleted_roles_session_may_nothing_even_when_the_name_comes_back(client: MakeClient, role: Role) -> None:
    role.grant(allow("logs:*"))
    role.client("logs").describe_log_groups()
    role.iam.delete_role_policy(RoleName=role.name, PolicyName="granted")
    role.iam.delete_role(RoleName=role.name)
    again = role.iam.create_role(
        RoleName=role.name,
        AssumeRolePolicyDocument=document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
    )
    assert again["Role"]["Arn"] == role.arn
    role.grant(allow("logs:*"))
    refused(role.client("logs").describe_log_groups)


def deny(action: str, resource: str, principal: Any = "*") -> str:
    return document({"Effect": "Deny", "Principal": principal, "Action": action, "Resource": resource})


def test_a_queue_that_denies_everybody_denies_root_too_who_can_mend_it(client: MakeClient, account: str) -> None:
    sqs = client("sqs")
    url, arn = sqs.create_queue(QueueName="q")["QueueUrl"], f"arn:aws:sqs:{REGION}:{account}:q"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": deny("sqs:*", arn)})
    text = refused(sqs.send_message, QueueUrl=url, MessageBody="m")
    assert f"User: arn:aws:iam::{account}:root is not authorized to perform: sqs:" in text
    assert "with an explicit deny in a resource-based policy" in text
    refused(sqs.purge_queue, QueueUrl=url)
    refused(sqs.delete_queue, QueueUrl=url)
    assert "Deny" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": deny("sqs:SendMessage", arn)})
    refused(sqs.send_message_batch, QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "m"}])
    sqs.receive_message(QueueUrl=url)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    sqs.send_message(QueueUrl=url, MessageBody="m")


def test_a_deny_for_another_does_not_bind_root(client: MakeClient, role: Role, account: str) -> None:
    sqs = client("sqs")
    url, arn = sqs.create_queue(QueueName="q")["QueueUrl"], f"arn:aws:sqs:{REGION}:{account}:q"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": deny("sqs:*", arn, {"AWS": role.arn})})
    sqs.send_message(QueueUrl=url, MessageBody="m")
    role.grant(allow("sqs:*"))
    refused(role.client("sqs").set_queue_attributes, QueueUrl=url, Attributes={"Policy": ""})


def test_a_topic_that_denies_everybody_denies_root_too_who_can_mend_it(client: MakeClient) -> None:
    sns = client("sns")
    arn = sns.create_topic(Name="t")["TopicArn"]
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=deny("sns:Publish", arn))
    refused(sns.publish, TopicArn=arn, Message="m")
    refused(sns.publish, TargetArn=arn, Message="m")
    open_to_all = document({"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": arn})
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=open_to_all)
    sns.publish(TopicArn=arn, Message="m")


def test_a_repository_that_denies_everybody_denies_root_too_who_can_mend_it(client: MakeClient) -> None:
    ecr = client("ecr")
    ecr.create_repository(repositoryName="repo")
    text = document({"Effect": "Deny", "Principal": "*", "Action": "ecr:*"})
    ecr.set_repository_policy(repositoryName="repo", policyText=text)
    refused(ecr.list_images, repositoryName="repo")
    assert "Deny" in ecr.get_repository_policy(repositoryName="repo")["policyText"]
    ecr.delete_repository_policy(repositoryName="repo")
    ecr.list_images(repositoryName="repo")


def test_a_mapping_tells_whose_it_is(client: MakeClient, role: Role, account: str) -> None:
    functions = client("lambda")
    arns = {name: create_function(functions, name, "def handler(e, c): pass")["FunctionArn"] for name in ("f", "g")}
    queue = f"arn:aws:sqs:{REGION}:{account}:q"
    client("sqs").create_queue(QueueName="q")
    made = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=queue, Enabled=False)["UUID"]
    of_f, of_g = ({"ArnLike": {"lambda:FunctionArn": arns[name]}} for name in ("f", "g"))
    actions = ["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    role.grant(allow(actions, Condition=of_g))
    refused(role.client("lambda").get_event_source_mapping, UUID=made)
    role.grant(allow(actions, Condition=of_f))
    role.client("lambda").get_event_source_mapping(UUID=made)
    refused(role.client("lambda").update_event_source_mapping, UUID=made, FunctionName="g")


def test_a_url_tells_how_its_callers_are_checked(client: MakeClient, role: Role) -> None:
    functions = client("lambda")
    create_function(functions, "f", "def handler(e, c): pass")
    functions.create_function_url_config(FunctionName="f", AuthType="NONE")
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    role.grant(allow(["lambda:DeleteFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"], Condition=condition))
    mine = role.client("lambda")
    refused(mine.delete_function_url_config, FunctionName="f")
    refused(mine.update_function_url_config, FunctionName="f", AuthType="NONE")
    mine.update_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    mine.delete_function_url_config(FunctionName="f")


def test_a_statement_tells_whom_it_lets_in(client: MakeClient, role: Role) -> None:
    functions = client("lambda")
    create_function(functions, "f", "def handler(e, c): pass")
    for service in ("sns", "events"):
        functions.add_permission(
            FunctionName="f", StatementId=service, Action="lambda:InvokeFunction", Principal=f"{service}.amazonaws.com"
        )
    condition = {"StringEquals": {"lambda:Principal": "sns.amazonaws.com"}}
    role.grant(allow("lambda:RemovePermission", Condition=condition))
    refused(role.client("lambda").remove_permission, FunctionName="f", StatementId="events")
    role.client("lambda").remove_permission(FunctionName="f", StatementId="sns")


def test_a_password_tells_what_it_is_for(client: MakeClient, role: Role) -> None:
    iam = client("iam")
    iam.create_user(UserName="u")
    service = "codecommit.amazonaws.com"
    made = iam.create_service_specific_credential(UserName="u", ServiceName=service)["ServiceSpecificCredential"]
    given = {"UserName": "u", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
    for name, check in (("cassandra.amazonaws.com", refused), (service, lambda call, **params: call(**params))):
        condition = {"StringEquals": {"iam:ServiceSpecificCredentialServiceName": name}}
        role.grant(allow("iam:DeleteServiceSpecificCredential", Condition=condition))
        check(role.client("iam").delete_service_specific_credential, **given)


def test_the_source_function_is_a_key_of_callers_policies_only(client: MakeClient, node: NodeInThread) -> None:
    account = fresh_account()
    role = Role(lambda service, **options: client(service, **{"account": account, **options}), account)
    function = f"arn:aws:lambda:{REGION}:{account}:function:f"
    caller = replace(role.principal, source_function_arn=function)
    sqs = client("sqs", account=account)
    url, queue = sqs.create_queue(QueueName="q")["QueueUrl"], f"arn:aws:sqs:{REGION}:{account}:q"
    condition = {"ArnEquals": {"lambda:SourceFunctionArn": function}}
    statement = {"Effect": "Allow", "Principal": {"AWS": role.arn}, "Action": "sqs:SendMessage", "Resource": queue}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document({**statement, "Condition": condition})})

    def send() -> None:
        context = RequestContext(caller, REGION, "request")
        node.call(node.node.platform.calls.call(context, "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "m"}))

    with pytest.raises(AccessDenied):
        send()
    role.grant(allow("sqs:SendMessage", Condition=condition))
    send()


def test_a_resource_tells_its_organisation(client: MakeClient, role: Role) -> None:
    organisation = client("organizations").create_organization()["Organization"]["Id"]
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    role.grant(allow("sqs:SendMessage", Condition={"StringEquals": {"aws:ResourceOrgID": "o-another"}}))
    refused(role.client("sqs").send_message, QueueUrl=url, MessageBody="m")
    role.grant(allow("sqs:SendMessage", Condition={"StringEquals": {"aws:ResourceOrgID": organisation}}))
    role.client("sqs").send_message(QueueUrl=url, MessageBody="m")


def test_a_service_tells_the_organisation_that_it_works_for(
    client: MakeClient, node: NodeInThread, account: str
) -> None:
    url, queue = client("sqs").create_queue(QueueName="q")["QueueUrl"], f"arn:aws:sqs:{REGION}:{account}:q"
    sender = Principal.service("sns.amazonaws.com", account)

    def send() -> None:
        context = RequestContext(sender, REGION, "request", source_arn=f"arn:aws:sns:{REGION}:{account}:t")
        node.call(node.node.platform.calls.call(context, "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "m"}))

    def let_in(organisation: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"StringEquals": {"aws:SourceOrgID": organisation}},
        }
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})

    let_in("o-another")
    with pytest.raises(AccessDenied):
        send()
    let_in(client("organizations").create_organization()["Organization"]["Id"])
    send()
