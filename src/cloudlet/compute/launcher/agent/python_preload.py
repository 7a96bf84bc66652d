"""What a Python zygote has ready before any function comes: the runtime client, and boto3."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from typing import Any, NamedTuple

from . import boto_head_start

BOTO_FAMILY = frozenset(("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"))
"""Packages that a function may bring in versions of its own."""
_EXTENSION = "runtime_client"


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

        boto_head_start.warm_up()
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
