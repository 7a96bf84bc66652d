"""What may be set of a mapping."""

from typing import Any

import pytest

from cloudlet.arn import Arn
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.event_sources.settings import check_timeouts, of_queue, source

STANDARD, FIFO = (Arn.parse(f"arn:aws:sqs:us-east-1:111111111111:{name}") for name in ("q", "q.fifo"))


def refusal(params: dict[str, Any], queue: Arn = STANDARD, current: dict[str, Any] | None = None) -> str:
    with pytest.raises(InvalidParameterValue) as refused:
        of_queue(params, queue, current or {})
    return refused.value.message


def test_what_is_set_and_what_is_set_no_more() -> None:
    assert of_queue({"BatchSize": 5, "Enabled": True, "UUID": "x"}, STANDARD, {}) == {"BatchSize": 5}
    assert of_queue({"ScalingConfig": {}, "FilterCriteria": {}}, STANDARD, {}) == {
        "ScalingConfig": None,
        "FilterCriteria": None,
    }


def test_large_batches_need_a_window() -> None:
    text = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    assert refusal({"BatchSize": 11}) == text
    assert refusal({"MaximumBatchingWindowInSeconds": 0}, current={"BatchSize": 100}) == text
    of_queue({"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1}, STANDARD, {})
    of_queue({"BatchSize": 11}, STANDARD, {"MaximumBatchingWindowInSeconds": 1})


def test_fifo_queues_have_small_batches_and_no_window() -> None:
    assert refusal({"MaximumBatchingWindowInSeconds": 1}, FIFO) == "Batching window is not supported for FIFO queues"
    assert "BatchSize" not in of_queue({}, FIFO, {})
    refusal({"BatchSize": 11}, FIFO)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DestinationConfig", {"OnFailure": {}}),
        ("BisectBatchOnFunctionError", False),
        ("TumblingWindowInSeconds", 0),
    ],
)
def test_what_is_for_streams_only(name: str, value: Any) -> None:
    member = name[0].lower() + name[1:]
    assert refusal({name: value}) == f"Unsupported '{member}' parameter for given event source mapping type."


def test_a_queue_has_no_starting_position() -> None:
    assert refusal({"StartingPosition": "LATEST"}) == "StartingPosition is not valid for SQS event sources."


def test_what_is_not_built_says_so() -> None:
    assert "MetricsConfig" in refusal({"MetricsConfig": {"Metrics": ["EventCount"]}})


def test_provisioned_pollers() -> None:
    name = "ProvisionedPollerConfig"
    assert of_queue({name: {"MinimumPollers": 5}}, STANDARD, {}) == {name: {"MinimumPollers": 5, "MaximumPollers": 200}}
    assert of_queue({name: {}}, STANDARD, {}) == {name: None}
    refusal({name: {"MinimumPollers": 5, "MaximumPollers": 4}})
    assert "at least 2" in refusal({name: {"MinimumPollers": 1}})
    assert "at least 2" in refusal({name: {"MaximumPollers": 1}})
    assert "cannot be specified together" in refusal(
        {name: {"MinimumPollers": 5}}, current={"ScalingConfig": {"MaximumConcurrency": 2}}
    )
    of_queue({name: {"MinimumPollers": 5}, "ScalingConfig": {}}, STANDARD, {"ScalingConfig": {"MaximumConcurrency": 2}})


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "Unrecognized event source."),
        ({"EventSourceArn": "no-arn"}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:kafka:us-east-1:111111111111:cluster/c"}, "Cloudlet has no kafka yet"),
        ({"EventSourceArn": "arn:aws:s3:::bucket"}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:111111111111:q?x"}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:111111111111:queue/q"}, "Unrecognized event source."),
        ({"SelfManagedEventSource": {}}, "Cloudlet has no kafka yet"),
    ],
)
def test_sources_that_are_none(params: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameterValue, match=text):
        source(params)


def test_timeouts() -> None:
    check_timeouts(30, 30)
    text = "^Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds$"
    with pytest.raises(InvalidParameterValue, match=text):
        check_timeouts(30, 31)
