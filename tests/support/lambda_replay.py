"""Lambda's recorded answers: the calls behind them are made again, and must be answered in the same way.

The recordings are LocalStack's (Apache-2.0); what each step called is told by its tests of the same names.
"""

import functools
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.lambda_recordings import Comparison, recordings
from tests.support.nodes import Clients

REGION = "us-east-1"
RECORDED = recordings()
ECHO = "import json\n\ndef handler(event, context):\n    print(json.dumps(event))\n    return event\n"
FAST = {"Delay": 0.02, "MaxAttempts": 3000}
"""A runtime that is used for the first time on a machine is prepared first, which takes a while."""


def package(code: str, name: str = "index.py", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(name), code, method)
    return buffer.getvalue()


class Replay:
    """A client, and the recording of one test."""

    def __init__(self, name: str, endpoint: str, clients: Clients) -> None:
        self.aws = clients.make(endpoint, "lambda", parameter_validation=False)
        self.logs = clients.make(endpoint, "logs")
        self.client = functools.partial(clients.make, endpoint)
        self.role = f"arn:aws:iam::{clients.account}:role/lambda-role"
        self.arn = f"arn:aws:lambda:{REGION}:{clients.account}:function:"
        self._recorded = RECORDED[name]
        self._comparison = Comparison(self._recorded, clients.account, REGION)
        self._left_out: set[str] = set()

    def check(self, step: str, answer: Any) -> Any:
        self._comparison.check(step, answer)
        return answer

    def fails(self, step: str, call: Callable[..., Any], **params: Any) -> None:
        with pytest.raises(ClientError) as caught:
            call(**params)
        self._comparison.check(step, caught.value.response)

    def leave_out(self, *steps: str) -> None:
        """Steps that need what is not built yet."""
        self._left_out.update(steps)

    def finish(self) -> None:
        assert self._comparison.seen | self._left_out == self._recorded.keys()

    def create(self, name: str = "fn", code: str = ECHO, *, wait: bool = True, **params: Any) -> Any:
        given = {
            "Role": self.role,
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Code": {"ZipFile": package(code, f"{params.get('Handler', 'index.x').split('.')[0]}.py")},
            **params,
        }
        made = self.aws.create_function(FunctionName=name, **given)
        if wait:
            self.aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=FAST)
        return made

    def create_simply(self, name: str = "fn", code: str = ECHO, **params: Any) -> Any:
        """As LocalStack's helper does, which names the handler and gives an environment and a timeout."""
        given = {"Handler": "handler.handler", "Environment": {"Variables": {}}, "Timeout": 30, **params}
        return {
            "CreateEventSourceMappingResponse": None,
            "CreateFunctionResponse": self.create(name, code, **given),
        }

    def updated(self, name: str = "fn") -> None:
        self.aws.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=FAST)

    def invoke(self, name: str = "fn", payload: Any = None, **params: Any) -> Any:
        given = {} if payload is None else {"Payload": json.dumps(payload)}
        return self.aws.invoke(FunctionName=name, **given, **params)


Make = Callable[[str], Replay]
