"""Lambda functions for integration tests."""

import io
import zipfile
from typing import Any

ROLE = "arn:aws:iam::000000000000:role/test"


def package(source: str, **files: str) -> bytes:
    """A zip package with `source` as app.py."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in {"app.py": source, **files}.items():
            archive.writestr(name, text)
    return content.getvalue()


def create_function(functions: Any, name: str, source: str, **settings: Any) -> Any:
    """Create a function whose `app.handler` is in `source`; return when it is active. `functions` is a boto3 client."""
    request = {"Runtime": "python3.11", "Handler": "app.handler", "Role": ROLE, "Code": {"ZipFile": package(source)}}
    created = functions.create_function(FunctionName=name, **(request | settings))
    waiter = functions.get_waiter("function_active_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": 0, "MaxAttempts": 100_000})
    return created
