"""What is measured, each case against any endpoint. A case gives figures by their name, with the unit in it."""

import concurrent.futures
import time
from collections.abc import Callable

from benchmarks import load
from benchmarks.asynchronous import async_invokes, queue_to_function
from benchmarks.endpoints import Endpoint
from benchmarks.functions import create, invocation
from benchmarks.queues import sqs_batch, sqs_cycle, sqs_deep, sqs_send, sqs_wake
from benchmarks.runtimes import runtimes
from benchmarks.sandboxes import sandbox_memory, stream_first_byte, thousand_sandboxes
from benchmarks.snapstart import snapstart_pandas
from benchmarks.topics import sns_fanout, sns_publish

Figures = dict[str, float]
Case = Callable[[Endpoint], Figures]

EMPTY = "def handler(event, context):\n    return event\n"
BOTO3 = "import boto3\ndef handler(event, context):\n    return event\n"
SLEEP = "import time\ndef handler(event, context):\n    time.sleep(1)\n    return 1\n"
LOAD_S = 5
CONNECTIONS = 16
COLD_STARTS = 20
BURST = 50


def edge(endpoint: Endpoint) -> Figures:
    """A signed GetCallerIdentity at 16 connections."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    seen = load.drive(endpoint.url, load.sign(endpoint.url, "sts", "POST", "/", body, headers), CONNECTIONS, LOAD_S)
    return {"edge requests/s": seen.per_second, "edge p50 ms": seen.p50_ms, "edge errors": seen.errors}


def warm_invoke(endpoint: Endpoint) -> Figures:
    """A warm invocation: one after another on one connection, then 16 connections at once."""
    name = create(endpoint, EMPTY)
    request = invocation(endpoint, name)
    load.sequence(endpoint.url, request, 50)
    latencies = load.sequence(endpoint.url, request, 1000)
    seen = load.drive(endpoint.url, invocation(endpoint, name), CONNECTIONS, LOAD_S)
    return {
        "warm invoke p50 ms": load.percentile(latencies, 0.5),
        "warm invoke p99 ms": load.percentile(latencies, 0.99),
        "warm invokes/s": seen.per_second,
        "warm invoke errors": seen.errors,
    }


def cold_start(endpoint: Endpoint) -> Figures:
    """The first invocation of fresh functions, one after another."""
    figures: Figures = {}
    for label, source in (("empty", EMPTY), ("boto3", BOTO3)):
        latencies = []
        for _ in range(COLD_STARTS):
            request = invocation(endpoint, create(endpoint, source))
            latencies += load.sequence(endpoint.url, request, 1)
        latencies.sort()
        figures[f"cold start {label} p50 ms"] = load.percentile(latencies, 0.5)
        figures[f"cold start {label} p99 ms"] = load.percentile(latencies, 0.99)
    return figures


def burst(endpoint: Endpoint) -> Figures:
    """50 concurrent cold invocations of a function that sleeps for a second: 1.0 s is perfect."""
    name = create(endpoint, SLEEP)
    functions = load.client(endpoint.url, "lambda")

    def invoke(_: int) -> bytes:
        return bytes(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())

    with concurrent.futures.ThreadPoolExecutor(BURST) as pool:
        began = time.perf_counter()
        answers = list(pool.map(invoke, range(BURST)))
        wall_s = time.perf_counter() - began
    return {"burst wall s": wall_s, "burst answered": float(sum(answer == b"1" for answer in answers))}


def start_and_memory(endpoint: Endpoint) -> Figures:
    """Start to first answer, and memory when nothing has happened yet."""
    return {"start s": endpoint.start_s, "idle memory MB": endpoint.memory_mb()}


CASES: tuple[Case, ...] = (
    start_and_memory,
    edge,
    sqs_send,
    sqs_batch,
    sqs_cycle,
    sqs_wake,
    sqs_deep,  # the memory that it measures is the whole program's: before there are sandboxes
    sns_publish,
    sns_fanout,
    warm_invoke,
    cold_start,
    burst,
    runtimes,
    snapstart_pandas,
    queue_to_function,
    async_invokes,
    stream_first_byte,
    sandbox_memory,
    thousand_sandboxes,
)
