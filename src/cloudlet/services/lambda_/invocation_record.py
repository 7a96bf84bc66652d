"""What AWS tells a destination about an asynchronous invocation that is over, and a dead-letter queue about its event.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import datetime
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.compute.function import Invocation, InvocationResult
from cloudlet.delivery.delivery import Delivery
from cloudlet.ids import Ids
from cloudlet.services.targets import Attribute, Message

SUCCESS = "Success"
SOURCE = "lambda"
SUCCEEDED = "Lambda Function Invocation Result - Success"
FAILURE = "Lambda Function Invocation Result - Failure"
ERROR_MESSAGE_BYTES = 1024
"""A dead letter's attribute holds this much of the error's message."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the last attempt ended."""

    payload: bytes = b""
    function_error: str = ""
    executed_version: str = ""
    """Empty when the function was never run."""
    status: int = 200
    message: str = ""
    """Why the platform could not run it."""

    @classmethod
    def of(cls, result: InvocationResult, version: str) -> "Ending":
        """The function has run and answered, or failed."""
        return cls(result.payload, result.function_error, version)

    def encode(self) -> bytes:
        """For the row of the event: a line of JSON, then the payload."""
        header = {"status": self.status}
        named = {"version": self.executed_version, "error": self.function_error, "message": self.message}
        return orjson.dumps(header | {name: value for name, value in named.items() if value}) + b"\n" + self.payload

    @classmethod
    def decode(cls, detail: bytes) -> "Ending":
        """What `encode` made it from; of nothing, or of what something else wrote, as much as there is."""
        header, _, payload = detail.partition(b"\n")
        try:
            fields: dict[str, Any] = orjson.loads(header)
            return cls(
                payload, fields.get("error", ""), fields.get("version", ""), fields["status"], fields.get("message", "")
            )
        except (orjson.JSONDecodeError, LookupError, AttributeError, TypeError):
            return cls(message=detail.decode(errors="replace"), status=500)

    @property
    def error_message(self) -> str:
        """The error in words: the function's own, or the platform's."""
        if self.message:
            return self.message
        try:
            error = orjson.loads(self.payload)
        except orjson.JSONDecodeError:
            error = None
        message = error.get("errorMessage") if isinstance(error, dict) else None
        return message if isinstance(message, str) else self.payload.decode(errors="replace")


def record(
    delivery: Delivery, invocation: Invocation, function_arn: str, ending: Ending, condition: str, now: float
) -> bytes:
    """The invocation record: JSON of version 1.0. `function_arn` has a qualifier; `now` is the platform's time."""
    shown: dict[str, Any] = {
        "version": "1.0",
        "timestamp": _timestamp(now),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": delivery.attempt,
        },
        "requestPayload": _json(invocation.payload),
    }
    if ending.executed_version:
        context: dict[str, Any] = {"statusCode": ending.status, "executedVersion": ending.executed_version}
        if ending.function_error:
            context["functionError"] = ending.function_error
        shown |= {"responseContext": context, "responsePayload": _json(ending.payload)}
    return orjson.dumps(shown)


def record_message(content: bytes, function_arn: str, *, succeeded: bool, ids: Ids, now: float) -> Message:
    """The record as each kind of destination takes it."""
    name = function_arn.split(":")[6]
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return Message(
        content,
        source=SOURCE,
        detail_type=SUCCEEDED if succeeded else FAILURE,
        resources=(function_arn,),
        object_key=f"aws/lambda/async/{name}/{moment:%Y/%m/%d}/{moment:%Y-%m-%dT%H.%M.%S}-{ids.uuid()}",
    )


def dead_letter(invocation: Invocation, ending: Ending) -> Message:
    """The event itself, with what went wrong in attributes."""
    text = ending.error_message.encode()[:ERROR_MESSAGE_BYTES].decode(errors="ignore")
    attributes = {
        "RequestID": Attribute("String", invocation.request_id),
        "ErrorCode": Attribute("Number", str(ending.status)),
    }
    if text:  # an attribute must not be empty
        attributes["ErrorMessage"] = Attribute("String", text)
    return Message(invocation.payload, attributes)


def _timestamp(now: float) -> str:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(payload: bytes) -> Any:
    """A payload inside the record: as the JSON that it is, or else as a text."""
    if not payload:
        return None
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode(errors="replace")
    return orjson.Fragment(payload)
