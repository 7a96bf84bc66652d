"""Events have CloudTrail's shape, and no secrets."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.cloudtrail.parameters import HIDDEN, MAX_TEXT, shown
from cloudlet.services.cloudtrail.queue import Call, CallQueue
from cloudlet.services.cloudtrail.record import MAX_ELEMENT_BYTES, Record, records_of
from cloudlet.services.cloudtrail.resources import Resource
from tests.support.clock import ManualClock
from tests.unit.services.cloudtrail.conftest import ACCOUNT, MakeContext

MOMENT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app/worker"
SESSION = Principal(
    "assumed-role",
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/night",
    "AROA1:night",
    "ASIA1",
    role_arn=ROLE,
    token_issued=MOMENT - 60,
    source_identity="alice",
)


def records(context: RequestContext, *resources: Resource, error: BaseException | None = None, **more: Any) -> Any:
    call = Call(MOMENT, context, more.get("params", {}), more.get("result"), error, is_data=False)
    return list(records_of(call, resources, int(MOMENT * 1e6), Ids()))


def event(record: Record) -> Any:
    return orjson.loads(record.text)


def test_an_event_has_all_elements(context: MakeContext) -> None:
    made = context("lambda", "CreateFunction", source_ip="10.0.0.1", user_agent="aws-cli")
    resource = Resource(
        f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:worker", "AWS::Lambda::Function", "worker", ACCOUNT
    )
    params = {"FunctionName": "worker", "Environment": {"Variables": {"KEY": "secret"}}, "KMSKeyArn": ""}
    [record] = records(made, resource, params=params, result={"FunctionName": "worker"})
    found = event(record)
    assert found.pop("eventID") == record.event_id
    assert found == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAROOT",
        },
        "eventTime": "2026-07-01T12:00:00Z",
        "eventSource": "lambda.amazonaws.com",
        "eventName": "CreateFunction20150331",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "10.0.0.1",
        "userAgent": "aws-cli",
        "requestParameters": {"functionName": "worker", "environment": {}, "kMSKeyArn": ""},
        "responseElements": {"functionName": "worker"},
        "requestID": "request-1",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "resources": [{"accountId": ACCOUNT, "type": "AWS::Lambda::Function", "ARN": resource.arn}],
    }


def test_a_session_says_who_issued_it(context: MakeContext) -> None:
    [record] = records(context("iam", "ListRoles", SESSION))
    identity = event(record)["userIdentity"]
    assert (identity["type"], identity["principalId"], record.user_name) == ("AssumedRole", "AROA1:night", "night")
    assert identity["sessionContext"] == {
        "attributes": {"creationDate": "2026-07-01T11:59:00Z", "mfaAuthenticated": "false"},
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROA1",
            "arn": ROLE,
            "accountId": ACCOUNT,
            "userName": "worker",
        },
        "sourceIdentity": "alice",
    }


def test_a_service_is_its_own_source(context: MakeContext) -> None:
    made = context("sts", "AssumeRole", Principal.service("lambda.amazonaws.com", ACCOUNT))
    [record] = records(made)
    found = event(record)
    assert found["userIdentity"] == {
        "type": "AWSService",
        "accountId": ACCOUNT,
        "invokedBy": "lambda.amazonaws.com",
    }
    assert found["sourceIPAddress"] == found["userAgent"] == "lambda.amazonaws.com"
    assert found["readOnly"] is True


def test_events_of_global_services_are_in_one_region(context: MakeContext) -> None:
    [record] = records(context("iam", "CreateRole"))
    assert record.region == "us-east-1"


@pytest.mark.parametrize(
    ("error", "code"),
    [(AccessDenied("no"), "AccessDenied"), (ServiceError("no"), "InternalFailure"), (KeyError(), "InternalFailure")],
)
def test_what_failed_says_so(context: MakeContext, error: BaseException, code: str) -> None:
    [record] = records(context("iam", "CreateRole"), error=error)
    assert event(record)["errorCode"] == code
    assert event(record)["responseElements"] is None


def test_the_owner_of_another_accounts_resource_has_the_event_too(context: MakeContext) -> None:
    role = Resource("arn:aws:iam::222222222222:role/r", "AWS::IAM::Role", "r", "222222222222")
    own, other = records(context("sts", "AssumeRole"), role)
    assert (own.account, other.account) == (ACCOUNT, "222222222222")
    assert event(own)["sharedEventID"] == event(other)["sharedEventID"]
    assert own.event_id != other.event_id


def test_secrets_bodies_and_streams_are_not_shown() -> None:
    async def stream() -> Any:
        yield b""

    value = {
        "Password": "p",
        "SecretAccessKey": "s",
        "Nested": [{"SessionToken": "t", "ZipFile": b"z", "Body": stream(), "Blob": b"b"}],
        "Tags": {"Owner": "me"},
        "Text": "x" * (MAX_TEXT + 1),
        "When": datetime(2026, 7, 1, tzinfo=UTC),
        "Odd": object(),
    }
    assert shown(value) == {
        "password": HIDDEN,
        "nested": [{"sessionToken": HIDDEN}],
        "tags": {"Owner": "me"},
        "text": "x" * MAX_TEXT + "...",
        "when": "2026-07-01T00:00:00Z",
        "odd": None,
    }


def test_deep_and_long_values_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    assert len(str(shown(deep))) < 200
    assert len(shown(list(range(10_000)))) == 200


def test_a_large_element_is_left_out(context: MakeContext) -> None:
    [record] = records(context("iam", "CreateRole"), params={"A": ["x" * MAX_TEXT] * 20})
    assert event(record)["requestParameters"]["omitted"] is True
    assert len(record.text) < MAX_ELEMENT_BYTES


def test_text_that_is_no_utf8_leaves_an_event(context: MakeContext) -> None:
    [record] = records(context("iam", "CreateRole"), params={"RoleName": "\ud800", "Big": 1 << 70})
    assert event(record)["requestParameters"] == {"roleName": "?", "big": str(1 << 70)}


def test_a_call_of_nobodys_is_told_to_the_resources_owner_alone(context: MakeContext) -> None:
    made = context("sqs", "GetQueueUrl")
    made.principal = Principal.anonymous()
    queue = Resource(f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", "AWS::SQS::Queue", "q", ACCOUNT)
    [record] = records(made, queue)
    assert record.account == ACCOUNT
    assert event(record)["userIdentity"]["accountId"] == "ANONYMOUS_PRINCIPAL"
    assert records(made) == []


def test_what_nobody_was_refused_is_not_told(context: MakeContext) -> None:
    queue, made = CallQueue(ManualClock()), context("sqs", "GetQueueUrl")
    made.principal = Principal.anonymous()
    queue.observe(made, {}, None, AccessDenied("no"))
    assert queue.take(10) == []
    queue.observe(made, {}, {}, None)
    assert len(queue.take(10)) == 1
