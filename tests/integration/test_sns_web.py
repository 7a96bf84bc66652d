"""Topics with subscribers on the web: confirmation, signed messages, retries, links."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.integration.test_sns import queue, receive
from tests.support.functions import create_function
from tests.support.nodes import MakeClient
from tests.support.web_endpoint import WebEndpoint, web_endpoint

Advance = Callable[[float], None]
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
SIGNED["UnsubscribeConfirmation"] = SIGNED["SubscriptionConfirmation"]


@pytest.fixture
def web() -> Iterator[WebEndpoint]:
    with web_endpoint() as endpoint:
        yield endpoint


def get(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        return str(response.read().decode())


def verify(envelope: dict[str, Any]) -> None:
    """What a client does that trusts nobody. Raises InvalidSignature."""
    certificate = x509.load_pem_x509_certificate(get(envelope["SigningCertURL"]).encode())
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    text = "".join(f"{name}\n{envelope[name]}\n" for name in SIGNED[envelope["Type"]] if name in envelope)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), padding.PKCS1v15(), algorithm)


def subscribed(sns: Any, topic: str, web: WebEndpoint, **attributes: str) -> str:
    """The ARN of a subscription that the endpoint has confirmed."""
    url = f"{web.url}/sub"
    arn = sns.subscribe(
        TopicArn=topic, Protocol="http", Endpoint=url, Attributes=attributes, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    get(web.next().content["SubscribeURL"])
    return str(arn)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_subscriber_confirms_and_gets_signed_messages(client: MakeClient, web: WebEndpoint, version: str) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t", Attributes={"SignatureVersion": version})["TopicArn"]
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url)
    assert answer["SubscriptionArn"] == "pending confirmation"
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    asked = web.next()
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    verify(asked.content)
    assert "<SubscriptionArn>" in get(asked.content["SubscribeURL"])
    published = sns.publish(TopicArn=topic, Message="hello\nwörld", Subject="s")
    request = web.next()
    verify(request.content)
    assert request.content["Message"] == "hello\nwörld"
    assert request.headers["x-amz-sns-message-id"] == published["MessageId"] == request.content["MessageId"]
    assert request.headers["x-amz-sns-topic-arn"] == topic
    assert request.headers["Content-Type"] == "text/plain; charset=UTF-8"
    attributes = sns.get_subscription_attributes(SubscriptionArn=request.headers["x-amz-sns-subscription-arn"])
    assert attributes["Attributes"]["ConfirmationWasAuthenticated"] == "false"


def test_nothing_is_sent_before_the_confirmation(client: MakeClient, web: WebEndpoint) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    url, arn = queue(sqs, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url)
    token = web.next().content["Token"]
    sns.publish(TopicArn=topic, Message="early")
    receive(sqs, url)  # who else is to have it has been decided
    sns.confirm_subscription(TopicArn=topic, Token=token)
    sns.publish(TopicArn=topic, Message="late")
    assert web.next().content["Message"] == "late"


def test_a_raw_message_is_the_text_only(client: MakeClient, web: WebEndpoint) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    policy = json.dumps({"requestPolicy": {"headerContentType": "application/json"}})
    subscribed(sns, topic, web, RawMessageDelivery="true", DeliveryPolicy=policy)
    sns.publish(TopicArn=topic, Message='{"a":1}')
    request = web.next()
    assert request.body == '{"a":1}'
    assert request.headers["x-amz-sns-rawdelivery"] == "true"
    assert request.headers["Content-Type"] == "application/json"


def test_an_endpoint_that_fails_is_tried_again_by_its_delivery_policy(
    client: MakeClient, web: WebEndpoint, advance: Advance
) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    subscribed(sns, topic, web)
    web.statuses = [500, 503, 429]
    sns.publish(TopicArn=topic, Message="m")
    bodies = [web.next().body]
    for _ in range(3):
        advance(20)
        bodies.append(web.next().body)
    assert len(set(bodies)) == 1
    advance(3600)
    assert web.received.empty()


def test_a_message_that_is_refused_goes_to_the_dead_letter_queue(client: MakeClient, web: WebEndpoint) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    url, arn = queue(sqs, topic)
    subscribed(sns, topic, web, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}))
    web.statuses = [404]
    sns.publish(TopicArn=topic, Message="m")
    [message] = receive(sqs, url)
    assert json.loads(message["Body"])["Message"] == "m"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "404"


def test_the_link_to_unsubscribe_and_the_one_to_come_back(client: MakeClient, web: WebEndpoint) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    arn = subscribed(sns, topic, web)
    sns.publish(TopicArn=topic, Message="m")
    get(web.next().content["UnsubscribeURL"])
    ended = web.next()
    verify(ended.content)
    assert ended.content["Type"] == "UnsubscribeConfirmation"
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    get(ended.content["SubscribeURL"])
    [back] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert back["SubscriptionArn"] == arn


def test_a_protected_subscription_is_not_ended_by_its_link(client: MakeClient, web: WebEndpoint) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url)
    asked = web.next().content
    sns.confirm_subscription(TopicArn=topic, Token=asked["Token"], AuthenticateOnUnsubscribe="true")
    get(asked["SubscribeURL"])  # again, without credentials: that takes no protection away
    sns.publish(TopicArn=topic, Message="m")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(web.next().content["UnsubscribeURL"])
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1


@pytest.mark.parametrize(
    "path",
    ["/_cloudlet/reset", "//_cloudlet/reset", "/x/../_cloudlet/reset", "/%5Fcloudlet/reset", "/_cloudlet%2Freset"],
)
def test_a_subscription_does_not_control_the_node(client: MakeClient, endpoint: str, path: str) -> None:
    """A function may subscribe, and may choose the content type; it may not empty the node."""
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    as_json = {"DeliveryPolicy": json.dumps({"requestPolicy": {"headerContentType": "application/json"}})}
    with pytest.raises(ClientError, match="Invalid parameter: Endpoint"):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint + path, Attributes=as_json)


PUBLISHING = """
import boto3

def handler(event, context):
    sns = boto3.client("sns")
    sns.subscribe(TopicArn=event["topic"], Protocol="http", Endpoint=event["url"])
    sns.publish(TopicArn=event["topic"], Message="m")
"""


def test_links_of_what_a_function_publishes_lead_to_the_node(client: MakeClient, web: WebEndpoint) -> None:
    """Not to the address at which the function itself reaches it."""
    sns, functions = client("sns"), client("lambda")
    topic = sns.create_topic(Name="t")["TopicArn"]
    subscribed(sns, topic, web)
    create_function(functions, "publishing", PUBLISHING, Timeout=30)
    event = json.dumps({"topic": topic, "url": f"{web.url}/other"})
    assert "FunctionError" not in functions.invoke(FunctionName="publishing", Payload=event)
    for each in (web.next(), web.next()):
        verify(each.content)
        if each.content["Type"] == "SubscriptionConfirmation":
            get(each.content["SubscribeURL"])
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 2


def test_who_was_sent_away_does_not_come_back_by_an_old_link(client: MakeClient, web: WebEndpoint) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url, ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]
    link = web.next().content["SubscribeURL"]
    get(link)
    sns.unsubscribe(SubscriptionArn=arn)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        get(link)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_subscription_that_nobody_confirms_goes(client: MakeClient, web: WebEndpoint, advance: Advance) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url)
    link = web.next().content["SubscribeURL"]
    advance(3.1 * 86400)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    with pytest.raises(urllib.error.HTTPError, match="400"):
        get(link)


def test_of_a_hundred_subscriptions_ten_fail(client: MakeClient, web: WebEndpoint, advance: Advance) -> None:
    """The 90 have it at once; the 10 are tried again, and end in their dead-letter queue."""
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    good_urls = []
    for number in range(90):
        url, arn = queue(sqs, topic, f"q{number}")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        good_urls.append(url)
    dead, dead_arn = queue(sqs, topic, "dead")
    for number in range(10):
        attributes = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn}), "RawMessageDelivery": "true"}
        endpoint = f"{web.url}/{number}"
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint, Attributes=attributes)
        get(web.next().content["SubscribeURL"])
    web.status = 500
    sns.publish(TopicArn=topic, Message="m")
    assert [receive(sqs, url)[0]["Body"] for url in good_urls] == ["m"] * 90
    paths = {web.next().path for _ in range(10)}
    assert len(paths) == 10
    for _ in range(3):
        assert "Messages" not in sqs.receive_message(QueueUrl=dead)
        advance(20)
        assert {web.next().path for _ in range(10)} == paths
    assert [message["Body"] for message in receive(sqs, dead, 10)] == ["m"] * 10
