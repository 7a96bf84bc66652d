"""Events in CloudTrail's shape.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.ids import Ids
from cloudlet.services.cloudtrail.identity import user_identity, user_name
from cloudlet.services.cloudtrail.operation_kinds import (
    GLOBAL_REGION,
    GLOBAL_SERVICES,
    event_name,
    event_source,
    is_read_only,
)
from cloudlet.services.cloudtrail.parameters import shown
from cloudlet.services.cloudtrail.queue import Call
from cloudlet.services.cloudtrail.resources import Resource

VERSION = "1.11"
MAX_ELEMENT_BYTES = 100 * 1024
"""The elements `requestParameters` and `responseElements` are left out beyond this size, as on AWS."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event, ready to be kept."""

    account: str
    region: str
    moment_us: int
    """Microseconds since the epoch, platform time; no two records of a node have the same."""
    event_id: str
    name: str
    source: str
    is_read_only: bool
    access_key_id: str
    user_name: str
    resources: tuple[tuple[str, str], ...]
    """Type and name; each resource is there by its name and by its ARN."""
    text: bytes
    """The event as JSON."""


def records_of(call: Call, resources: Sequence[Resource], moment_us: int, ids: Ids) -> Iterator[Record]:
    """The event of a call: in the caller's account, and in the accounts of resources that are elsewhere.

    An anonymous caller has no account."""
    context = call.context
    own = context.account
    others = {one.account for one in resources if one.account.isdigit() and one.account != own}
    shared_id = ids.uuid() if others else ""
    event = _event(call, resources)
    region = str(event["awsRegion"])
    read_only = bool(event["readOnly"])
    names = tuple((one.type, name) for one in resources for name in (one.name, one.arn))
    for account in (*([own] if own else []), *sorted(others)):
        event_id = ids.uuid()
        event |= {"eventID": event_id, "recipientAccountId": account}
        if shared_id:
            event["sharedEventID"] = shared_id
        yield Record(
            account,
            region,
            moment_us,
            event_id,
            str(event["eventName"]),
            str(event["eventSource"]),
            read_only,
            context.principal.access_key_id,
            user_name(context.principal),
            names,
            _json(event),
        )


def record_of_loss(dropped: int, account: str, region: str, moment_us: int, ids: Ids) -> Record:
    """The event that says how many events there are not."""
    event_id, source = ids.uuid(), "cloudtrail.amazonaws.com"
    event = {
        "eventVersion": VERSION,
        "userIdentity": {"type": "AWSService", "accountId": account, "invokedBy": source},
        "eventTime": _time(moment_us),
        "eventSource": source,
        "eventName": "EventsDropped",
        "awsRegion": region,
        "sourceIPAddress": source,
        "userAgent": source,
        "requestParameters": None,
        "responseElements": None,
        "serviceEventDetails": {"droppedEvents": dropped},
        "eventID": event_id,
        "readOnly": True,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return Record(account, region, moment_us, event_id, "EventsDropped", source, True, "", "", (), orjson.dumps(event))


def _event(call: Call, resources: Sequence[Resource]) -> dict[str, Any]:
    """All of an event but what differs between the accounts that it is told to."""
    context = call.context
    service, operation = context.service, context.operation
    caller = context.called_via[-1] if context.called_via else context.principal.source_service
    event = {
        "eventVersion": VERSION,
        "userIdentity": user_identity(context),
        "eventTime": _time(int(call.moment * 1_000_000)),
        "eventSource": event_source(service, operation),
        "eventName": event_name(service, operation),
        "awsRegion": GLOBAL_REGION if service in GLOBAL_SERVICES else context.region,
        "sourceIPAddress": context.source_ip or caller,
        "userAgent": context.user_agent or caller,
        **_error(call.error),
        "requestParameters": _bounded(shown(call.params)) or None,
        "responseElements": _bounded(shown(call.result)) or None,
        "requestID": context.request_id,
        "eventID": "",
        "readOnly": is_read_only(service, operation),
        "eventType": "AwsApiCall",
        "managementEvent": not call.is_data,
        "recipientAccountId": "",
        "eventCategory": "Data" if call.is_data else "Management",
    }
    if resources:
        event["resources"] = [_resource(one, context.account) for one in resources]
    return event


def _error(error: BaseException | None) -> dict[str, str]:
    if error is None:
        return {}
    if isinstance(error, AccessDenied):
        return {"errorCode": "AccessDenied", "errorMessage": error.message}
    if isinstance(error, ServiceError):
        return {"errorCode": error.code, "errorMessage": error.message}
    return {"errorCode": "InternalFailure", "errorMessage": "The call was not finished."}


def _bounded(element: Any) -> Any:
    size = len(_json(element))
    return element if size <= MAX_ELEMENT_BYTES else {"omitted": True, "originalSize": size}


def _json(value: Any) -> bytes:
    # A text with half a surrogate pair is no UTF-8: what cannot be written is replaced, the event stays.
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(_cleaned(value))


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value if isinstance(value, bool | float) or value is None else str(value)


def _resource(resource: Resource, account: str) -> dict[str, str]:
    shown_type = {"type": resource.type} if resource.type else {}
    return {"accountId": resource.account or account, **shown_type, "ARN": resource.arn}


def _time(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
