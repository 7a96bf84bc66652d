"""Sandboxes in number, and what one costs; and the first byte of a streamed answer."""

import asyncio
import time
from pathlib import Path

import orjson
import urllib3
import uvloop

from benchmarks import load
from benchmarks.endpoints import ROOT, Endpoint
from benchmarks.functions import create, invocation, invocation_path
from benchmarks.wire import CallFailed, Connection, connections
from cloudlet.compute.runtimes import Runtimes

Figures = dict[str, float]

IDLE = 100
"""Sandboxes whose memory is measured."""
MANY = 1000
STREAMS = 100
EMPTY = "def handler(event, context):\n    return None\n"
BEGUN = """
import time

def handler(event, context):
    begun = time.time()
    time.sleep(20)
    return begun
"""
STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("first");
  await new Promise((done) => setTimeout(done, 100));
  stream.end("last");
});
"""


def sandbox_memory(endpoint: Endpoint) -> Figures:
    """What an idle Python sandbox adds to the program's memory: all processes, shared pages counted once."""
    load.sequence(endpoint.url, invocation(endpoint, create(endpoint, EMPTY)), 1)
    before = endpoint.memory_mb()
    for _ in range(IDLE):
        load.sequence(endpoint.url, invocation(endpoint, create(endpoint, EMPTY)), 1)
    return {"memory per idle Python sandbox MB": (endpoint.memory_mb() - before) / IDLE}


def thousand_sandboxes(endpoint: Endpoint) -> Figures:
    """From 1,000 invocations at once of a function that keeps its sandbox busy, until the last of them runs."""
    return uvloop.run(_begin_many(endpoint.url, create(endpoint, BEGUN, memory_mb=128)))


def stream_first_byte(endpoint: Endpoint) -> Figures:
    """A warm Node.js function that writes, waits for 100 ms and writes again: when its first bytes are there."""
    runtimes = list(Runtimes(Path(ROOT / ".state" / "runtimes")).interpreters("nodejs"))
    if not runtimes:
        raise RuntimeError("this machine has no Node.js")
    name = create(endpoint, STREAM, "app.js", runtimes[-1])
    path = f"/2021-11-15/functions/{name}/response-streaming-invocations"
    request = load.sign(endpoint.url, "lambda", "POST", path, b"{}", {"Content-Type": "application/json"})
    firsts, alls = zip(*(_streamed(endpoint.url, request) for _ in range(STREAMS)), strict=True)
    return {
        "stream first byte p50 ms": load.percentile(sorted(firsts), 0.5),
        "stream last byte p50 ms": load.percentile(sorted(alls), 0.5),
    }


async def _begin_many(url: str, name: str) -> Figures:
    refused = 0

    async def invoke(connection: Connection) -> float:
        nonlocal refused
        try:
            return float(orjson.loads(await connection.post(invocation_path(name), b"{}", {})))
        except CallFailed:
            refused += 1
            return 0.0

    async with connections(url, "lambda", MANY) as made:
        began = time.time()
        begun = await asyncio.gather(*map(invoke, made))
    return {f"{MANY:,} sandboxes s": max(begun) - began, f"{MANY:,} sandboxes refused": refused}


def _streamed(url: str, request: load.SignedRequest) -> tuple[float, float]:
    """When the first piece of the answer's body came, and the last, in ms."""
    pool = urllib3.PoolManager(maxsize=1)
    began = time.perf_counter()
    answer = pool.request(
        request.method, url + request.path, body=request.body, headers=request.headers, preload_content=False
    )
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {answer.read()[:300]!r}")
    answer.read1()
    first_ms = (time.perf_counter() - began) * 1e3
    answer.drain_conn()
    last_ms = (time.perf_counter() - began) * 1e3
    pool.clear()
    return first_ms, last_ms
