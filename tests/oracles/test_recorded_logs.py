"""CloudWatch Logs answers as the real one did, wherever it was recorded doing what we implement."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.nodes import Clients, NodeInThread
from tests.support.recordings import Check, Replays, answer_of

ACCOUNT = "111111111111"
RECORDED = Replays("logs")
NOT_IMPLEMENTED = {
    "TestDeliveries::test_create_delivery",
    "TestDeliveryDestinations::test_put_delivery_destination",
    "TestDeliveryDestinations::test_put_delivery_destination_update",
    "TestDeliverySources::test_describe_delivery_sources",
    "TestExportTasks::test_create_export_task_log_group_not_found",
    "TestMetricFilters::test_describe_metric_filters_by_metric_name",
    "TestMetricFilters::test_describe_metric_filters_by_prefix",
    "TestMetricFilters::test_put_metric_filter_basic",
    "TestMetricFilters::test_put_metric_filter_json_pattern",
    "TestMetricFiltersValidation::test_put_metric_filter_invalid_filter_name",
    "TestMetricFiltersValidation::test_put_metric_filter_too_many_transformations",
    "TestSubscriptionFilterUpdates::test_put_subscription_filter_errors",
    "TestSubscriptionFilters::test_put_subscription_filter_lambda",
}

pytestmark = RECORDED.is_here


@pytest.fixture
def logs(node: NodeInThread) -> Iterator[Any]:
    """A client in the recordings' account, in which every test makes what it needs under names of its own."""
    clients = Clients(ACCOUNT)
    yield clients.make(node.endpoint, "logs")
    clients.close()


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    return RECORDED.check(request)


DESTINATION = {
    "targetArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/stream",
    "roleArn": f"arn:aws:iam::{ACCOUNT}:role/role",
}


def test_every_recording_is_replayed_or_known_to_be_of_something_else() -> None:
    assert RECORDED.left == NOT_IMPLEMENTED


@RECORDED.by("TestDestinations::test_put_destination")
def test_put_destination(logs: Any, check: Check) -> None:
    check("put-destination", answer_of(logs.put_destination, destinationName="put", **DESTINATION))


@RECORDED.by("TestDestinations::test_describe_destinations_with_prefix")
def test_describe_destinations(logs: Any, check: Check) -> None:
    logs.put_destination(destinationName="described-1", **DESTINATION)
    check("describe-destinations", answer_of(logs.describe_destinations, DestinationNamePrefix="described-"))


@RECORDED.by("TestDestinations::test_describe_destinations_empty")
def test_describe_no_destinations(logs: Any, check: Check) -> None:
    check("describe-destinations-empty", answer_of(logs.describe_destinations, DestinationNamePrefix="none"))


@RECORDED.by("TestDestinationsTags::test_destination_tags")
def test_tags_of_a_destination(logs: Any, check: Check) -> None:
    made = logs.put_destination(destinationName="tagged", tags={"key1": "val1"}, **DESTINATION)
    arn = made["destination"]["arn"]
    logs.tag_resource(resourceArn=arn, tags={"key2": "val2"})
    check("list-tags-after-add", answer_of(logs.list_tags_for_resource, resourceArn=arn))
    logs.untag_resource(resourceArn=arn, tagKeys=["key2"])
    check("list-tags-after-remove", answer_of(logs.list_tags_for_resource, resourceArn=arn))


@RECORDED.by("TestExportTasks::test_cancel_export_task_not_found")
def test_cancel_no_export_task(logs: Any, check: Check) -> None:
    check("error-cancel-not-found", answer_of(logs.cancel_export_task, taskId="none"))


@RECORDED.by("TestExportTasks::test_describe_export_tasks_not_found")
def test_describe_no_export_task(logs: Any, check: Check) -> None:
    check("task-not-found", answer_of(logs.describe_export_tasks, taskId="none"))


@RECORDED.by("TestFilterLogEvents::test_filter_log_events_limit_validation")
def test_filter_with_too_high_a_limit(logs: Any, check: Check) -> None:
    logs.create_log_group(logGroupName="filtered")
    check("error-limit-exceeded", answer_of(logs.filter_log_events, logGroupName="filtered", limit=10_001))


@RECORDED.by("TestLogsEvents::test_get_log_events_invalid_token")
def test_get_with_a_wrong_token(logs: Any, check: Check) -> None:
    logs.create_log_group(logGroupName="got")
    logs.create_log_stream(logGroupName="got", logStreamName="stream")
    answer = answer_of(logs.get_log_events, logGroupName="got", logStreamName="stream", nextToken="invalid-token")
    check("error-invalid-token", answer)


@RECORDED.by("TestLogsEvents::test_put_log_events_to_invalid_stream")
def test_put_to_no_stream(logs: Any, check: Check) -> None:
    logs.create_log_group(logGroupName="put")
    events = [{"timestamp": 1_790_000_000_000, "message": "message"}]
    answer = answer_of(logs.put_log_events, logGroupName="put", logStreamName="invalid-stream", logEvents=events)
    check("error-invalid-stream", answer)


@RECORDED.by("TestLogsGroups::test_create_log_group_duplicate_error")
def test_create_a_group_twice(logs: Any, check: Check) -> None:
    logs.create_log_group(logGroupName="twice")
    check("error-duplicate-log-group", answer_of(logs.create_log_group, logGroupName="twice"))


def policy(resource: str, service: str | list[str] = "route53.amazonaws.com") -> str:
    """The policy that the recordings put."""
    statement = {
        "Sid": "Route53LogsToCloudWatchLogs",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "logs:PutLogEvents",
        "Resource": resource,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@RECORDED.by("TestResourcePolicies::test_put_resource_policy")
def test_put_a_resource_policy(logs: Any, check: Check) -> None:
    document = policy(f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:group:*", ["route53.amazonaws.com"])
    check("put-resource-policy", answer_of(logs.put_resource_policy, policyName="put", policyDocument=document))
    logs.delete_resource_policy(policyName="put")


@RECORDED.by("TestResourcePolicies::test_put_resource_policy_update")
def test_update_a_resource_policy(logs: Any, check: Check) -> None:
    logs.put_resource_policy(policyName="updated", policyDocument=policy("*"))
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "route53.amazonaws.com"},
        "Action": "logs:*",
        "Resource": "*",
    }
    logs.put_resource_policy(policyName="updated", policyDocument=json.dumps({"Statement": [statement]}))
    (updated,) = logs.describe_resource_policies()["resourcePolicies"]
    check("updated-policy", updated)
    logs.delete_resource_policy(policyName="updated")


@RECORDED.by("TestResourcePolicies::test_describe_resource_policies")
def test_describe_resource_policies(logs: Any, check: Check) -> None:
    for index in range(3):
        logs.put_resource_policy(
            policyName=f"described-{index}", policyDocument=policy("log_arn", ["route53.amazonaws.com"])
        )
    answer = answer_of(logs.describe_resource_policies)
    check("describe-resource-policies", answer)
    check("policies", answer["resourcePolicies"])
    for index in range(3):
        logs.delete_resource_policy(policyName=f"described-{index}")


@RECORDED.by("TestSubscriptionFilters::test_describe_subscription_filters_log_group_not_found")
def test_describe_subscription_filters_of_no_group(logs: Any, check: Check) -> None:
    check("error-log-group-not-found", answer_of(logs.describe_subscription_filters, logGroupName="none"))
