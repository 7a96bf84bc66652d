"""Cold starts from a snapshot: a function that imports pandas, which takes more than a second without one."""

import base64
import io
import re
import subprocess
import sys
import time
import uuid
import zipfile
from typing import Any

import urllib3

from benchmarks import load
from benchmarks.endpoints import ROOT, Endpoint
from benchmarks.functions import ROLE, invocation_path

Figures = dict[str, float]

COLD_STARTS = 20
PYTHON = "3.12"
PANDAS = "pandas==3.0.0"
CODE = "import pandas\ndef handler(event, context):\n    return event\n"
WAIT = {"Delay": 0.05, "MaxAttempts": 2000}


def snapstart_pandas(endpoint: Endpoint) -> Figures:
    """The first invocation of fresh versions, one after another: as the client sees it, and what the report says."""
    functions = load.client(endpoint.url, "lambda")
    layer = functions.publish_layer_version(LayerName="pandas", Content={"ZipFile": _pandas()})["LayerVersionArn"]
    measured = [_cold_start(endpoint, functions, layer) for _ in range(COLD_STARTS)]
    seen, restores = (sorted(column) for column in zip(*measured, strict=True))
    return {
        "snapstart pandas p50 ms": load.percentile(seen, 0.5),
        "snapstart pandas p99 ms": load.percentile(seen, 0.99),
        "snapstart pandas restore p50 ms": load.percentile(restores, 0.5),
    }


def _cold_start(endpoint: Endpoint, functions: Any, layer: str) -> tuple[float, float]:
    """What the client sees, and the restore alone, in ms."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    functions.create_function(
        FunctionName=name, Runtime=f"python{PYTHON}", Handler="app.handler", Role=ROLE, MemorySize=512, Timeout=30,
        Code={"ZipFile": _zip({"app.py": CODE})}, Layers=[layer], SnapStart={"ApplyOn": "PublishedVersions"},
        Publish=True,
    )  # fmt: skip
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1", WaiterConfig=WAIT)
    path = f"{invocation_path(name)}?Qualifier=1"
    request = load.sign(endpoint.url, "lambda", "POST", path, b"{}", {"X-Amz-Log-Type": "Tail"})
    began = time.perf_counter()
    answer = urllib3.request("POST", endpoint.url + path, body=request.body, headers=request.headers)
    seen_ms = (time.perf_counter() - began) * 1e3
    log = base64.b64decode(answer.headers["X-Amz-Log-Result"]).decode()
    restored = re.search(r"\tRestore Duration: ([\d.]+) ms", log)
    if answer.status != 200 or restored is None:
        raise RuntimeError(f"{answer.status}: {answer.data[:300]!r} {log}")
    functions.delete_function(FunctionName=name)
    return seen_ms, float(restored[1])


def _pandas() -> bytes:
    """A layer with pandas, fetched once."""
    folder = ROOT / ".state" / "bench" / PANDAS / "python"
    if not folder.exists():
        making = folder.with_name("making")
        only = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
        command = [sys.executable, "-m", "pip", "install", "--quiet", *only, "--target", str(making), PANDAS]
        subprocess.run(command, check=True)
        making.rename(folder)
    files = {
        str(path.relative_to(folder.parent)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "tests" not in path.parts
    }
    return _zip(files)


def _zip(files: dict[str, str] | dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
