"""Work that nobody waits for: a queue's messages given to a function, and asynchronous invocations."""

import time
from typing import Any

import uvloop

from benchmarks import load
from benchmarks.endpoints import Endpoint
from benchmarks.functions import create, invocation
from benchmarks.queues import CONNECTIONS, fill, new_queue
from benchmarks.wire import connections

Figures = dict[str, float]

MESSAGES = 20_000
INVOKE_S = 5
END_LIMIT_S = 120
"""What is not done then counts as not done."""
LOOK_S = 0.1
LOOK_AT_LOG_S = 1.0
"""Reading a log costs the program that is measured: the events' own times tell when they were, not the look."""
EMPTY = "def handler(event, context):\n    return None\n"
COUNTED = "def handler(event, context):\n    print('ran')\n"


def queue_to_function(endpoint: Endpoint) -> Figures:
    """Messages a second through an event source mapping in batches of ten, from a queue that is full of them."""
    url, name = new_queue(endpoint), create(endpoint, EMPTY)
    functions, sqs = load.client(endpoint.url, "lambda"), load.client(endpoint.url, "sqs")
    uvloop.run(_fill(endpoint.url, url))
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    began = time.perf_counter()
    made = functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=10)
    left, end = MESSAGES, began + END_LIMIT_S
    while left and time.perf_counter() < end:
        time.sleep(LOOK_S)
        left = _left(sqs, url)
    rate = (MESSAGES - left) / (time.perf_counter() - began)
    functions.delete_event_source_mapping(UUID=made["UUID"])
    return {"queue to function messages/s": rate}


def async_invokes(endpoint: Endpoint) -> Figures:
    """Asynchronous invocations: how many a second are accepted at 16 connections, and how many a second run until the
    last has. The function's log tells."""
    name = create(endpoint, COUNTED)
    logs = load.client(endpoint.url, "logs")
    began = time.time()
    seen = load.drive(endpoint.url, invocation(endpoint, name, "Event"), CONNECTIONS, INVOKE_S)
    accepted, moments, end = round(seen.per_second * INVOKE_S) - seen.errors, list[float](), began + END_LIMIT_S
    while len(moments) < accepted and time.time() < end:
        time.sleep(LOOK_AT_LOG_S)
        moments = _ran(logs, name)
    return {
        "async invokes accepted/s": accepted / INVOKE_S,
        "async invokes executed/s": len(moments) / (max(moments) - began) if moments else 0.0,
        "async invokes lost": max(0, accepted - len(moments)),
    }


async def _fill(endpoint: str, url: str) -> None:
    async with connections(endpoint, "sqs", CONNECTIONS) as made:
        await fill(made, url, MESSAGES)


def _left(sqs: Any, url: str) -> int:
    """The messages that wait or are in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _ran(logs: Any, name: str) -> list[float]:
    """When a function has run, by its log: seconds since the epoch."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name}", filterPattern="ran"
        )
        return [event["timestamp"] / 1000 for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
