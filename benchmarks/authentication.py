"""What it costs to know who sent a request: one process, one request of a kind again and again.

usage: python -m benchmarks.authentication
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from cloudlet.clock import PlatformClock
from cloudlet.config import Config
from cloudlet.iam.authenticate import Authenticator, Target
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.principals import Principal
from cloudlet.ids import Ids
from cloudlet.store.sqlite import SqliteStore
from cloudlet.wire.http import HttpRequest

STS = Target("sts", "sts", "query", "GetCallerIdentity")
SQS = Target("sqs", "sqs", "json", "SendMessage")
LAMBDA = Target("lambda", "lambda", "rest-json", "Invoke")
S3 = Target("s3", "s3", "rest-xml", "GetObject")
HOST = "127.0.0.1:4566"
CALLS = 5000
ROUNDS = 7


def run() -> list[tuple[str, str]]:
    """What was measured, and the best of some rounds, in microseconds."""
    return asyncio.run(_run())


async def _run() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        config, clock, ids = Config(data=Path(folder)), PlatformClock(), Ids()
        store = await SqliteStore.open(config.data)
        try:
            credentials = Credentials(config, store, clock, ids)
            await credentials.open()
            authenticator = Authenticator(config, credentials, clock)
            rows = []
            for name, target, request in _requests(credentials):
                cost_us = await _cost_us(partial(authenticator.authenticate, request, target))
                rows.append((name, f"{cost_us:.1f} us"))
            return rows
        finally:
            await store.close()


async def _cost_us(call: Callable[[], Awaitable[object]]) -> float:
    best_s = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            await call()
        best_s = min(best_s, (time.perf_counter() - start) / CALLS)
    return best_s * 1e6


def _requests(credentials: Credentials) -> Iterator[tuple[str, Target, HttpRequest]]:
    root = Keys(*credentials.root_key)
    role = Principal(
        "assumed-role", "111111111111", "arn:aws:sts::111111111111:assumed-role/r/s", "AROA:s", role_arn="r"
    )
    issued = credentials.issue(role, 3600)
    session = Keys(issued.access_key_id, issued.secret_access_key, issued.session_token)
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    invoke = "/2015-03-31/functions/hello/invocations"
    message = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    yield "GetCallerIdentity, root key", STS, _signed(SigV4Auth, root, "sts", body=form)
    yield "GetCallerIdentity, session", STS, _signed(SigV4Auth, session, "sts", body=form)
    yield "GetCallerIdentity, key of dev mode", STS, _signed(SigV4Auth, Keys("123456789012", "x"), "sts", body=form)
    yield "SendMessage of 1 KB, root key", SQS, _signed(SigV4Auth, root, "sqs", body=b"x" * 1000, headers=message)
    yield "Invoke, session", LAMBDA, _signed(SigV4Auth, session, "lambda", path=invoke, body=b"{}")
    yield "GetObject, root key", S3, _signed(S3SigV4Auth, root, "s3", "GET", "/bucket/key")
    yield "GetObject, presigned", S3, _signed(S3SigV4QueryAuth, root, "s3", "GET", "/bucket/key")


def _signed(
    signer: type[SigV4Auth],
    keys: Keys,
    service: str,
    method: str = "POST",
    path: str = "/",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> HttpRequest:
    request = AWSRequest(method, f"http://{HOST}{path}", data=body, headers={"Host": HOST, **(headers or {})})
    signer(keys, service, "us-east-1").add_auth(request)
    query = str(request.url).partition("?")[2]
    return HttpRequest(method, path, query, {name.lower(): str(text) for name, text in request.headers.items()}, body)


if __name__ == "__main__":
    for name, figure in run():
        print(f"{name:44}{figure}")
