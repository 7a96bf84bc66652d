"""What a queue does: messages a second, one by one and in batches, how soon a waiting receive wakes, and how much a
long queue slows it down."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import uvloop

from benchmarks import load
from benchmarks.endpoints import Endpoint
from benchmarks.wire import Connection, connections

Figures = dict[str, float]

LOAD_S = 5
CONNECTIONS = 16
BATCH = 10
BODY = "x" * 100
WAKES = 300
WAKES_LIMIT_S = 10
BEFORE_SEND_S = 0.02
"""So long the receive has been waiting when its message is sent."""
SHORT, LONG = 1_000, 1_000_000
LOOKS = 500
"""Messages that are received, one by one, from a queue of each length."""
FILL_LIMIT_S = 240


def sqs_send(endpoint: Endpoint) -> Figures:
    """Signed SendMessage of 100 bytes at 16 connections; each is durable when it is answered."""
    seen = load.drive(endpoint.url, _request(endpoint, "SendMessage", MessageBody=BODY), CONNECTIONS, LOAD_S)
    return {"sqs sends/s": seen.per_second, "sqs send p99 ms": seen.p99_ms, "sqs send errors": seen.errors}


def sqs_batch(endpoint: Endpoint) -> Figures:
    """Messages a second in batches of ten at 16 connections."""
    seen = load.drive(endpoint.url, _request(endpoint, "SendMessageBatch", Entries=_entries()), CONNECTIONS, LOAD_S)
    return {"sqs batched messages/s": seen.per_second * BATCH, "sqs batch errors": seen.errors}


def sqs_cycle(endpoint: Endpoint) -> Figures:
    """Send, receive and delete one message, again and again, at 16 connections."""

    async def cycle(connection: Connection, url: str) -> None:
        await connection.sqs("SendMessage", QueueUrl=url, MessageBody=BODY)
        for message in (await connection.sqs("ReceiveMessage", QueueUrl=url)).get("Messages", ()):
            await connection.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    return {"sqs cycles/s": uvloop.run(_rate(endpoint.url, new_queue(endpoint), cycle))}


def sqs_wake(endpoint: Endpoint) -> Figures:
    """From the moment a message is sent to the answer of a receive that waited for it."""
    return uvloop.run(_wake(endpoint.url, new_queue(endpoint)))


def sqs_deep(endpoint: Endpoint) -> Figures:
    """A receive from a queue of 1,000,000 messages, and from one of 1,000; and the memory that it takes."""
    figures: Figures = {}
    for count in (SHORT, LONG):
        url = new_queue(endpoint)
        figures |= uvloop.run(_deep(endpoint.url, url, count))
    return figures | {f"memory MB, {LONG:,} messages": endpoint.memory_mb()}


async def _rate(endpoint: str, url: str, work: Callable[[Connection, str], Awaitable[None]]) -> float:
    """How often a second 16 connections get `work` done."""
    done = 0
    began = time.perf_counter()

    async def repeat(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() - began < LOAD_S:
            await work(connection, url)
            done += 1

    async with connections(endpoint, "sqs", CONNECTIONS) as made:
        await asyncio.gather(*map(repeat, made))
    return done / (time.perf_counter() - began)


async def _wake(endpoint: str, url: str) -> Figures:
    latencies: list[float] = []
    async with connections(endpoint, "sqs", 2) as (consumer, producer):
        end = time.perf_counter() + WAKES_LIMIT_S  # a peer that looks once a second is not waited for 300 times
        while len(latencies) < WAKES and time.perf_counter() < end:
            waiting = asyncio.ensure_future(consumer.sqs("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
            await asyncio.sleep(BEFORE_SEND_S)
            began = time.perf_counter()
            sent = asyncio.ensure_future(producer.sqs("SendMessage", QueueUrl=url, MessageBody=BODY))
            (message,) = (await waiting)["Messages"]
            latencies.append((time.perf_counter() - began) * 1e3)
            await sent
            await producer.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    latencies.sort()
    return {
        "sqs wake p50 ms": load.percentile(latencies, 0.5),
        "sqs wake p99 ms": load.percentile(latencies, 0.99),
    }


async def _deep(endpoint: str, url: str, count: int) -> Figures:
    async with connections(endpoint, "sqs", CONNECTIONS) as made:
        await fill(made, url, count)
        latencies = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            answer = await made[0].sqs("ReceiveMessage", QueueUrl=url)
            latencies.append((time.perf_counter() - began) * 1e3)
            if not answer.get("Messages"):
                raise RuntimeError(f"nothing to receive from a queue of {count} messages")
    latencies.sort()
    return {f"sqs receive p50 ms, {count:,} messages": load.percentile(latencies, 0.5)}


async def fill(made: list[Connection], url: str, count: int) -> None:
    """Put so many messages, a multiple of ten, into a queue. Raises TimeoutError when that takes too long."""
    batches = iter(range(count // BATCH))

    async def send(connection: Connection) -> None:
        for _ in batches:
            await connection.sqs("SendMessageBatch", QueueUrl=url, Entries=_entries())

    async with asyncio.timeout(FILL_LIMIT_S):
        await asyncio.gather(*map(send, made))


def new_queue(endpoint: Endpoint) -> str:
    """The URL of a new queue."""
    sqs = load.client(endpoint.url, "sqs")
    return str(sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:12]}")["QueueUrl"])


def _entries() -> list[dict[str, str]]:
    return [{"Id": str(number), "MessageBody": BODY} for number in range(BATCH)]


def _request(endpoint: Endpoint, operation: str, **params: Any) -> load.SignedRequest:
    """A request to a new queue, for wrk."""
    body = orjson.dumps({"QueueUrl": new_queue(endpoint), **params})
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
    return load.sign(endpoint.url, "sqs", "POST", "/", body, headers)
