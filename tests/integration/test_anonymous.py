"""Who sends without a signature: let in by a queue's or a topic's policy that names everybody, and by nothing else."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudlet.config import Config
from tests.integration.test_sns import receive
from tests.support.nodes import RUNTIMES, Clients, MakeClient, NodeInThread, running
from tests.support.raw_calls import Answer, call_json, call_query, send

ACCOUNT = "000000000000"
Json = dict[str, Any]
PERMISSION = "Access to the resource {}/ is denied."


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeInThread]:
    """A node where permissions are enforced."""
    config = Config(port=0, data=tmp_path_factory.mktemp("guarded") / "data", auth="enforced", runtimes=RUNTIMES)
    with running(NodeInThread(config)) as node:
        yield node


@pytest.fixture
def root(guarded: NodeInThread, clients: Clients) -> Callable[..., Any]:
    """Clients with the root key."""
    keys = guarded.node._credentials.root_key
    return lambda service, **options: clients.make(guarded.endpoint, service, keys=keys, **options)


@pytest.fixture
def queue(root: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator["Queue"]:
    """A queue of the test's own."""
    made = Queue(root("sqs"), f"q{abs(hash(request.node.name))}")
    yield made
    made.sqs.delete_queue(QueueUrl=made.url)


class Queue:
    """A queue, and what its policy says."""

    def __init__(self, sqs: Any, name: str) -> None:
        self.sqs = sqs
        self.url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        self.name = name

    def open(self, *statements: Json) -> None:
        """Set the policy."""
        usual = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": self.arn}
        policy = {"Version": "2012-10-17", "Statement": [usual | each for each in statements]}
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})

    def messages(self) -> list[Any]:
        """What is in the queue."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"])
        return list(found.get("Messages", []))


def send_message(endpoint: str, queue: Queue) -> Answer:
    return call_json(endpoint, "AmazonSQS.SendMessage", {"QueueUrl": queue.url, "MessageBody": "m"})


def is_denied(answer: Answer) -> bool:
    """True for SQS's answer to who has no permission, in AWS JSON."""
    kind = answer.json.get("__type")
    is_it = kind == "com.amazon.coral.service#AccessDeniedException" and "is denied." in answer.json["Message"]
    return (answer.status, answer.headers["x-amzn-query-error"], is_it) == (403, "AccessDenied;Sender", True)


# Queues


def test_a_queue_can_be_open_to_everybody(guarded: NodeInThread, queue: Queue) -> None:
    queue.open({})
    assert send_message(guarded.endpoint, queue).status == 200
    for method in ("GET", "POST"):
        path = f"/{ACCOUNT}/{queue.name}?Action=SendMessage&MessageBody={method}&Version=2012-11-05"
        assert "<MD5OfMessageBody>" in send(guarded.endpoint, method, path).body
    batch = {"QueueUrl": queue.url, "Entries": [{"Id": "1", "MessageBody": "batch"}]}
    assert call_json(guarded.endpoint, "AmazonSQS.SendMessageBatch", batch).status == 200
    messages = queue.messages()
    assert sorted(message["Body"] for message in messages) == ["GET", "POST", "batch", "m"]
    assert {message["Attributes"]["SenderId"] for message in messages} == {"127.0.0.1"}
    assert is_denied(call_json(guarded.endpoint, "AmazonSQS.ReceiveMessage", {"QueueUrl": queue.url}))


def test_everybody_may_work_off_a_queue_that_allows_it(guarded: NodeInThread, queue: Queue) -> None:
    queue.open({"Action": "sqs:*"})
    send_message(guarded.endpoint, queue)
    [message] = call_json(guarded.endpoint, "AmazonSQS.ReceiveMessage", {"QueueUrl": queue.url}).json["Messages"]
    handle = {"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]}
    assert call_json(guarded.endpoint, "AmazonSQS.DeleteMessage", handle).status == 200
    named = {"QueueName": queue.name, "QueueOwnerAWSAccountId": ACCOUNT}
    found = call_json(guarded.endpoint, "AmazonSQS.GetQueueUrl", named)
    assert found.json["QueueUrl"] == queue.url


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [{"Principal": {"AWS": ACCOUNT}}],
        [{"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}],
        [{"Principal": {"Service": "sns.amazonaws.com"}}],
        [{"Action": "sqs:ReceiveMessage"}],
        [{"Resource": "arn:aws:sqs:us-east-1:000000000000:another"}],
        [{}, {"Effect": "Deny"}],
        [{}, {"Effect": "Deny", "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}}],
        [{}, {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}],
        [{"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}],
        [{"Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}],
        [{"Condition": {"ArnLike": {"aws:PrincipalArn": "*"}}}],
        [{"Condition": {"StringLike": {"aws:PrincipalArn": "*"}}}],
        [{"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*"}}}],
        [{"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}],
        [{"Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}}],
        [{"Condition": {"StringLike": {"aws:PrincipalTag/a": "*"}}}],
    ],
)
def test_what_does_not_let_everybody_in(guarded: NodeInThread, queue: Queue, statements: list[Json]) -> None:
    if statements:
        queue.open(*statements)
    assert is_denied(send_message(guarded.endpoint, queue))
    assert queue.messages() == []


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": "127.0.0.1"}},
        {"StringEquals": {"aws:PrincipalType": "Anonymous", "aws:userid": "anonymous"}},
        {"Null": {"aws:PrincipalArn": "true", "aws:PrincipalAccount": "true", "aws:username": "true"}},
        {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"}},
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringEquals": {"aws:ResourceAccount": ACCOUNT}},
    ],
)
def test_the_keys_of_an_anonymous_request(guarded: NodeInThread, queue: Queue, condition: Json) -> None:
    queue.open({"Condition": condition})
    assert send_message(guarded.endpoint, queue).status == 200


def test_a_queue_that_is_not_there_looks_like_one_that_is_closed(guarded: NodeInThread, queue: Queue) -> None:
    answers = []
    for url in (queue.url, f"{queue.url}x", queue.url.replace(ACCOUNT, "999999999999"), queue.name, "", "nonsense//"):
        answer = call_json(guarded.endpoint, "AmazonSQS.SendMessage", {"QueueUrl": url, "MessageBody": "m"})
        answers.append((answer.status, answer.body))
    assert set(answers) == {answers[0]}
    assert answers[0][0] == 403
    form = call_query(guarded.endpoint, "sqs", "SendMessage", {"QueueUrl": queue.url, "MessageBody": "m"})
    assert (form.status, "<Type>Sender</Type><Code>AccessDenied</Code>" in form.body) == (403, True)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("AddPermission", {"Label": "l", "AWSAccountIds": ["123456789012"], "Actions": ["*"]}),
        ("CreateQueue", {"QueueName": "mine"}),
        ("DeleteQueue", {}),
        ("ListQueues", {}),
        ("ListQueueTags", {}),
        ("RemovePermission", {"Label": "l"}),
        ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "1"}}),
        ("TagQueue", {"Tags": {"a": "b"}}),
        ("UntagQueue", {"TagKeys": ["a"]}),
        ("StartMessageMoveTask", {}),
        ("ListMessageMoveTasks", {}),
        ("CancelMessageMoveTask", {"TaskHandle": "t"}),
    ],
)
def test_what_is_the_owners_is_nobodys(guarded: NodeInThread, queue: Queue, operation: str, params: Json) -> None:
    queue.open({"Action": "sqs:*"})
    named = {"QueueUrl": queue.url, "SourceArn": queue.arn}
    assert is_denied(call_json(guarded.endpoint, f"AmazonSQS.{operation}", named | params))


def test_a_host_may_name_the_region(guarded: NodeInThread, root: Callable[..., Any]) -> None:
    abroad = Queue(root("sqs", region="eu-west-1"), "abroad")
    abroad.arn = abroad.arn.replace("us-east-1", "eu-west-1")
    abroad.open({})
    params = {"QueueUrl": abroad.url, "MessageBody": "m"}
    assert is_denied(call_json(guarded.endpoint, "AmazonSQS.SendMessage", params))
    host = {"Host": "sqs.eu-west-1.localhost"}
    assert call_json(guarded.endpoint, "AmazonSQS.SendMessage", params, host).status == 200
    assert [message["Body"] for message in abroad.messages()] == ["m"]


def test_the_owners_trail_tells_what_nobody_did_and_not_what_he_tried(
    guarded: NodeInThread, root: Callable[..., Any], queue: Queue
) -> None:
    params = {"QueueUrl": queue.url, "AttributeNames": ["QueueArn"]}
    assert is_denied(call_json(guarded.endpoint, "AmazonSQS.GetQueueAttributes", params))
    queue.open({"Action": "sqs:GetQueueAttributes"})
    answer = call_json(guarded.endpoint, "AmazonSQS.GetQueueAttributes", params)
    assert answer.json["Attributes"] == {"QueueArn": queue.arn}
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": queue.arn}]
    listed = root("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
    told = [json.loads(event["CloudTrailEvent"]) for event in listed if event["EventName"] == "GetQueueAttributes"]
    [event] = told
    assert event["userIdentity"]["accountId"] == "ANONYMOUS_PRINCIPAL"
    assert (event["requestID"], event["recipientAccountId"]) == (answer.headers["x-amzn-requestid"], ACCOUNT)


# Topics


@pytest.fixture
def topic(root: Callable[..., Any], request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    return str(root("sns").create_topic(Name=f"t{abs(hash(request.node.name))}")["TopicArn"])


def open_topic(sns: Any, topic: str, *statements: Json) -> None:
    usual = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
    policy = {"Version": "2012-10-17", "Statement": [usual | each for each in statements]}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))


def misses_a_signature(answer: Answer) -> bool:
    """True for SNS's answer to who has no permission."""
    return answer.status == 403 and "<Code>MissingAuthenticationToken</Code>" in answer.body


def test_a_topic_can_be_open_to_everybody(
    guarded: NodeInThread, root: Callable[..., Any], topic: str, queue: Queue
) -> None:
    sns = root("sns")
    queue.open({"Principal": {"Service": "sns.amazonaws.com"}})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    publish = {"TopicArn": topic, "Message": "m"}
    assert misses_a_signature(call_query(guarded.endpoint, "sns", "Publish", publish))
    open_topic(sns, topic, {})
    answer = call_query(guarded.endpoint, "sns", "Publish", publish, {"Host": "evil.example"})
    assert "<MessageId>" in answer.body
    member = "PublishBatchRequestEntries.member.1"
    batch = {"TopicArn": topic, f"{member}.Id": "1", f"{member}.Message": "b"}
    assert "<MessageId>" in call_query(guarded.endpoint, "sns", "PublishBatch", batch).body
    envelopes = [json.loads(message["Body"]) for message in receive(queue.sqs, queue.url, 2)]
    assert sorted(envelope["Message"] for envelope in envelopes) == ["b", "m"]
    assert "evil.example" not in json.dumps(envelopes)


@pytest.mark.parametrize(
    "statements",
    [
        [{"Principal": {"AWS": ACCOUNT}}],
        [{}, {"Effect": "Deny"}],
        [{"Action": "sns:Subscribe"}],
        [{"Condition": {"StringEquals": {"aws:SourceOwner": ACCOUNT}}}],
    ],
)
def test_what_does_not_let_everybody_publish(
    guarded: NodeInThread, root: Callable[..., Any], topic: str, statements: list[Json]
) -> None:
    open_topic(root("sns"), topic, *statements)
    answers = [
        call_query(guarded.endpoint, "sns", "Publish", {"TopicArn": arn, "Message": "m"})
        for arn in (topic, f"{topic}x", topic.replace(ACCOUNT, "999999999999"))
    ]
    assert all(misses_a_signature(answer) for answer in answers)


def test_no_second_target_slips_through_the_first(guarded: NodeInThread, root: Callable[..., Any], topic: str) -> None:
    sns = root("sns")
    open_topic(sns, topic, {"Action": "sns:*"})
    closed = sns.create_topic(Name="closed")["TopicArn"]
    for params in (
        {"TopicArn": topic, "TargetArn": closed},
        {"TopicArn": "", "TargetArn": closed},
        {"TargetArn": closed, "TopicArn": topic, "PhoneNumber": "+15550100"},
        {"PhoneNumber": "+15550100"},
    ):
        answer = call_query(guarded.endpoint, "sns", "Publish", {"Message": "m", **params})
        assert answer.status in (400, 403), params
        assert "<MessageId>" not in answer.body
    for action, params in (
        ("Subscribe", {"TopicArn": topic, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:000000000000:q"}),
        ("GetTopicAttributes", {"TopicArn": topic}),
        ("DeleteTopic", {"TopicArn": topic}),
        ("ListTopics", {}),
        ("CreateTopic", {"Name": "mine"}),
        ("SetTopicAttributes", {"TopicArn": topic, "AttributeName": "DisplayName", "AttributeValue": "x"}),
    ):
        assert misses_a_signature(call_query(guarded.endpoint, "sns", action, params)), action


# Everything else


@pytest.mark.parametrize(
    "target",
    [
        "Logs_20140328.DescribeLogGroups",
        "AWSOrganizationsV20161128.ListAccounts",
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
        "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        "GraniteServiceVersion20100801.ListMetrics",
        "AmazonSQS.ListQueues",
        "AmazonSQS.Publish",
        "AmazonSNS.SendMessage",
    ],
)
def test_an_open_queue_opens_nothing_else_by_a_target(guarded: NodeInThread, queue: Queue, target: str) -> None:
    queue.open({"Action": "sqs:*"})
    answer = call_json(guarded.endpoint, target, {"QueueUrl": queue.url, "MessageBody": "m"})
    assert answer.status in (400, 403, 404)
    assert queue.messages() == []


@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("iam", "ListUsers"),
        ("iam", "CreateUser"),
        ("sts", "GetCallerIdentity"),
        ("sts", "AssumeRole"),
        ("sts", "GetSessionToken"),
        ("sns", "ListTopics"),
    ],
)
def test_an_open_queue_opens_no_other_action(guarded: NodeInThread, queue: Queue, service: str, action: str) -> None:
    queue.open({"Action": "sqs:*"})
    params = {"QueueUrl": queue.url, "UserName": "u", "RoleArn": "arn:aws:iam::000000000000:role/r"}
    for host in ("", "sqs.us-east-1.localhost"):
        headers = {"Host": host} if host else {}
        answer = call_query(guarded.endpoint, service, action, params, headers)
        assert answer.status in (400, 403), answer.body
        assert any(code in answer.body for code in ("MissingAuthenticationToken", "InvalidAction")), answer.body


def test_functions_and_control_stay_closed(guarded: NodeInThread) -> None:
    for path in ("/2015-03-31/functions/", "/2015-03-31/functions/f/invocations", "/_cloudlet/status"):
        for host in ({}, {"Host": "sqs.us-east-1.localhost"}):
            assert send(guarded.endpoint, "POST", path, "{}", host).status in (400, 401, 403, 404, 405), path


def test_a_bad_signature_is_not_none(guarded: NodeInThread, queue: Queue) -> None:
    queue.open({})
    for authorization in (
        "Basic dGVzdDp0ZXN0",
        "AWS4-HMAC-SHA256 Credential=bogus",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
    ):
        params = {"QueueUrl": queue.url, "MessageBody": "m"}
        answer = call_json(guarded.endpoint, "AmazonSQS.SendMessage", params, {"Authorization": authorization})
        assert answer.status in (400, 403), authorization
    path = (
        f"/{ACCOUNT}/{queue.name}?Action=SendMessage&MessageBody=m&Version=2012-11-05&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    )
    assert send(guarded.endpoint, "GET", path).status == 400
    assert queue.messages() == []


def test_a_node_in_dev_mode_lets_no_one_in_unsigned(client: MakeClient, endpoint: str, account: str) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": f"arn:aws:sqs:us-east-1:{account}:q",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    assert is_denied(call_json(endpoint, "AmazonSQS.SendMessage", {"QueueUrl": url, "MessageBody": "m"}))
