"""What a request may set of a mapping, and AWS's words for what it may not.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

import re
from collections.abc import Mapping
from typing import Any

from cloudlet.arn import Arn
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.event_sources import filters

QUEUE_BATCH = 10
MINIMUM_POLLERS, MAXIMUM_POLLERS = 2, 200
"""Of a provisioned mode that does not say: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
LEAST_POLLERS = 2
"""Of a queue: https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedPollerConfig.html"""
_STREAMS = frozenset({"kinesis", "dynamodb"})
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")
_SOURCES = _STREAMS | {"sqs", "kafka", "mq", "rds"}
"""https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html"""
_QUEUE_SETTINGS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig",
    "ProvisionedPollerConfig",
    "FilterCriteria",
)
_STREAMS_ONLY = (
    "StartingPosition",
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "DestinationConfig",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
)
_UNBUILT = ("KMSKeyArn", "MetricsConfig", "LoggingConfig")


def source(params: Mapping[str, Any]) -> Arn:
    """The event source that a request names. Raises InvalidParameterValue for one that this node cannot read."""
    if "SelfManagedEventSource" in params:
        raise InvalidParameterValue("Cloudlet has no kafka yet: SelfManagedEventSource cannot be an event source.")
    given: str | None = params.get("EventSourceArn")
    if not given:
        raise InvalidParameterValue("Unrecognized event source.")
    try:
        arn = Arn.parse(given)
    except ValueError:
        raise InvalidParameterValue("Unrecognized event source.") from None
    if arn.service not in _SOURCES or (arn.service == "sqs" and not _QUEUE_NAME.fullmatch(arn.resource)):
        raise InvalidParameterValue("Unrecognized event source.")
    if arn.service in _STREAMS and params.get("StartingPosition") is None:
        raise InvalidParameterValue(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if arn.service != "sqs":
        raise InvalidParameterValue(f"Cloudlet has no {arn.service} yet: {given} cannot be an event source.")
    return arn


def of_queue(params: Mapping[str, Any], queue: Arn, current: Mapping[str, Any]) -> dict[str, Any]:
    """What `params` set for a queue, over what is set now; None for what is to be set no more.

    Raises InvalidParameterValue.
    """
    for name in _STREAMS_ONLY:
        if params.get(name) is not None:
            raise _unsupported(name)
    for name in _UNBUILT:
        if params.get(name):
            raise InvalidParameterValue(f"Cloudlet does not implement the parameter {name} of queues yet.")
    given = {name: params[name] for name in _QUEUE_SETTINGS if params.get(name) is not None}
    _check_batches({**current, **given}, is_fifo=queue.resource.endswith(".fifo"))
    if "FilterCriteria" in given:
        filters.check(given["FilterCriteria"])
        given["FilterCriteria"] = given["FilterCriteria"] if given["FilterCriteria"].get("Filters") else None
    if "ScalingConfig" in given:
        given["ScalingConfig"] = given["ScalingConfig"] if given["ScalingConfig"].get("MaximumConcurrency") else None
    if "ProvisionedPollerConfig" in given:
        given["ProvisionedPollerConfig"] = _pollers(given["ProvisionedPollerConfig"])
    chosen = {**current, **given}
    if chosen.get("ScalingConfig") and chosen.get("ProvisionedPollerConfig"):
        raise InvalidParameterValue(
            "MaximumConcurrency and ProvisionedPollerConfig cannot be specified together for SQS event source mappings."
        )
    return given


def _unsupported(name: str) -> InvalidParameterValue:
    """The error for what only other sources than queues have."""
    if name == "StartingPosition":
        return InvalidParameterValue("StartingPosition is not valid for SQS event sources.")
    member = name[0].lower() + name[1:]
    return InvalidParameterValue(f"Unsupported '{member}' parameter for given event source mapping type.")


def _pollers(config: Mapping[str, Any]) -> dict[str, int] | None:
    """A provisioned mode with what it does not name; None where it is set no more."""
    if not config:
        return None
    least = config.get("MinimumPollers", MINIMUM_POLLERS)
    most = config.get("MaximumPollers", max(MAXIMUM_POLLERS, least))
    if min(least, most) < LEAST_POLLERS:
        raise InvalidParameterValue(f"A queue's MinimumPollers and MaximumPollers must be at least {LEAST_POLLERS}.")
    if most < least:
        raise InvalidParameterValue("MaximumPollers must be greater than or equal to MinimumPollers.")
    return {"MinimumPollers": least, "MaximumPollers": most}


def _check_batches(chosen: Mapping[str, Any], *, is_fifo: bool) -> None:
    size, window_s = chosen.get("BatchSize", QUEUE_BATCH), chosen.get("MaximumBatchingWindowInSeconds", 0)
    if is_fifo and window_s:
        raise InvalidParameterValue("Batching window is not supported for FIFO queues")
    if is_fifo and size > QUEUE_BATCH:
        raise InvalidParameterValue(f"Batch size must be between 1 and {QUEUE_BATCH} for FIFO queues")
    if size > QUEUE_BATCH and not window_s:
        raise InvalidParameterValue(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )


def check_timeouts(visibility_timeout_s: int, function_timeout_s: int) -> None:
    """Raises InvalidParameterValue where messages would come back while the function still has them."""
    if visibility_timeout_s < function_timeout_s:
        raise InvalidParameterValue(
            f"Queue visibility timeout: {visibility_timeout_s} seconds is less than "
            f"Function timeout: {function_timeout_s} seconds"
        )
