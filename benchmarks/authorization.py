"""What it costs to decide whether a caller may: one process, one kind of request again and again.

usage: python -m benchmarks.authorization
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from cloudlet.clock import PlatformClock
from cloudlet.config import Config
from cloudlet.iam import entity_table, role_table, tables
from cloudlet.iam.compiled import compiled
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.enforce import PolicyAuthorizer
from cloudlet.iam.evaluate import PolicySet, evaluate
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.request import AccessRequest
from cloudlet.ids import Ids
from cloudlet.store.base import Transaction
from cloudlet.store.sqlite import SqliteStore

ACCOUNT = "111111111111"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = Principal(
    "assumed-role",
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me",
    "AROAWORKER:me",
    role_arn=ROLE_ARN,
    token_issued=1.0,
)
STREAM = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/app:log-stream:s"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["logs:Create*", "logs:PutLogEvents"], "Resource": "arn:aws:logs:*:*:*"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:ViaAWSService": "true"}}},
        ],
    }
)
CALLS = 5000
ROUNDS = 7


def run() -> list[tuple[str, str]]:
    """What was measured, and the best of some rounds, in microseconds."""
    return [("a warm decision", f"{_decision_us():.1f} us"), *asyncio.run(_authorizations())]


def _decision_us() -> float:
    request, policies = AccessRequest(SESSION, "logs:PutLogEvents", STREAM), PolicySet([compiled(POLICY)])
    best_s = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            evaluate(request, policies)
        best_s = min(best_s, time.perf_counter() - start)
    return best_s / CALLS * 1e6


async def _authorizations() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        store, clock = await SqliteStore.open(Path(folder)), PlatformClock()
        try:
            await Credentials(Config(data=Path(folder)), store, clock, Ids()).open()
            await store.transact(_add_role)
            authorizer = PolicyAuthorizer(store, clock)
            rows = []
            for name, principal in (("root", Principal.root(ACCOUNT)), ("a role's session", SESSION)):
                context = RequestContext(principal, "us-east-1", "r", "logs", "PutLogEvents", "127.0.0.1", "bench")
                params: dict[str, Any] = {"logGroupName": "/app", "logStreamName": "s", "logEvents": []}
                cost_us = await _cost_us(partial(authorizer.authorize, context, params))
                rows.append((f"authorising PutLogEvents of {name}", f"{cost_us:.1f} us"))
            return rows
        finally:
            await store.close()


def _add_role(tx: Transaction) -> None:
    role = role_table.Role(ACCOUNT, "worker", "/", "AROAWORKER", "{}", None, 3600, None, 0.0)
    role_table.add(tx, role)
    entity_table.put_inline_policy(tx, ACCOUNT, role_table.KIND, "worker", "granted", POLICY)
    tables.changed(tx, ACCOUNT, role_table.KIND, "worker")


async def _cost_us(call: Callable[[], Awaitable[object]]) -> float:
    best_s = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            await call()
        best_s = min(best_s, time.perf_counter() - start)
    return best_s / CALLS * 1e6


if __name__ == "__main__":
    for name, value in run():
        print(f"{name:44}{value}")
