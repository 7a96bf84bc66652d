"""A node is killed while queues are sent to, received from and deleted from: no acknowledged message is lost, and none
that was deleted comes back."""

import random
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.nodes import Clients, NodeProcess, fresh_account

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
ROUNDS = 5


class Load:
    """Producers and consumers, and what the node has said yes to."""

    def __init__(self, node: NodeProcess, clients: Clients) -> None:
        self.node = node
        self._clients = clients
        self.sent: set[str] = set()
        self.deleted: set[str] = set()
        self.tried: set[str] = set()
        """Deletions that were asked for, and maybe done."""
        self._next = 0
        self._lock = threading.Lock()

    def client(self) -> Any:
        return self._clients.make(self.node.endpoint, "sqs", retries={"max_attempts": 0}, read_timeout=30)

    def produce(self, url: str) -> None:
        sqs = self.client()
        while True:
            with self._lock:
                numbers = range(self._next, self._next + 3)
                self._next += 3
            bodies = [f"{number:06d}" for number in numbers]
            entries = [{"Id": body, "MessageBody": body, **self._group(url, body)} for body in bodies]
            try:
                answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
            except (ClientError, BotoCoreError):
                return
            self.sent |= {f"{url[-4:]}{each['Id']}" for each in answer["Successful"]}

    def _group(self, url: str, body: str) -> dict[str, str]:
        return {"MessageGroupId": f"g{int(body) % 5}", "MessageDeduplicationId": body} if url.endswith(".fifo") else {}

    def consume(self, url: str) -> None:
        sqs = self.client()
        while True:
            try:
                messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2).get("Messages", [])
                for message in messages:
                    name = f"{url[-4:]}{message['Body']}"
                    self.tried.add(name)
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    self.deleted.add(name)
            except (ClientError, BotoCoreError):
                return

    def run(self, urls: list[str], after: int) -> None:
        """Let all work, and kill the node once `after` more messages are acknowledged."""
        enough = len(self.sent) + after
        threads = [
            threading.Thread(target=work, args=(url,))
            for url in urls
            for work in (self.produce, self.produce, self.consume)
        ]
        for thread in threads:
            thread.start()
        while len(self.sent) < enough and any(thread.is_alive() for thread in threads):
            time.sleep(0)
        self.node.kill9()
        for thread in threads:
            thread.join()


def test_messages_outlast_kills(node: NodeProcess) -> None:
    dice = random.Random(11)
    clients = Clients(fresh_account())
    load = Load(node, clients)
    sqs = load.client()
    attributes = {"VisibilityTimeout": "1"}
    urls = [
        sqs.create_queue(QueueName="plain", Attributes=attributes)["QueueUrl"],
        sqs.create_queue(QueueName="q.fifo", Attributes={**attributes, "FifoQueue": "true"})["QueueUrl"],
    ]
    for _ in range(ROUNDS):
        paths = [url.split("/", 3)[3] for url in urls]
        load.run([f"{node.endpoint}/{path}" for path in paths], after=dice.choice([3, 30, 100, 200]))
        node.restart()
    left = drain(load, [f"{node.endpoint}/{url.split('/', 3)[3]}" for url in urls])
    assert not load.deleted & left
    assert load.sent - load.tried <= left
    clients.close()


def drain(load: Load, urls: list[str]) -> set[str]:
    """All that is left in the queues; in a FIFO queue, each group in its order."""
    sqs, found = load.client(), set()
    for url in urls:
        last: dict[str, str] = {}
        empty = 0
        while empty < 2:
            messages = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, VisibilityTimeout=600, AttributeNames=["All"]
            ).get("Messages", [])
            empty = 0 if messages else empty + 1
            for message in messages:
                found.add(f"{url[-4:]}{message['Body']}")
                group = message["Attributes"].get("MessageGroupId")
                if group:
                    number = message["Attributes"]["SequenceNumber"]
                    assert last.get(group, "") < number
                    last[group] = number
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found
