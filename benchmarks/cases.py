"""What is measured, each case against any endpoint. A case gives figures by their name, with the unit in it."""

import concurrent.futures
import io
import sys
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

from benchmarks import load
from benchmarks.endpoints import Endpoint
from benchmarks.runtimes import runtimes

Figures = dict[str, float]
Case = Callable[[Endpoint], Figures]

RUNTIME = f"python3.{sys.version_info.minor}"
ROLE = "arn:aws:iam::000000000000:role/bench"
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
    name = _function(endpoint, EMPTY)
    request = _invocation(endpoint, name)
    load.sequence(endpoint.url, request, 50)
    latencies = load.sequence(endpoint.url, request, 1000)
    seen = load.drive(endpoint.url, _invocation(endpoint, name), CONNECTIONS, LOAD_S)
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
            request = _invocation(endpoint, _function(endpoint, source))
            latencies += load.sequence(endpoint.url, request, 1)
        latencies.sort()
        figures[f"cold start {label} p50 ms"] = load.percentile(latencies, 0.5)
        figures[f"cold start {label} p99 ms"] = load.percentile(latencies, 0.99)
    return figures


def burst(endpoint: Endpoint) -> Figures:
    """50 concurrent cold invocations of a function that sleeps for a second: 1.0 s is perfect."""
    name = _function(endpoint, SLEEP)
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


CASES: tuple[Case, ...] = (start_and_memory, edge, warm_invoke, cold_start, burst, runtimes)


def _function(endpoint: Endpoint, source: str) -> str:
    """A new function that is ready; its name."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    functions = load.client(endpoint.url, "lambda")
    settings: dict[str, Any] = {"Runtime": RUNTIME, "Handler": "app.handler", "Role": ROLE}
    functions.create_function(FunctionName=name, Code={"ZipFile": _zip(source)}, Timeout=30, MemorySize=256, **settings)
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
    return name


def _invocation(endpoint: Endpoint, name: str) -> load.SignedRequest:
    path = f"/2015-03-31/functions/{name}/invocations"
    return load.sign(endpoint.url, "lambda", "POST", path, b'{"n":1}', {"Content-Type": "application/json"})


def _zip(source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", source)
    return packed.getvalue()
