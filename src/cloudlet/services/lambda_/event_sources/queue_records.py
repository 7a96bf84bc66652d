"""Messages of a queue as a function gets them.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from cloudlet.arn import Arn
from cloudlet.services.lambda_ import limits

Message = dict[str, Any]
"""As ReceiveMessage gives it."""
Record = dict[str, Any]

_EVENT_BYTES = len('{"Records":[]}')


def record(message: Message, source: Arn, *, is_windowed: bool) -> Record:
    """One message as a record of an event; with a batching window, what has no attributes has a digest of null."""
    found: Record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": str(source),
        "awsRegion": source.region,
    }
    digest = message.get("MD5OfMessageAttributes")
    if digest is not None or is_windowed:
        found["md5OfMessageAttributes"] = digest
    return found


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    shown = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        return {"stringValue": value["StringValue"], **shown}
    return {"binaryValue": base64.b64encode(value["BinaryValue"]).decode(), **shown}


def events(records: Sequence[Record]) -> Iterator[tuple[bytes, Sequence[Record]]]:
    """Events of at most the size of an invocation's payload, each with its records; in their order."""
    begun: list[Record] = []
    parts: list[bytes] = []
    size = _EVENT_BYTES
    for each in records:
        part = orjson.dumps(each)
        if begun and size + len(part) + 1 > limits.SYNCHRONOUS_PAYLOAD_BYTES:
            yield _event(parts), begun
            begun, parts, size = [], [], _EVENT_BYTES
        begun.append(each)
        parts.append(part)
        size += len(part) + 1
    if begun:
        yield _event(parts), begun


def _event(parts: Sequence[bytes]) -> bytes:
    return b'{"Records":[' + b",".join(parts) + b"]}"
