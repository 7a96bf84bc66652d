"""Cold and warm invocations of every runtime that this machine has."""

import io
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.endpoints import Endpoint
from cloudlet.compute.runtimes import Runtimes
from tests.support import builds, native_functions

COLD_STARTS = 20
WARM = 500
PREPARED = Path(__file__).parents[1] / ".state" / "runtimes"
ROLE = "arn:aws:iam::000000000000:role/bench"
_NODE = "exports.handler = async (event) => event\n"
_RUBY = "def handler(event:, context:) = event\n"
_JAVA = """
package example;
import java.util.Map;
public class Echo {
    public Map<String, Object> handle(Map<String, Object> event) { return event; }
}
"""
Files = Mapping[str, str | bytes]


def _java() -> Files:
    return builds.java({"Echo.java": _JAVA})


PACKAGES: dict[str, tuple[str, Callable[[], Files]]] = {
    "nodejs": ("app.handler", lambda: {"app.js": _NODE}),
    "java": ("example.Echo::handle", _java),
    "ruby": ("app.handler", lambda: {"app.rb": _RUBY}),
    "go": ("any", native_functions.go),
}


def runtimes(endpoint: Endpoint) -> dict[str, float]:
    """The first invocation of fresh functions, one after another, and then of one that is there."""
    machine = Runtimes(PREPARED)
    figures: dict[str, float] = {}
    for language, (handler, package) in PACKAGES.items():
        names = ["provided.al2023"] if language == "go" else list(machine.interpreters(language))
        for runtime in names:
            try:
                code = _zip(package())
                figures |= _measure(endpoint, runtime, handler, code, language if language == "go" else runtime)
            except (pytest.skip.Exception, load.client(endpoint.url, "lambda").exceptions.ClientError) as error:
                print(f"{endpoint.name} {runtime}: {error}"[:200])
    return figures


def _measure(endpoint: Endpoint, runtime: str, handler: str, code: bytes, label: str) -> dict[str, float]:
    cold: list[float] = []
    for _ in range(COLD_STARTS):
        request = _invocation(endpoint, _function(endpoint, runtime, handler, code))
        cold += load.sequence(endpoint.url, request, 1)
    warm = load.sequence(endpoint.url, request, WARM)
    cold.sort()
    return {
        f"cold start {label} p50 ms": load.percentile(cold, 0.5),
        f"cold start {label} p99 ms": load.percentile(cold, 0.99),
        f"warm invoke {label} p50 ms": load.percentile(sorted(warm), 0.5),
    }


def _function(endpoint: Endpoint, runtime: str, handler: str, code: bytes) -> str:
    """A new function that is ready; its name."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    functions = load.client(endpoint.url, "lambda")
    functions.create_function(
        FunctionName=name, Runtime=runtime, Handler=handler, Role=ROLE, Code={"ZipFile": code}, Timeout=30,
        MemorySize=512,
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 6000}
    )
    return name


def _invocation(endpoint: Endpoint, name: str) -> load.SignedRequest:
    path = f"/2015-03-31/functions/{name}/invocations"
    return load.sign(endpoint.url, "lambda", "POST", path, b'{"n":1}', {"Content-Type": "application/json"})


def _zip(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if data[:4] == b"\x7fELF" else 0o644) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
