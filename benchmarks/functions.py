"""Functions to measure with."""

import io
import sys
import uuid
import zipfile
from typing import Any

from benchmarks import load
from benchmarks.endpoints import Endpoint

RUNTIME = f"python3.{sys.version_info.minor}"
ROLE = "arn:aws:iam::000000000000:role/bench"


def create(endpoint: Endpoint, source: str, file: str = "app.py", runtime: str = RUNTIME, memory_mb: int = 256) -> str:
    """A new function that is ready, whose handler is `app.handler`; its name."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    functions = load.client(endpoint.url, "lambda")
    settings: dict[str, Any] = {"Runtime": runtime, "Handler": "app.handler", "Role": ROLE, "Timeout": 30}
    functions.create_function(FunctionName=name, Code={"ZipFile": _zip(file, source)}, MemorySize=memory_mb, **settings)
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
    return name


def invocation(endpoint: Endpoint, name: str, kind: str = "RequestResponse") -> load.SignedRequest:
    """An invocation, for wrk or one connection."""
    headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": kind}
    return load.sign(endpoint.url, "lambda", "POST", invocation_path(name), b'{"n":1}', headers)


def invocation_path(name: str) -> str:
    """Where `Invoke` of a function is."""
    return f"/2015-03-31/functions/{name}/invocations"


def _zip(file: str, source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(file, source)
    return packed.getvalue()
