"""A node is killed while messages are published and fanned out: each acknowledged message is in each queue afterwards,
those of a FIFO topic once and in their order."""

import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.nodes import Clients, NodeProcess, fresh_account

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
ROUNDS = 4
QUEUES = 4
GROUPS = 3
RAW = {"RawMessageDelivery": "true"}


class Load:
    """Publishers, and what the node has said yes to."""

    def __init__(self, node: NodeProcess, clients: Clients) -> None:
        self.node = node
        self._clients = clients
        self.published: dict[str, list[str]] = {}
        """By topic, in the order in which a publisher got its answers."""
        self._number = 0
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        return self._clients.make(self.node.endpoint, service, read_timeout=30)

    def publish(self, topic: str, group: str) -> None:
        sns = self.client("sns")
        done = self.published.setdefault(f"{topic}/{group}", [])
        while True:
            with self._lock:
                self._number += 1
                text = f"{self._number:06d}"
            in_order = {"MessageGroupId": group, "MessageDeduplicationId": text} if topic.endswith(".fifo") else {}
            try:
                sns.publish(TopicArn=topic, Message=text, **in_order)
            except (ClientError, BotoCoreError):
                return
            done.append(text)

    def count(self) -> int:
        return sum(map(len, self.published.values()))

    def run(self, topics: list[str], after: int) -> None:
        """Let all publish, and kill the node once `after` more messages are acknowledged."""
        enough = self.count() + after
        threads = [
            threading.Thread(target=self.publish, args=(topic, f"g{group}"))
            for topic in topics
            for group in range(GROUPS)
        ]
        for thread in threads:
            thread.start()
        while self.count() < enough and any(thread.is_alive() for thread in threads):
            time.sleep(0)
        self.node.kill9()
        for thread in threads:
            thread.join()


def subscribed(sns: Any, sqs: Any, topic: str, name: str, **attributes: str) -> str:
    """The path of a queue's URL, which gets what is published."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=RAW)
    return str(url.split("/", 3)[3])


def test_messages_outlast_kills(node: NodeProcess) -> None:
    dice = random.Random(7)
    clients = Clients(fresh_account())
    load = Load(node, clients)
    sns, sqs = load.client("sns"), load.client("sqs")
    plain = sns.create_topic(Name="plain")["TopicArn"]
    ordered = sns.create_topic(Name="ordered.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    paths = [subscribed(sns, sqs, plain, f"q{number}") for number in range(QUEUES)]
    fifo = subscribed(sns, sqs, ordered, "q.fifo", FifoQueue="true")
    for _ in range(ROUNDS):
        load.run([plain, ordered], after=dice.choice([3, 30, 100]))
        node.restart()
    for path in paths:
        wanted = {text for name, texts in load.published.items() if name.startswith(plain) for text in texts}
        await_all(load, path, wanted)
    in_order(load, ordered, fifo)
    clients.close()


def take(load: Load, path: str) -> Iterator[Any]:
    """All messages of a queue, one after the other; ends when none comes for a while."""
    sqs, url = load.client("sqs"), f"{load.node.endpoint}/{path}"
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=10, AttributeNames=["All"]
    ).get("Messages"):
        for message in messages:
            yield message
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def await_all(load: Load, path: str, wanted: set[str]) -> None:
    """Return when a queue has given all of these."""
    left = set(wanted)
    for message in take(load, path):
        left.discard(message["Body"])
        if not left:
            return
    assert not left


def in_order(load: Load, topic: str, path: str) -> None:
    """Each group's messages come once, in the order in which they were acknowledged."""
    found: dict[str, list[str]] = {}
    for message in take(load, path):
        found.setdefault(message["Attributes"]["MessageGroupId"], []).append(message["Body"])
    for group, texts in found.items():
        acknowledged = load.published[f"{topic}/{group}"]
        assert len(set(texts)) == len(texts)
        assert [text for text in texts if text in set(acknowledged)] == acknowledged
