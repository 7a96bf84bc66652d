"""One signed request, sent many times: by wrk for throughput, by one connection for latency."""

import json
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

REGION = "us-east-1"
KEYS: dict[str, tuple[str, str]] = {}
"""An access key and its secret, by URL, where signatures are checked: with a key of dev mode they are not."""
ANY_KEY = ("test", "test")
_DONE = """done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    e.status + e.read + e.timeout + e.connect, latency:percentile(50), latency:percentile(99)))
end"""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that is valid for five minutes."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Throughput:
    """What wrk saw."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def client(url: str, service: Any) -> Any:
    """A boto3 client of `url` that tries once."""
    config = Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=120, max_pool_connections=64)
    key, secret = KEYS.get(url, ANY_KEY)
    credentials: dict[str, Any] = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    return boto3.client(service, endpoint_url=url, region_name=REGION, config=config, **credentials)


def sign(url: str, service: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> SignedRequest:
    """The request with its SigV4 headers."""
    request = AWSRequest(method=method, url=url + path, data=body, headers=headers)
    SigV4Auth(Credentials(*KEYS.get(url, ANY_KEY)), service, REGION).add_auth(request)
    return SignedRequest(method, path, body, dict(request.headers.items()))


def drive(url: str, request: SignedRequest, connections: int, duration_s: int) -> Throughput:
    """Send `request` over `connections` kept-alive connections for `duration_s`."""
    lines = [f"wrk.method = {json.dumps(request.method)}", f"wrk.path = {json.dumps(request.path)}"]
    lines += [f"wrk.body = {json.dumps(request.body.decode())}"] if request.body else []
    lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in request.headers.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join([*lines, _DONE]))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{duration_s}s", "-s", script.name, url + request.path]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", output)
    if found is None:
        raise RuntimeError(f"wrk said: {output}")
    count, duration_us, errors, p50_us, p99_us = map(int, found.groups())
    return Throughput(count / (duration_us / 1e6), p50_us / 1e3, p99_us / 1e3, errors)


def sequence(url: str, request: SignedRequest, count: int) -> list[float]:
    """Send `request` `count` times on one connection, one after another; the latencies in ms, sorted."""
    pool = urllib3.PoolManager(maxsize=1)
    latencies = []
    for _ in range(count):
        began = time.perf_counter()
        answer = pool.request(request.method, url + request.path, body=request.body, headers=request.headers)
        latencies.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200 or "X-Amz-Function-Error" in answer.headers:
            raise RuntimeError(f"{answer.status}: {answer.data[:300]!r}")
    pool.clear()
    return sorted(latencies)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `ordered` lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
