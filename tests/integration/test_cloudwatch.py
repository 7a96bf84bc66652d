"""CloudWatch metrics with boto3 and the AWS CLI."""

import datetime as dt
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from cloudlet.config import Config
from tests.integration.test_permissions import Role, allow
from tests.support.nodes import REGION, Clients, MakeClient, NodeInThread, NodeProcess, control, running

PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "query")
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
Json = dict[str, Any]


@pytest.fixture
def cloudwatch(client: MakeClient) -> Any:
    return client("cloudwatch")


@pytest.fixture
def now(endpoint: str) -> dt.datetime:
    """The beginning of the platform's present minute."""
    moment = dt.datetime.fromtimestamp(control(endpoint, "clock")["now"], dt.UTC)
    return moment.replace(second=0, microsecond=0)


def speaking(endpoint: str, account: str, protocol: str) -> Any:
    """A client that speaks one of the service's protocols, whichever boto3 would choose."""
    session = Session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def only(service: str, kind: str, api_version: str | None = None) -> Json:
        model: Json = load(service, kind, api_version)
        if service == "cloudwatch" and kind == "service-2":
            model = {**model, "metadata": {**model["metadata"], "protocol": protocol, "protocols": [protocol]}}
        return model

    loader.load_service_model = only
    made = boto3.session.Session(botocore_session=session).client(
        "cloudwatch",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=account,
        aws_secret_access_key="test",
        config=BotoConfig(retries={"total_max_attempts": 1}, disable_request_compression=True),
    )
    assert made.meta.service_model.resolved_protocol == protocol
    return made


@pytest.fixture(params=PROTOCOLS)
def spoken(request: pytest.FixtureRequest, endpoint: str, account: str) -> Iterator[Any]:
    made = speaking(endpoint, account, request.param)
    yield made
    made.close()


def put(cloudwatch: Any, name: str = "Latency", namespace: str = "App", **datum: Any) -> None:
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": name, **datum}])


def statistics(cloudwatch: Any, now: dt.datetime, *names: str, **params: Any) -> list[Json]:
    """The data points of the metric of the last hour."""
    wanted = {
        "Namespace": "App",
        "MetricName": "Latency",
        "StartTime": now - HOUR,
        "EndTime": now + MINUTE,
        "Period": 60,
        **({"Statistics": list(names)} if names else {}),
        **params,
    }
    return list(cloudwatch.get_metric_statistics(**wanted)["Datapoints"])


def stat(query_id: str, name: str = "Latency", statistic: str = "Sum", period: int = 60, **more: Any) -> Json:
    dimensions = [{"Name": key, "Value": value} for key, value in more.pop("dimensions", {}).items()]
    metric = {"Namespace": "App", "MetricName": name, "Dimensions": dimensions}
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}, **more}


def data(cloudwatch: Any, now: dt.datetime, *queries: Json, **params: Any) -> Json:
    wanted = {"StartTime": now - HOUR, "EndTime": now + MINUTE, "MetricDataQueries": list(queries), **params}
    answer: Json = cloudwatch.get_metric_data(**wanted)
    return answer


def refused(call: Any, code: str, *args: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


# -- all protocols


def test_what_is_put_is_there_at_once_in_every_protocol(spoken: Any, now: dt.datetime) -> None:
    dimensions = [{"Name": "Service", "Value": "api"}, {"Name": "Zone", "Value": "a b&c"}]
    spoken.put_metric_data(
        Namespace="App",
        MetricData=[
            {"MetricName": "Latency", "Dimensions": dimensions, "Timestamp": now, "Value": value, "Unit": "Seconds"}
            for value in (1.0, 2.5, 4.0)
        ],
    )
    metric = {"Namespace": "App", "MetricName": "Latency", "Dimensions": dimensions}
    assert spoken.list_metrics()["Metrics"] == [metric]
    [point] = statistics(spoken, now, "Sum", "Average", "Minimum", "Maximum", "SampleCount", Dimensions=dimensions)
    expected = {"Sum": 7.5, "Average": 2.5, "Minimum": 1.0, "Maximum": 4.0, "SampleCount": 3.0}
    assert point == {"Timestamp": now, "Unit": "Seconds", **expected}
    [point] = statistics(spoken, now, Dimensions=dimensions, ExtendedStatistics=["p50", "tm90"])
    assert point["ExtendedStatistics"] == {"p50": 2.5, "tm90": pytest.approx((1 + 2.5 + 4 * 0.7) / 2.7)}
    query = stat("m1", dimensions={"Service": "api", "Zone": "a b&c"})
    [result] = data(spoken, now, query)["MetricDataResults"]
    assert result == {"Id": "m1", "Label": "Latency", "StatusCode": "Complete", "Timestamps": [now], "Values": [7.5]}


def test_errors_have_awss_codes_in_every_protocol(spoken: Any, now: dt.datetime) -> None:
    with pytest.raises(spoken.exceptions.InvalidParameterValueException) as caught:
        put(spoken, Value=1, Unit="Parsecs")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert caught.value.response["Error"]["Message"].startswith(
        "The parameter MetricData.member.1.Unit must be a value in the set [ Seconds, Microseconds, "
    )
    refused(data, "ValidationError", spoken, now, stat("M1"))
    refused(spoken.describe_alarms, "NotImplemented")
    refused(spoken.list_metrics, "InvalidNextToken", NextToken="me")


# -- PutMetricData


def test_values_with_counts_and_statistic_sets_are_joined(cloudwatch: Any, now: dt.datetime) -> None:
    put(cloudwatch, Timestamp=now, Values=[1.0, 10.0], Counts=[98.0, 2.0])
    put(cloudwatch, Timestamp=now, Value=3.0)
    assert statistics(cloudwatch, now, ExtendedStatistics=["p50", "p99"])[0]["ExtendedStatistics"] == {
        "p50": 1.0,
        "p99": 10.0,
    }
    put(cloudwatch, Timestamp=now, StatisticValues={"SampleCount": 4, "Sum": 20, "Minimum": 2, "Maximum": 11})
    [point] = statistics(cloudwatch, now, "SampleCount", "Sum", "Minimum", "Maximum")
    assert point["SampleCount"] == 105
    assert point["Sum"] == 98 + 20 + 3 + 20
    assert (point["Minimum"], point["Maximum"]) == (1, 11)
    # Nobody knows any more how the values are distributed.
    assert statistics(cloudwatch, now, ExtendedStatistics=["p50"]) == []


def test_negative_values_have_no_percentiles(cloudwatch: Any, now: dt.datetime) -> None:
    put(cloudwatch, Timestamp=now, Values=[-1.0, 5.0])
    assert statistics(cloudwatch, now, ExtendedStatistics=["p50"]) == []
    assert statistics(cloudwatch, now, "Sum")[0]["Sum"] == 4


@pytest.mark.parametrize(
    ("datum", "code", "text"),
    [
        ({}, "MissingParameter", "At least one of the parameters"),
        ({"Value": float("nan")}, "InvalidParameterValue", "MetricData.member.1.Value is invalid"),
        ({"Value": float("inf")}, "InvalidParameterValue", "MetricData.member.1.Value is invalid"),
        ({"Value": 2.0**361}, "InvalidParameterValue", "MetricData.member.1.Value is invalid"),
        ({"Value": 1, "Values": [1.0]}, "InvalidParameterCombination", "are mutually exclusive and you have specified"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue", "must be of the same size"),
        ({"Values": [1.0], "Counts": [0.0]}, "InvalidParameterValue", "Counts.member.1"),
        ({"Values": [float(n) for n in range(151)]}, "InvalidParameterValue", "must not have a size greater than 150"),
        ({"Value": 1, "StorageResolution": 30}, "InvalidParameterValue", "StorageResolution"),
        ({"Value": 1, "Dimensions": [{"Name": "a", "Value": "b"}] * 2}, "InvalidParameterValue", "Dimensions"),
        (
            {"Value": 1, "Dimensions": [{"Name": f"d{n}", "Value": "b"} for n in range(31)]},
            "InvalidParameterValue",
            "The collection MetricData.member.1.Dimensions must not have a size greater than 30.",
        ),
        ({"Value": 1, "Dimensions": [{"Name": "ä", "Value": "b"}]}, "InvalidParameterValue", "Name is invalid"),
        (
            {"StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}},
            "InvalidParameterValue",
            "SampleCount",
        ),
        (
            {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 2, "Maximum": 1}},
            "InvalidParameterValue",
            "Maximum",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_put(cloudwatch: Any, datum: Json, code: str, text: str) -> None:
    assert text in refused(put, code, cloudwatch, **datum)
    assert cloudwatch.list_metrics()["Metrics"] == []


def test_a_resolution_of_nothing(client: MakeClient) -> None:
    unchecked = client("cloudwatch", parameter_validation=False)
    assert "StorageResolution must be either 1 or 60" in refused(
        put, "InvalidParameterValue", unchecked, Value=1, StorageResolution=0
    )


def test_what_is_within_the_limits_can_be_put(cloudwatch: Any, now: dt.datetime) -> None:
    dimensions = [{"Name": f"d{number}", "Value": "v" * 1024} for number in range(30)]
    put(cloudwatch, Value=2.0**360, Dimensions=dimensions)
    put(cloudwatch, Values=[float(number) for number in range(150)])
    put(cloudwatch, Value=1, Timestamp=now - dt.timedelta(days=14) + 2 * MINUTE)
    put(cloudwatch, Value=1, Timestamp=now + 2 * HOUR)
    cloudwatch.put_metric_data(
        Namespace="Many", MetricData=[{"MetricName": f"m{number}", "Value": 1.0} for number in range(1000)]
    )


def test_times_that_are_too_far_away(cloudwatch: Any, now: dt.datetime) -> None:
    assert refused(put, "InvalidParameterValue", cloudwatch, Value=1, Timestamp=now - dt.timedelta(days=15)) == (
        "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks."
    )
    refused(put, "InvalidParameterValue", cloudwatch, Value=1, Timestamp=now + 2 * HOUR + 2 * MINUTE)


def test_namespaces(cloudwatch: Any) -> None:
    assert refused(put, "InvalidParameterValue", cloudwatch, namespace="AWS/Mine", Value=1) == (
        "The value AWS/ for parameter Namespace is invalid."
    )
    refused(put, "ValidationError", cloudwatch, namespace=":mine", Value=1)
    refused(cloudwatch.put_metric_data, "MissingParameter", Namespace="App")
    entity = {"Entity": {"KeyAttributes": {"Type": "Service", "Name": "a"}}, "MetricData": []}
    refused(cloudwatch.put_metric_data, "NotImplemented", Namespace="App", EntityMetricData=[entity])


def test_more_than_a_thousand_metrics_or_a_megabyte_are_refused(spoken: Any) -> None:
    too_many = [{"MetricName": "m", "Value": 1.0}] * 1001
    assert refused(spoken.put_metric_data, "InvalidParameterValue", Namespace="App", MetricData=too_many) == (
        "The collection MetricData must not have a size greater than 1000."
    )
    large = [{"MetricName": "m", "Value": 1.0, "Dimensions": [{"Name": "d", "Value": "v" * 1024}]}] * 1000
    text = refused(spoken.put_metric_data, "RequestEntityTooLarge", Namespace="App", MetricData=large)
    assert "1000000 bytes" in text


def test_a_compressed_request(endpoint: str, account: str, now: dt.datetime, cloudwatch: Any) -> None:
    body = b"Action=PutMetricData&Version=2010-08-01&Namespace=App&MetricData.member.1.MetricName=Latency"
    request = AWSRequest(
        "POST",
        endpoint,
        data=gzip.compress(body + b"&MetricData.member.1.Value=5"),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"},
    )
    SigV4Auth(Credentials(account, "test"), "monitoring", REGION).add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code == 200, answer.content
    assert [point["Sum"] for point in statistics(cloudwatch, now + MINUTE, "Sum")] == [5.0]


# -- GetMetricStatistics


def test_periods_and_units(cloudwatch: Any, now: dt.datetime) -> None:
    start = now.replace(minute=0) - HOUR
    for minute in range(10):
        put(cloudwatch, Timestamp=start + minute * MINUTE, Value=float(minute), Unit="Seconds")
    put(cloudwatch, Timestamp=start + 7 * MINUTE, Value=100.0, Unit="Milliseconds")
    whole = {"StartTime": start, "EndTime": start + 10 * MINUTE, "Period": 300}
    points = statistics(cloudwatch, now, "Sum", **whole)
    assert [(point["Timestamp"], point["Unit"], point["Sum"]) for point in points] == [
        (start, "Seconds", 10.0),
        (start + 5 * MINUTE, "Milliseconds", 100.0),
        (start + 5 * MINUTE, "Seconds", 35.0),
    ]
    assert [point["Sum"] for point in statistics(cloudwatch, now, "Sum", Unit="Seconds", **whole)] == [10.0, 35.0]
    assert statistics(cloudwatch, now, "Sum", Unit="Bytes", **whole) == []
    # A period begins where the range does, rounded down to the minute; what ends the range is not in it.
    odd = {"StartTime": start + dt.timedelta(minutes=1, seconds=30), "EndTime": start + 3 * MINUTE, "Period": 300}
    [point] = statistics(cloudwatch, now, "Sum", **odd)
    assert (point["Timestamp"], point["Sum"]) == (start + MINUTE, 3.0)


def test_what_cannot_be_asked(cloudwatch: Any, now: dt.datetime) -> None:
    both = refused(statistics, "InvalidParameterCombination", cloudwatch, now, "Sum", ExtendedStatistics=["p50"])
    assert both == "Must specify either Statistics or ExtendedStatistics"
    refused(statistics, "InvalidParameterCombination", cloudwatch, now)
    refused(statistics, "InvalidParameterValue", cloudwatch, now, ExtendedStatistics=["p101"])
    refused(statistics, "InvalidParameterValue", cloudwatch, now, "Sum", Period=90)
    refused(statistics, "InvalidParameterValue", cloudwatch, now, "Sum", Unit="Parsecs")
    refused(statistics, "InvalidParameterCombination", cloudwatch, now, "Sum", StartTime=now + HOUR)
    refused(statistics, "ValidationError", cloudwatch, now, "Median")
    day = now - dt.timedelta(days=1)
    statistics(cloudwatch, now, "Sum", StartTime=day, EndTime=now)
    assert refused(statistics, "InvalidParameterCombination", cloudwatch, now, "Sum", StartTime=day - MINUTE) == (
        "You have requested up to 1442 datapoints, which exceeds the limit of 1440. You may reduce the datapoints "
        "requested by increasing Period, or decreasing the time range."
    )


def test_high_resolution(cloudwatch: Any, now: dt.datetime) -> None:
    for second in range(20):
        moment = now - MINUTE + dt.timedelta(seconds=second)
        put(cloudwatch, Timestamp=moment, Value=float(second), StorageResolution=1)
        put(cloudwatch, "Coarse", Timestamp=moment, Value=float(second))
    span = {"StartTime": now - MINUTE, "EndTime": now, "Period": 10}
    assert [point["Sum"] for point in statistics(cloudwatch, now, "Sum", **span)] == [45.0, 145.0]
    assert statistics(cloudwatch, now, "Sum", MetricName="Coarse", **span) == []
    assert [point["Sum"] for point in statistics(cloudwatch, now, "Sum", **span | {"Period": 60})] == [190.0]


# -- ListMetrics


def test_metrics_are_found_by_namespace_name_and_dimensions(cloudwatch: Any) -> None:
    for namespace, name, dimensions in (
        ("A", "one", {}),
        ("A", "one", {"x": "1"}),
        ("A", "two", {"x": "1", "y": "2"}),
        ("B", "one", {"x": "2"}),
    ):
        listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        put(cloudwatch, name, namespace, Value=1, Dimensions=listed)

    def found(**params: Any) -> set[tuple[str, str, str]]:
        return {
            (one["Namespace"], one["MetricName"], ",".join(f"{d['Name']}={d['Value']}" for d in one["Dimensions"]))
            for one in cloudwatch.list_metrics(**params)["Metrics"]
        }

    assert len(found()) == 4
    assert found(Namespace="B") == {("B", "one", "x=2")}
    assert found(MetricName="two") == {("A", "two", "x=1,y=2")}
    assert found(Namespace="A", Dimensions=[{"Name": "x"}]) == {("A", "one", "x=1"), ("A", "two", "x=1,y=2")}
    assert found(Dimensions=[{"Name": "x", "Value": "2"}]) == {("B", "one", "x=2")}
    assert found(Dimensions=[{"Name": "x"}, {"Name": "y"}]) == {("A", "two", "x=1,y=2")}
    assert found(Namespace="C") == set()
    assert len(found(RecentlyActive="PT3H")) == 4
    answer = cloudwatch.list_metrics(Namespace="B", IncludeLinkedAccounts=True)
    assert len(answer["OwningAccounts"]) == 1


def test_metrics_come_in_pages(cloudwatch: Any) -> None:
    for start in (0, 600):
        batch = [{"MetricName": f"m{number}", "Value": 1.0} for number in range(start, start + 600)]
        cloudwatch.put_metric_data(Namespace="Pages", MetricData=batch)
    pages = list(cloudwatch.get_paginator("list_metrics").paginate())
    assert [len(page["Metrics"]) for page in pages] == [500, 500, 200]
    assert len({metric["MetricName"] for page in pages for metric in page["Metrics"]}) == 1200


# -- GetMetricData


def test_metric_math(cloudwatch: Any, now: dt.datetime) -> None:
    for minute, (errors, requests) in enumerate([(1, 10), (0, 20), (5, 20)]):
        moment = now - (3 - minute) * MINUTE
        put(cloudwatch, "Errors", Timestamp=moment, Value=errors)
        put(cloudwatch, "Requests", Timestamp=moment, Value=requests)
    answer = data(
        cloudwatch,
        now,
        stat("errors", "Errors", ReturnData=False),
        stat("requests", "Requests", ReturnData=False),
        {"Id": "rate", "Expression": "100 * errors / requests", "Label": "rate, at most ${MAX}%"},
        {"Id": "alarm", "Expression": "IF(rate > 9, 1, 0)"},
        {"Id": "all", "Expression": "RUNNING_SUM(METRICS())", "Label": "sum"},
        ScanBy="TimestampAscending",
        StartTime=now - 3 * MINUTE,
        EndTime=now,
    )
    assert [(one["Id"], one["Label"], one["Values"]) for one in answer["MetricDataResults"]] == [
        ("rate", "rate, at most 25%", [10.0, 0.0, 25.0]),
        ("alarm", "alarm", [1.0, 0.0, 1.0]),
        ("all", "sum Errors", [1.0, 1.0, 6.0]),
        ("all", "sum Requests", [10.0, 30.0, 50.0]),
    ]
    assert answer["MetricDataResults"][0]["Timestamps"] == [now - 3 * MINUTE, now - 2 * MINUTE, now - MINUTE]


def test_what_has_no_data_is_complete_and_empty(cloudwatch: Any, now: dt.datetime) -> None:
    results = data(cloudwatch, now, stat("m1"), {"Id": "e1", "Expression": "m1 * 2"})["MetricDataResults"]
    assert [(one["Id"], one["StatusCode"], one["Timestamps"], one["Values"]) for one in results] == [
        ("m1", "Complete", [], []),
        ("e1", "Complete", [], []),
    ]


@pytest.mark.parametrize("order", ["TimestampAscending", "TimestampDescending"])
def test_data_comes_in_pages(cloudwatch: Any, now: dt.datetime, order: str) -> None:
    for minute in range(10):
        put(cloudwatch, Timestamp=now - minute * MINUTE, Value=float(minute))
    queries = [stat("m1"), stat("m2", statistic="p50"), {"Id": "e1", "Expression": "m1 + m2"}]
    [whole] = [data(cloudwatch, now, *queries, ScanBy=order)["MetricDataResults"]]
    joined: dict[str, list[float]] = {}
    token: Json = {}
    pages = 0
    while True:
        answer = data(cloudwatch, now, *queries, ScanBy=order, MaxDatapoints=4, **token)
        pages += 1
        assert sum(len(one["Values"]) for one in answer["MetricDataResults"]) <= 4
        for one in answer["MetricDataResults"]:
            joined.setdefault(one["Id"], []).extend(one["Values"])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert pages == 8
    assert joined == {one["Id"]: one["Values"] for one in whole}
    assert joined["e1"][0] == (18 if order == "TimestampAscending" else 0)
    statuses = data(cloudwatch, now, *queries, MaxDatapoints=12)["MetricDataResults"]
    assert [one["StatusCode"] for one in statuses] == ["Complete", "PartialData"]


@pytest.mark.parametrize(
    ("queries", "code", "text"),
    [
        ([stat("m1"), stat("m1")], "ValidationError", "not unique"),
        ([stat("Big")], "ValidationError", "Big"),
        ([stat("m1", statistic="Median")], "ValidationError", "The value Median for parameter MetricDataQueries"),
        ([stat("m1", period=45)], "ValidationError", "Period"),
        ([{"Id": "e1"}], "ValidationError", "The parameter MetricDataQueries.member.1.MetricStat is required."),
        ([{**stat("m1"), "Expression": "1"}], "ValidationError", "mutually exclusive"),
        ([{"Id": "e1", "Expression": "m9 + 1"}], "ValidationError", "Error in expression 'e1': Unknown id m9."),
        ([{"Id": "e1", "Expression": "e1 + 1"}], "ValidationError", "Error in expression 'e1'"),
        ([{"Id": "e1", "Expression": "SUM("}], "ValidationError", "Error in expression 'e1'"),
        ([{"Id": "e1", "Expression": "5"}], "ValidationError", "Error in expression 'e1'"),
        ([{"Id": "e1", "Expression": "SEARCH('{A} b', 'Sum', 300)"}], "NotImplemented", "SEARCH"),
        ([{"Id": "e1", "Expression": "SELECT MAX(a) FROM b"}], "NotImplemented", "Metrics Insights"),
        ([{**stat("m1"), "AccountId": "123456789012"}], "ValidationError", "123456789012"),
        ([], "ValidationError", "MetricDataQueries"),
        ([stat(f"m{number}") for number in range(501)], "ValidationError", "500"),
    ],
    ids=[*"abcdefghijklmno"],
)
def test_queries_that_are_refused(cloudwatch: Any, now: dt.datetime, queries: list[Json], code: str, text: str) -> None:
    assert text in refused(data, code, cloudwatch, now, *queries)


def test_a_chain_of_expressions_may_be_as_long_as_a_request(cloudwatch: Any, now: dt.datetime) -> None:
    put(cloudwatch, Timestamp=now, Value=1.0)
    chain = [{"Id": f"e{n}", "Expression": f"e{n - 1} + 1" if n else "m1", "ReturnData": n == 498} for n in range(499)]
    results = data(cloudwatch, now, *reversed(chain), stat("m1", ReturnData=False))["MetricDataResults"]
    assert [(one["Id"], one["Values"]) for one in results] == [("e498", [499.0])]


def test_expressions_may_not_take_for_ever(cloudwatch: Any, now: dt.datetime) -> None:
    expensive = {"Id": "e1", "Expression": f"FILL(METRICS(), 0){' * 1' * 500}"}
    metrics = [stat(f"m{number}", ReturnData=False) for number in range(300)]
    fortnight = {"StartTime": now - dt.timedelta(days=14)}
    text = refused(data, "ValidationError", cloudwatch, now, expensive, *metrics, **fortnight)
    assert text == "Error in expression 'e1': The expressions are too much work."


def test_labels_and_time_zones(cloudwatch: Any, now: dt.datetime) -> None:
    put(cloudwatch, Timestamp=now, Value=3.0, Dimensions=[{"Name": "Zone", "Value": "a"}])
    label = "${PROP('Dim.Zone')} ${PROP('Stat')} ${LABEL} ${LAST} ${LAST_TIME}"
    query = stat("m1", dimensions={"Zone": "a"}, Label=label)
    [result] = data(cloudwatch, now, query, LabelOptions={"Timezone": "+0130"})["MetricDataResults"]
    zone = dt.timezone(dt.timedelta(hours=1, minutes=30))
    assert result["Label"] == f"a Sum Latency 3 {now.astimezone(zone).isoformat()}"
    refused(data, "ValidationError", cloudwatch, now, query, LabelOptions={"Timezone": "Europe"})
    refused(data, "NotImplemented", cloudwatch, now, {**query, "Label": "${SOMETHING}"})


# -- the AWS CLI


def test_the_aws_cli(endpoint: str, account: str, now: dt.datetime) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }

    def aws(*arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", "cloudwatch", *arguments, "--output", "json"]
        done = subprocess.run(command, capture_output=True, env=environment, text=True, check=True)
        return json.loads(done.stdout) if done.stdout else None

    moment = now.isoformat()
    common = ("--namespace", "App", "--metric-name", "Latency", "--dimensions")
    for value in ("1", "3"):
        aws("put-metric-data", *common, "Zone=a", "--value", value, "--timestamp", moment, "--unit", "Seconds")
    assert [one["MetricName"] for one in aws("list-metrics", "--namespace", "App")["Metrics"]] == ["Latency"]
    span = ("--start-time", moment, "--end-time", (now + MINUTE).isoformat())
    answer = aws(
        *("get-metric-statistics", *common, "Name=Zone,Value=a", *span, "--period", "60", "--statistics", "Average")
    )
    assert [point["Average"] for point in answer["Datapoints"]] == [2.0]
    queries = [stat("m1", dimensions={"Zone": "a"}), {"Id": "e1", "Expression": "m1 * 10"}]
    answer = aws("get-metric-data", "--metric-data-queries", json.dumps(queries), *span)
    assert [one["Values"] for one in answer["MetricDataResults"]] == [[4.0], [40.0]]


# -- who may, and what is kept


def test_a_role_may_be_held_to_a_namespace(client: MakeClient, account: str) -> None:
    role = Role(client, account)
    mine = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    role.grant(allow("cloudwatch:PutMetricData", Condition=mine))
    theirs = role.client("cloudwatch")
    put(theirs, namespace="Mine", Value=1)
    text = refused(put, "AccessDenied", theirs, namespace="Other", Value=1)
    assert "is not authorized to perform: cloudwatch:PutMetricData" in text
    refused(theirs.list_metrics, "AccessDenied")


def test_accounts_and_regions_have_their_own(client: MakeClient, now: dt.datetime) -> None:
    for place, value in (({}, 1.0), ({"region": "eu-west-1"}, 2.0), ({"account": "123412341234"}, 4.0)):
        put(client("cloudwatch", **place), Timestamp=now, Value=value)
    assert statistics(client("cloudwatch"), now, "Sum")[0]["Sum"] == 1.0
    assert statistics(client("cloudwatch", region="eu-west-1"), now, "Sum")[0]["Sum"] == 2.0


def test_what_is_acknowledged_survives_a_kill(process_node: NodeProcess, account: str) -> None:
    clients = Clients(account)
    cloudwatch = clients.make(process_node.endpoint, "cloudwatch")
    moment = dt.datetime.now(dt.UTC)
    for value in range(10):
        put(cloudwatch, Timestamp=moment, Value=float(value))
    process_node.kill9()
    process_node.restart()
    cloudwatch = clients.make(process_node.endpoint, "cloudwatch")
    points = statistics(cloudwatch, moment + MINUTE, "SampleCount", "Sum")
    assert [(point["SampleCount"], point["Sum"]) for point in points] == [(10.0, 45.0)]
    assert len(cloudwatch.list_metrics()["Metrics"]) == 1
    clients.close()


@pytest.fixture
def own_node(store_url_factory: Callable[[], str], tmp_path: Path) -> Iterator[NodeInThread]:
    """A node that no other test shares: its clock may be moved by weeks."""
    with running(NodeInThread(Config(port=0, data=tmp_path / "data", store=store_url_factory()))) as node:
        yield node


def test_old_data_becomes_coarser(own_node: NodeInThread, clients: Clients) -> None:
    cloudwatch = clients.make(own_node.endpoint, "cloudwatch")
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    start = now.replace(minute=0)

    def advance(duration_s: float) -> None:
        control(own_node.endpoint, "clock", {"advance_s": duration_s})

    put(cloudwatch, Timestamp=now, Value=1.0)
    put(cloudwatch, Timestamp=now, Value=2.0, StorageResolution=1)

    def seen(period: int) -> list[float]:
        span = {"StartTime": start, "EndTime": start + HOUR}
        return [
            one
            for result in data(cloudwatch, now, stat("m1", period=period), **span)["MetricDataResults"]
            for one in result["Values"]
        ]

    assert (seen(1), seen(60), seen(3600)) == ([2.0], [3.0], [3.0])
    advance(4 * 3600)
    assert (seen(1), seen(60), seen(3600)) == ([], [3.0], [3.0])
    advance(15 * 86400)
    assert (seen(60), seen(300), seen(3600)) == ([], [3.0], [3.0])
    assert cloudwatch.list_metrics()["Metrics"] == []


def test_the_metrics_of_a_queue(client: MakeClient, cloudwatch: Any, endpoint: str, now: dt.datetime) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    sqs.receive_message(QueueUrl=url)
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="a")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": name, "MessageBody": name} for name in "abc"])
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
    control(endpoint, "clock", {"advance_s": 61})
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    control(endpoint, "clock", {"advance_s": 1})
    names = [metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace="AWS/SQS")["Metrics"]]
    queries = [
        {
            "Id": f"m{number}",
            "Label": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": name,
                    "Dimensions": [{"Name": "QueueName", "Value": "jobs"}],
                },
                "Period": 86_400,
                "Stat": "Maximum" if name.startswith("Approximate") else "Sum",
            },
        }
        for number, name in enumerate(names)
    ]
    span = {"StartTime": now - HOUR, "EndTime": now + HOUR}
    results = data(cloudwatch, now, *queries, **span)["MetricDataResults"]
    found = {one["Label"]: one["Values"][0] for one in results}
    assert found.pop("ApproximateAgeOfOldestMessage") >= 0
    # When it is looked at depends on the second in which this runs.
    assert 3 <= found.pop("ApproximateNumberOfMessagesVisible") <= 5
    assert found.pop("ApproximateNumberOfMessagesNotVisible") <= 1
    assert found == {
        "NumberOfMessagesSent": 5.0,
        "NumberOfMessagesReceived": 2.0,
        "NumberOfMessagesDeleted": 1.0,
        "NumberOfEmptyReceives": 1.0,
        "ApproximateNumberOfMessagesDelayed": 0.0,
    }
