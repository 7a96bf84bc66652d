"""What can be looked for but not be made."""

import pytest

from tests.support.logs_world import LogsWorld

NOT_FOUND = ("ResourceNotFoundException", "The specified log group does not exist.")


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("DescribeSubscriptionFilters", "subscriptionFilters"),
        ("DescribeMetricFilters", "metricFilters"),
        ("DescribeQueries", "queries"),
    ],
)
async def test_a_group_has_none(logs: LogsWorld, operation: str, member: str) -> None:
    assert await logs.refuses(operation, logGroupName="group") == NOT_FOUND
    await logs.make("group")
    assert await logs(operation, logGroupName="group") == {member: []}


async def test_an_account_has_none(logs: LogsWorld) -> None:
    assert await logs("DescribeMetricFilters") == {"metricFilters": []}
    assert await logs("DescribeQueries") == {"queries": []}
    assert await logs("DescribeExportTasks", taskId="none") == {"exportTasks": []}
    assert await logs.refuses("CancelExportTask", taskId="none") == (
        "ResourceNotFoundException",
        "The specified export task does not exist.",
    )


async def test_subscriptions_are_for_standard_groups(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group", logGroupClass="INFREQUENT_ACCESS")
    assert await logs.refuses("DescribeSubscriptionFilters", logGroupName="group") == (
        "ValidationException",
        "This operation is only supported on the Standard log class.",
    )


@pytest.mark.parametrize("operation", ["PutMetricFilter", "PutSubscriptionFilter", "StartQuery", "CreateExportTask"])
async def test_what_would_make_them_is_not_implemented(logs: LogsWorld, operation: str) -> None:
    code, _ = await logs.refuses(operation)
    assert code == "NotImplemented"
