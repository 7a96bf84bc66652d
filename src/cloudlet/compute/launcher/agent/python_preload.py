"""What a Python zygote has ready before any function comes: the runtime client, and boto3 as if it had been used.

`import boto3; boto3.client("s3")` takes 350 ms in a fresh process. Most of that is importing, and parsing the JSON
of service descriptions. Both are done here once, so that a function's own first client takes 5 ms.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import warnings
from typing import Any, Iterator, NamedTuple

BOTO_FAMILY = frozenset(("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"))
"""Packages that a function may bring in versions of its own."""
_EXTENSION = "runtime_client"
_WARMED = ("s3", "dynamodb", "sqs", "sns", "lambda", "sts", "events", "secretsmanager")
"""Services whose descriptions stay in memory: 20 MB for all sandboxes together, 0.6 ms of each fork."""


class Preloaded(NamedTuple):
    """What is in memory that a process on AWS would not have there yet."""

    ahead: frozenset[str]
    """Modules (their first names) that only the zygote has imported."""
    environment: dict[str, str]
    """The zygote's own variables: what the interpreter and the dynamic loader have read."""


def preload(folder: str, *, has_fixed_address: bool) -> Preloaded:
    """Import and warm up from the prepared `folder`. Leaves no thread, no connection and no session behind.

    The client's extension module reads the Runtime API's address when it is loaded, or takes AWS's port 9001; where
    each sandbox has another address, `connect` loads it later.
    """
    sys.path[0] = folder  # in place of the agent's own, which needs none any more
    environment = dict(os.environ)
    loaded: dict[str, Any] = sys.modules
    if not has_fixed_address:
        loaded[_EXTENSION] = None  # importing it fails now, which the client takes into account
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import awslambdaric.bootstrap
        import awslambdaric.lambda_runtime_client  # noqa: F401 - the import is what it is for

        with _remembered_descriptions():
            _use_boto()
    if not has_fixed_address:
        del loaded[_EXTENSION]
    with open(f"{folder}/prepared.json") as file:
        on_aws = set(json.load(file)["modules"])
    ahead = {name.partition(".")[0] for name in sys.modules}
    return Preloaded(frozenset(ahead - on_aws - {"agent", "__main__"}), environment)


def connect() -> None:
    """Load what `preload` could not, now that the address is among the variables."""
    from awslambdaric import lambda_runtime_client as client

    if client.runtime_client is None:
        client.runtime_client = importlib.import_module(_EXTENSION)
        client.runtime_client.initialize_client(client._user_agent())


@contextlib.contextmanager
def _remembered_descriptions() -> Iterator[None]:
    """What botocore reads of its own files in this block is not read and parsed again, by any later session."""
    from botocore import loaders

    loader: Any = loaders.JSONFileLoader
    load = loader.load_file
    known: dict[str, Any] = {}

    def remember(self: Any, file_path: str) -> Any:
        if file_path not in known:
            content = load(self, file_path)
            if content is None:
                return None
            known[file_path] = content
        return known[file_path]

    def recall(self: Any, file_path: str) -> Any:
        return known[file_path] if file_path in known else load(self, file_path)

    loader.load_file = remember
    try:
        yield
    finally:
        loader.load_file = recall


def _use_boto() -> None:
    """One client of each service, and one call of each protocol; none of them leaves this process."""
    import boto3
    from botocore.awsrequest import AWSResponse, HTTPHeaders

    session = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-", region_name="us-east-1")
    clients = {name: session.client(name) for name in _WARMED}
    answers = {
        "s3": ("list_buckets", b"<ListAllMyBucketsResult/>"),
        "sqs": ("list_queues", b"{}"),
        "sns": ("list_topics", b"<R><ListTopicsResult/></R>"),
        "lambda": ("list_functions", b"{}"),
    }
    for name, (operation, body) in answers.items():

        def answer(request: Any, body: bytes = body, **_: Any) -> Any:
            return AWSResponse(request.url, 200, HTTPHeaders(), _Body(body))

        clients[name].meta.events.register("before-send", answer)
        getattr(clients[name], operation)()
    for client in clients.values():
        client.close()


class _Body(io.BytesIO):
    """As much of urllib3's response as botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
