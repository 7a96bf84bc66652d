"""The Python runtime: AWS's own runtime client, imported ahead of time in the zygote, and boto3 with it."""

from __future__ import annotations

import os
import sys
import time
import warnings
from typing import Any

RUNTIME_FOLDER = "/var/runtime"


def preload() -> None:
    """Import what nearly every function needs, in the zygote, once."""
    sys.path.insert(0, RUNTIME_FOLDER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import awslambdaric.bootstrap
        import awslambdaric.lambda_runtime_client
        import boto3  # noqa: F401


def run(spec: dict[str, Any]) -> int:
    """Run the handler until the sandbox ends."""
    environment = spec["environment"]
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir("/var/task")
    version = "python{}.{}".format(*sys.version_info[:2])
    sys.path[:0] = ["/var/task", f"/opt/python/lib/{version}/site-packages", "/opt/python"]
    sys.argv = ["/var/runtime/bootstrap.py"]
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    bootstrap.run(spec["handler"], LambdaRuntimeClient(environment["AWS_LAMBDA_RUNTIME_API"]))
    return 0
