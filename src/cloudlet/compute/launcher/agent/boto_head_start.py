"""boto3 in a zygote, as if it had been used already.

`import boto3; boto3.client("s3")` takes 350 ms in a fresh process: 150 ms of importing, 100 ms of listing and parsing
botocore's descriptions of services, 15 ms of registering a session's handlers, and then what every first use costs.
All of it is done here once. Nothing that depends on a function's variables is: a session reads those when it is used.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any, Callable, Iterator

_WARMED = ("s3", "dynamodb", "sqs", "sns", "lambda", "sts", "events", "secretsmanager")
"""Services whose descriptions stay in memory: 20 MB for all sandboxes together, 0.6 ms of each fork."""
_ANSWERS = {
    "s3": ("list_buckets", b"<ListAllMyBucketsResult/>"),
    "sqs": ("list_queues", b"{}"),
    "sns": ("list_topics", b"<R><ListTopicsResult/></R>"),
    "lambda": ("list_functions", b"{}"),
}
"""A call of each protocol, and an answer that its parser takes."""


def warm_up() -> None:
    """Import boto3, use it, and keep what any later session can use again."""
    with _remembered():
        _use()
    _keep_a_session()


@contextlib.contextmanager
def _remembered() -> Iterator[None]:
    """What botocore reads of its own files in this block is not listed, read or parsed again."""
    from botocore import loaders

    def places(loader: Any, kind: str) -> tuple[str, ...]:
        return (*loader.search_paths, kind)

    files = _memory_of(loaders.JSONFileLoader, "load_file", lambda _loader, path: path)
    with files, _memory_of(loaders.Loader, "list_available_services", places):
        yield


@contextlib.contextmanager
def _memory_of(owner: Any, name: str, key_of: Callable[[Any, str], Any]) -> Iterator[None]:
    """Let the method `owner.name` remember its answers in this block, and give those again for good afterwards."""
    method = getattr(owner, name)
    known: dict[Any, Any] = {}

    def remember(self: Any, argument: str) -> Any:
        key = key_of(self, argument)
        if known.get(key) is None:
            known[key] = method(self, argument)
        return known[key]

    def recall(self: Any, argument: str) -> Any:
        answer = known.get(key_of(self, argument))
        return method(self, argument) if answer is None else answer

    setattr(owner, name, remember)
    try:
        yield
    finally:
        setattr(owner, name, recall)


def _use() -> None:
    """One client of each service, and one call of each protocol; none of them leaves this process."""
    import boto3
    from botocore.awsrequest import AWSResponse, HTTPHeaders

    session = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-", region_name="us-east-1")
    clients = {name: session.client(name) for name in _WARMED}
    for name, (operation, body) in _ANSWERS.items():

        def answer(request: Any, body: bytes = body, **_: Any) -> Any:
            return AWSResponse(request.url, 200, HTTPHeaders(), _Body(body))

        clients[name].meta.events.register("before-send", answer)
        getattr(clients[name], operation)()
    for client in clients.values():
        client.close()
    "localhost".encode("idna")  # as every connection to a named host does, by a codec that is loaded then


class _Body(io.BytesIO):
    """As much of urllib3's response as botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _keep_a_session() -> None:
    """The first session that a function makes is one that waits here; it has not been used.

    Not so where the function has changed what a new session would be made of.
    """
    import botocore.session
    from botocore.handlers import BUILTIN_HANDLERS

    module: Any = botocore.session
    make = module.get_session
    made_of = (module.Session, len(BUILTIN_HANDLERS))
    waiting = [make()]

    def get_session(env_vars: Any = None) -> Any:
        is_same = env_vars is None and made_of == (module.Session, len(BUILTIN_HANDLERS))
        return waiting.pop() if waiting and is_same else make(env_vars)

    module.get_session = get_session
