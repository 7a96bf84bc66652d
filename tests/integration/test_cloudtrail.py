"""Each call leaves an event, as boto3 sees it with LookupEvents."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.iam_world import trust
from tests.support.nodes import MakeClient, NodeInThread

Json = dict[str, Any]
LAMBDA = trust({"Service": "lambda.amazonaws.com"})


@pytest.fixture
def iam(client: MakeClient) -> Any:
    return client("iam")


@pytest.fixture
def trail(client: MakeClient) -> Any:
    return client("cloudtrail")


def events(trail: Any, **params: Any) -> list[Json]:
    """All events, newest first, by following the pages."""
    found: list[Json] = []
    for page in trail.get_paginator("lookup_events").paginate(**params):
        found += page["Events"]
    return found


def by(key: str, value: str) -> Json:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def body(event: Json) -> Json:
    """The event itself."""
    found: Json = json.loads(event["CloudTrailEvent"])
    return found


def test_a_call_is_found_by_each_of_its_attributes(iam: Any, trail: Any, account: str) -> None:
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=LAMBDA)
    [event] = events(trail, **by("EventName", "CreateRole"))
    found = body(event)
    assert found["requestParameters"]["roleName"] == "worker"
    assert found["responseElements"]["role"]["arn"] == role["Role"]["Arn"]
    assert found["requestID"] == role["ResponseMetadata"]["RequestId"]
    assert found["userIdentity"]["type"] == "Root"
    assert found["recipientAccountId"] == account
    assert "Boto3" in found["userAgent"]
    assert (event["ReadOnly"], event["EventSource"], event["Username"]) == ("false", "iam.amazonaws.com", "root")
    assert {"ResourceType": "AWS::IAM::Role", "ResourceName": "worker"} in event["Resources"]
    iam.list_roles()
    for key, value in [
        ("EventId", event["EventId"]),
        ("ReadOnly", "false"),
        ("ResourceName", "worker"),
        ("ResourceName", role["Role"]["Arn"]),
        ("ResourceType", "AWS::IAM::Role"),
    ]:
        assert [one["EventId"] for one in events(trail, **by(key, value))] == [event["EventId"]], key
    for key, value in [
        ("EventSource", "iam.amazonaws.com"),
        ("Username", "root"),
        ("AccessKeyId", event["AccessKeyId"]),
        ("ReadOnly", "true"),
    ]:
        assert "ListRoles" in [one["EventName"] for one in events(trail, **by(key, value))], key
    for key, value in [("ResourceName", "work%"), ("EventName", "createrole"), ("Username", "nobody")]:
        assert events(trail, **by(key, value)) == []


def test_a_denied_call_leaves_an_event_and_an_error_too(iam: Any, trail: Any, client: MakeClient) -> None:
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = client("iam", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    with pytest.raises(ClientError, match="not authorized"):
        alice.list_users()
    [denied] = events(trail, **by("Username", "alice"))
    found = body(denied)
    assert (found["errorCode"], found["responseElements"]) == ("AccessDenied", None)
    assert "is not authorized to perform: iam:ListUsers" in found["errorMessage"]
    assert found["userIdentity"] | {"principalId": ""} == {
        "type": "IAMUser",
        "principalId": "",
        "arn": f"arn:aws:iam::{iam.get_user(UserName='alice')['User']['Arn'].split(':')[4]}:user/alice",
        "accountId": found["recipientAccountId"],
        "accessKeyId": key["AccessKeyId"],
        "userName": "alice",
    }
    with pytest.raises(ClientError):
        iam.get_role(RoleName="nobody")
    [missing] = events(trail, **by("EventName", "GetRole"))
    assert body(missing)["errorCode"] == "NoSuchEntityException"


def test_secrets_are_nowhere(iam: Any, trail: Any, client: MakeClient, node: NodeInThread) -> None:
    iam.create_user(UserName="alice")
    secret = iam.create_access_key(UserName="alice")["AccessKey"]["SecretAccessKey"]
    iam.create_login_profile(UserName="alice", Password="correct-Horse-7-battery")
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)["Role"]["Arn"]
    iam.create_user(UserName="bob")
    session = client("sts").get_session_token()["Credentials"]
    create_function(
        client("lambda"), "worker", "def handler(e, c): pass", Role=arn, Environment={"Variables": {"KEY": "val"}}
    )
    text = json.dumps([body(event) for event in events(trail)])
    text += (node.config.data / "audit" / "cloudtrail.jsonl").read_text()
    for hidden in (secret, session["SessionToken"], session["SecretAccessKey"], "correct-Horse-7-battery"):
        assert hidden not in text
    [created] = events(trail, **by("EventName", "CreateFunction20150331"))
    assert body(created)["requestParameters"]["environment"] == {}


def test_calls_that_services_make_and_calls_on_data(client: MakeClient, iam: Any, trail: Any) -> None:
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)["Role"]["Arn"]
    functions = client("lambda")
    create_function(functions, "worker", "def handler(e, c): return 1", Role=arn)
    functions.invoke(FunctionName="worker")
    found = [body(event) for event in events(trail)]
    assumed = [one for one in found if one["eventName"] == "AssumeRole"]
    assert assumed
    assert assumed[0]["userIdentity"]["type"] == "AWSService"
    assert assumed[0]["sourceIPAddress"] == "lambda.amazonaws.com"
    assert "Invoke" not in {one["eventName"] for one in found}


def test_a_role_that_another_account_takes_leaves_events_in_both(iam: Any, trail: Any, client: MakeClient) -> None:
    other = "121212121212"
    arn = iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust({"AWS": other}))["Role"]["Arn"]
    client("sts", account=other).assume_role(RoleArn=arn, RoleSessionName="visit")
    [here] = [body(event) for event in events(trail, **by("EventName", "AssumeRole"))]
    [there] = [body(event) for event in events(client("cloudtrail", account=other), **by("ResourceName", arn))]
    assert here["sharedEventID"] == there["sharedEventID"]
    assert here["userIdentity"]["accountId"] == there["userIdentity"]["accountId"] == other
    assert here["responseElements"]["credentials"]["sessionToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "secretAccessKey" not in here["responseElements"]["credentials"]


def test_events_come_in_pages_and_in_their_order(iam: Any, trail: Any) -> None:
    for number in range(7):
        iam.create_user(UserName=f"user-{number}")
    pages = list(
        trail.get_paginator("lookup_events").paginate(**by("EventName", "CreateUser"), PaginationConfig={"PageSize": 3})
    )
    assert [len(page["Events"]) for page in pages] == [3, 3, 1]
    names = [body(event)["requestParameters"]["userName"] for page in pages for event in page["Events"]]
    assert names == [f"user-{number}" for number in reversed(range(7))]


def test_accounts_and_regions_do_not_see_each_other(client: MakeClient, trail: Any) -> None:
    client("logs", region="eu-west-1").create_log_group(logGroupName="g")
    assert events(trail, **by("EventName", "CreateLogGroup")) == []
    assert len(events(client("cloudtrail", region="eu-west-1"), **by("EventName", "CreateLogGroup"))) == 1
    other = client("cloudtrail", region="eu-west-1", account="999999999999")
    assert events(other, **by("ResourceName", "g")) == []


def test_a_time_range_limits(iam: Any, trail: Any) -> None:
    iam.create_user(UserName="alice")
    [event] = events(trail, **by("EventName", "CreateUser"))
    moment = event["EventTime"]
    assert len(events(trail, **by("EventName", "CreateUser"), StartTime=moment, EndTime=moment)) == 1
    second = timedelta(seconds=1)
    assert events(trail, **by("EventName", "CreateUser"), EndTime=moment - second) == []
    assert events(trail, **by("EventName", "CreateUser"), StartTime=moment + second) == []


def test_an_event_is_found_for_ninety_days(iam: Any, trail: Any, advance: Callable[[float], None]) -> None:
    iam.create_user(UserName="alice")
    advance(90 * 86400 - 60)
    assert len(events(trail, **by("EventName", "CreateUser"))) == 1
    advance(61)
    assert events(trail, **by("EventName", "CreateUser")) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (
            {"LookupAttributes": by("EventName", "a")["LookupAttributes"] * 2},
            "InvalidLookupAttributesException",
        ),
        (by("ReadOnly", "maybe"), "InvalidLookupAttributesException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        (
            {"StartTime": datetime(2026, 1, 2, tzinfo=UTC), "EndTime": datetime(2026, 1, 1, tzinfo=UTC)},
            "InvalidTimeRangeException",
        ),
        ({"MaxResults": 51}, "ValidationException"),
    ],
)
def test_what_cannot_be_is_refused(client: MakeClient, params: Json, code: str) -> None:
    with pytest.raises(ClientError) as raised:
        client("cloudtrail", parameter_validation=False).lookup_events(**params)
    assert raised.value.response["Error"]["Code"] == code


def test_a_token_belongs_to_its_request(iam: Any, trail: Any) -> None:
    for name in ("alice", "bob"):
        iam.create_user(UserName=name)
    token = trail.lookup_events(**by("EventName", "CreateUser"), MaxResults=1)["NextToken"]
    with pytest.raises(ClientError) as raised:
        trail.lookup_events(**by("EventName", "DeleteUser"), NextToken=token)
    assert raised.value.response["Error"]["Code"] == "InvalidNextTokenException"


def test_there_are_no_insights(trail: Any) -> None:
    assert trail.lookup_events(EventCategory="insight")["Events"] == []
