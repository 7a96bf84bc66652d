"""What a Python zygote has ready before any function comes: the runtime client, and boto3."""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any, NamedTuple

from . import boto_head_start, runtime_client

BOTO_FAMILY = frozenset(("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"))
"""Packages that a function may bring in versions of its own."""
_EXTENSION = "runtime_client"
"""The official client's C extension, in whose place ours is."""


class Preloaded(NamedTuple):
    """What is in memory that a process on AWS would not have there yet."""

    ahead: frozenset[str]
    """Modules (their first names) that only the zygote has imported."""
    environment: dict[str, str]
    """The zygote's own variables: what the interpreter and the dynamic loader have read."""


def preload(folder: str) -> Preloaded:
    """Import and warm up from the prepared `folder`. Leaves no thread, no connection and no session behind."""
    sys.path[0] = folder  # in place of the agent's own, which needs none any more
    environment = dict(os.environ)
    loaded: dict[str, Any] = sys.modules
    loaded[_EXTENSION] = runtime_client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import awslambdaric.bootstrap
        import awslambdaric.lambda_runtime_client  # noqa: F401 - the import is what it is for

        boto_head_start.warm_up()
    with open(f"{folder}/prepared.json") as file:
        on_aws = set(json.load(file)["modules"])
    ahead = {name.partition(".")[0] for name in sys.modules}
    return Preloaded(frozenset(ahead - on_aws - {"agent", "__main__"}), environment)
