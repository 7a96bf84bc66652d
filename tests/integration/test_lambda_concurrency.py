"""Concurrency over HTTP: provisioned environments that outlast what happens to them, limits and what they say."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.config import Config
from tests.support.functions import create_function
from tests.support.nodes import RUNTIMES, Clients, NodeInThread, NodeProcess, fresh_account, running

SOURCE = """
import os

def handler(event, context):
    if event == "die":
        os._exit(1)
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], context.function_version]
"""


def provision(functions: Any, qualifier: str, count: int) -> None:
    functions.put_provisioned_concurrency_config(
        FunctionName="fn", Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )
    wait(functions, qualifier)


def wait(functions: Any, qualifier: str) -> None:
    get = functions.get_provisioned_concurrency_config
    while (got := get(FunctionName="fn", Qualifier=qualifier))["Status"] != "READY":
        assert got["Status"] == "IN_PROGRESS", got


def invoke(functions: Any, qualifier: str, event: Any = None) -> Any:
    return json.load(functions.invoke(FunctionName="fn", Qualifier=qualifier, Payload=json.dumps(event))["Payload"])


@pytest.fixture
def functions(client: Any) -> Any:
    return client("lambda")


def test_a_provisioned_environment_serves_and_is_replaced_when_it_dies(functions: Any) -> None:
    create_function(functions, "fn", SOURCE)
    functions.publish_version(FunctionName="fn")
    provision(functions, "1", 1)
    assert invoke(functions, "1") == ["provisioned-concurrency", "1"]
    assert invoke(functions, "1", "die")["errorType"] == "Runtime.ExitError"
    wait(functions, "1")
    assert invoke(functions, "1") == ["provisioned-concurrency", "1"]
    functions.delete_provisioned_concurrency_config(FunctionName="fn", Qualifier="1")
    assert invoke(functions, "1")[1] == "1"


def test_an_alias_that_is_moved_takes_it_along(functions: Any) -> None:
    create_function(functions, "fn", SOURCE)
    functions.publish_version(FunctionName="fn")
    functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    provision(functions, "live", 2)
    assert invoke(functions, "live") == ["provisioned-concurrency", "1"]
    functions.update_function_configuration(FunctionName="fn", Description="another")
    functions.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig={"Delay": 0, "MaxAttempts": 9999})
    functions.publish_version(FunctionName="fn")
    functions.update_alias(FunctionName="fn", Name="live", FunctionVersion="2")
    wait(functions, "live")
    assert invoke(functions, "live") == ["provisioned-concurrency", "2"]


@pytest.mark.chaos
def test_it_is_made_again_after_a_crash(process_node: NodeProcess, clients: Clients) -> None:
    functions = clients.make(process_node.endpoint, "lambda")
    create_function(functions, "fn", SOURCE)
    functions.publish_version(FunctionName="fn")
    provision(functions, "1", 2)
    process_node.kill9()
    process_node.restart()
    wait(functions, "1")
    assert invoke(functions, "1") == ["provisioned-concurrency", "1"]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node on which functions may grow by one environment in ten seconds."""
    data: Path = tmp_path_factory.mktemp("narrow")
    config = Config(port=0, data=data, runtimes=RUNTIMES, scaling_rate=1)
    with running(NodeInThread(config)) as node:
        yield node.endpoint


def throttled(functions: Any, name: str) -> tuple[str, str | None]:
    """Invoke until it is refused, each time after a change that takes another environment."""

    def invoke_again_and_again() -> None:
        for number in itertools.count():
            functions.invoke(FunctionName=name)
            functions.update_function_configuration(FunctionName=name, Description=str(number))
            waiter = functions.get_waiter("function_updated_v2")
            waiter.wait(FunctionName=name, WaiterConfig={"Delay": 0, "MaxAttempts": 9999})

    with pytest.raises(ClientError) as caught:
        invoke_again_and_again()
    response: Any = caught.value.response
    assert response["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    return response["Reason"], response["ResponseMetadata"]["HTTPHeaders"].get("retry-after")


def test_a_throttle_says_why_and_when_to_try_again(narrow: str) -> None:
    clients = Clients(fresh_account())
    functions = clients.make(narrow, "lambda")
    create_function(functions, "grows", SOURCE)
    reason, retry_after = throttled(functions, "grows")
    assert reason == "ConcurrentInvocationLimitExceeded"
    assert retry_after is not None
    assert 1 <= int(retry_after) <= 10
    functions.put_function_concurrency(FunctionName="grows", ReservedConcurrentExecutions=0)
    assert throttled(functions, "grows") == ("ReservedFunctionConcurrentInvocationLimitExceeded", None)
    clients.close()
