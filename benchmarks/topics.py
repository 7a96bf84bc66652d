"""What a topic does: messages accepted a second, and how long one message takes to reach a hundred queues."""

import json
import time
import uuid
from urllib.parse import urlencode

from benchmarks import load
from benchmarks.endpoints import Endpoint
from benchmarks.queues import BODY, CONNECTIONS, LOAD_S

Figures = dict[str, float]
QUEUES = 100
FANOUTS = 10
FANOUT_LIMIT_S = 60


def sns_publish(endpoint: Endpoint) -> Figures:
    """Signed Publish of 100 bytes at 16 connections, to a topic with one queue; each is durable when it is answered."""
    topic = _topic(endpoint)
    _subscribe(endpoint, topic, 1)
    form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic, "Message": BODY}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = load.sign(endpoint.url, "sns", "POST", "/", urlencode(form).encode(), headers)
    seen = load.drive(endpoint.url, request, CONNECTIONS, LOAD_S)
    return {"sns publishes/s": seen.per_second, "sns publish p99 ms": seen.p99_ms, "sns publish errors": seen.errors}


def sns_fanout(endpoint: Endpoint) -> Figures:
    """From a Publish to the moment at which the last of a hundred queues has the message."""
    topic = _topic(endpoint)
    urls = _subscribe(endpoint, topic, QUEUES)
    sns, sqs = load.client(endpoint.url, "sns"), load.client(endpoint.url, "sqs")
    latencies = []
    for _ in range(FANOUTS):
        began = time.perf_counter()
        sns.publish(TopicArn=topic, Message=BODY)
        for url in urls:
            while not (found := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages")):
                if time.perf_counter() - began > FANOUT_LIMIT_S:
                    raise TimeoutError("a message did not arrive")
            sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        latencies.append((time.perf_counter() - began) * 1e3)
    return {"sns fan-out to 100 and 100 receives, p50 ms": load.percentile(sorted(latencies), 0.5)}


def _topic(endpoint: Endpoint) -> str:
    sns = load.client(endpoint.url, "sns")
    return str(sns.create_topic(Name=f"bench-{uuid.uuid4().hex[:12]}")["TopicArn"])


def _subscribe(endpoint: Endpoint, topic: str, count: int) -> list[str]:
    """The URLs of new queues that get the topic's messages."""
    sns, sqs = load.client(endpoint.url, "sns"), load.client(endpoint.url, "sqs")
    urls = []
    for number in range(count):
        name = f"bench-{uuid.uuid4().hex[:12]}-{number}"
        url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        urls.append(url)
    return urls
