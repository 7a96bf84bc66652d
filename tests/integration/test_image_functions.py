"""Functions that are container images, from every place that they may come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.functions import ROLE
from tests.support.images import Layout
from tests.support.nodes import MakeClient
from tests.support.python_image import python_image

HELLO = """
import os

def handler(event, context):
    return {"hello": event.get("name"), "cwd": os.getcwd(), "uid": os.getuid(), "id": context.aws_request_id}
"""
WAIT = {"Delay": 0, "MaxAttempts": 100_000}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def functions(client: MakeClient) -> Any:
    return client("lambda")


def create(functions: Any, uri: str, name: str = "fn", **settings: Any) -> Any:
    made = functions.create_function(
        FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri}, **settings
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=WAIT)
    return made


def invoke(functions: Any, event: Any = None, name: str = "fn") -> Any:
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event or {}))
    return json.loads(answer["Payload"].read())


def test_one_from_a_folder_runs_its_own_client(functions: Any, layout: Layout) -> None:
    python_image(layout, "v1", HELLO)
    create(functions, layout.reference("v1"))
    answer = invoke(functions, {"name": "you"})
    assert (answer["hello"], answer["cwd"], answer["uid"]) == ("you", "/function", 993)
