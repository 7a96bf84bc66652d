"""The metrics of functions, as CloudWatch shows them."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_lambda_events import grant, make_role, queue
from tests.support.functions import create_function
from tests.support.nodes import Clients, MakeClient, NodeProcess, control

SOURCE = """
def handler(event, context):
    if event == "fail":
        raise ValueError("no")
    return event
"""
Advance = Callable[[float], None]
Json = dict[str, Any]


class Metrics:
    """What CloudWatch has in AWS/Lambda."""

    def __init__(self, cloudwatch: Any, endpoint: str) -> None:
        self._cloudwatch = cloudwatch
        self._endpoint = endpoint

    def stored(self) -> None:
        """All that was counted is stored when time has moved on."""
        control(self._endpoint, "clock", {"advance_s": 1})

    def get(self, name: str, *statistics: str, **dimensions: str) -> dict[str, float]:
        """Statistics of the last hours; nothing where there is no data."""
        now = dt.datetime.fromtimestamp(control(self._endpoint, "clock")["now"], dt.UTC)
        start = now.replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=1)
        points = self._cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=start,
            EndTime=start + dt.timedelta(hours=24),
            Period=86_400,
            Statistics=list(statistics),
        )["Datapoints"]
        return {key: value for point in points for key, value in point.items() if key in statistics}

    def sum(self, name: str, **dimensions: str) -> float | None:
        return self.get(name, "Sum", **dimensions).get("Sum")


@pytest.fixture
def functions(client: MakeClient) -> Any:
    return client("lambda")


@pytest.fixture
def metrics(client: MakeClient, endpoint: str) -> Metrics:
    return Metrics(client("cloudwatch"), endpoint)


def invoke(functions: Any, event: Any = None, name: str = "fn", **params: Any) -> Json:
    answer: Json = functions.invoke(FunctionName=name, Payload=json.dumps(event), **params)
    return answer


def test_invocations_errors_durations_and_throttles(functions: Any, metrics: Metrics) -> None:
    create_function(functions, "fn", SOURCE)
    functions.publish_version(FunctionName="fn")
    functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    for event in (1, 2, "fail"):
        invoke(functions, event)
    for _ in range(2):
        invoke(functions, Qualifier="live")
    functions.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded"):
        invoke(functions)
    metrics.stored()
    assert metrics.sum("Invocations") == metrics.sum("Invocations", FunctionName="fn") == 5
    assert metrics.sum("Invocations", FunctionName="fn", Resource="fn") == 3
    assert metrics.sum("Invocations", FunctionName="fn", Resource="fn:live") == 2
    assert metrics.sum("Invocations", FunctionName="fn", Resource="fn:live", ExecutedVersion="1") == 2
    assert metrics.get("Errors", "Sum", "Average", FunctionName="fn") == {"Sum": 1, "Average": 0.2}
    assert metrics.sum("Throttles", FunctionName="fn") == 1
    durations = metrics.get("Duration", "SampleCount", "Minimum", "Maximum", FunctionName="fn")
    assert durations["SampleCount"] == 5
    assert 0 < durations["Minimum"] <= durations["Maximum"]
    assert metrics.get("ConcurrentExecutions", "Maximum", FunctionName="fn") == {"Maximum": 1}
    assert metrics.get("UnreservedConcurrentExecutions", "Maximum") == {"Maximum": 1}


def test_the_metrics_of_a_function_are_listed(client: MakeClient, functions: Any, metrics: Metrics) -> None:
    create_function(functions, "fn", SOURCE)
    invoke(functions)
    metrics.stored()
    own = [{"Name": "FunctionName", "Value": "fn"}]
    listed = client("cloudwatch").list_metrics(Namespace="AWS/Lambda", Dimensions=own)["Metrics"]
    assert {one["MetricName"] for one in listed if one["Dimensions"] == own} == {
        *("Invocations", "Errors", "Duration", "Throttles", "ConcurrentExecutions")
    }
    assert {len(one["Dimensions"]) for one in listed} == {1, 2}


def test_provisioned_concurrency(functions: Any, metrics: Metrics) -> None:
    create_function(functions, "fn", SOURCE)
    functions.publish_version(FunctionName="fn")
    config = {"FunctionName": "fn", "Qualifier": "1"}
    functions.put_provisioned_concurrency_config(**config, ProvisionedConcurrentExecutions=2)
    while functions.get_provisioned_concurrency_config(**config)["Status"] != "READY":
        pass
    invoke(functions, Qualifier="1")
    metrics.stored()
    one = {"FunctionName": "fn", "Resource": "fn:1"}
    assert metrics.sum("ProvisionedConcurrencyInvocations", **one) == 1
    assert metrics.get("ProvisionedConcurrentExecutions", "Maximum", **one) == {"Maximum": 1}
    assert metrics.get("ProvisionedConcurrencyUtilization", "Maximum", **one) == {"Maximum": 0.5}


def test_asynchronous_events_and_what_becomes_of_them(
    client: MakeClient, functions: Any, metrics: Metrics, advance: Advance
) -> None:
    role = make_role(client("iam"), "worker")
    url, dead = queue(client("sqs"), "dead")
    grant(client("iam"), "worker", "sqs:SendMessage")
    create_function(functions, "fn", SOURCE, Role=role, DeadLetterConfig={"TargetArn": dead})
    for event in (1, "fail"):
        assert invoke(functions, event, InvocationType="Event")["StatusCode"] == 202
    advance(600)
    client("sqs").delete_queue(QueueUrl=url)
    invoke(functions, "fail", InvocationType="Event")
    advance(900)
    metrics.stored()
    assert metrics.sum("AsyncEventsReceived", FunctionName="fn") == 3
    assert metrics.sum("AsyncEventsDropped", FunctionName="fn") == 2
    ages = metrics.get("AsyncEventAge", "SampleCount", "Maximum", FunctionName="fn")
    assert ages["SampleCount"] == 1 + 3 + 3
    assert ages["Maximum"] > 150_000
    assert (metrics.sum("DeadLetterErrors", FunctionName="fn") or 0) >= 1
    assert metrics.sum("Errors", FunctionName="fn") == 6


def test_what_was_stored_before_a_kill_is_there_after_it(process_node: NodeProcess, account: str) -> None:
    clients = Clients(account)
    functions = clients.make(process_node.endpoint, "lambda")
    create_function(functions, "fn", SOURCE)
    for _ in range(5):
        invoke(functions)
    Metrics(None, process_node.endpoint).stored()
    process_node.kill9()
    process_node.restart()
    invoke(clients.make(process_node.endpoint, "lambda"))
    found = Metrics(clients.make(process_node.endpoint, "cloudwatch"), process_node.endpoint)
    found.stored()
    assert found.sum("Invocations", FunctionName="fn") == 6
    clients.close()
