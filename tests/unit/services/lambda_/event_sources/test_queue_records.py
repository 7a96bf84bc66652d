"""Events that functions get of queues."""

import orjson

from cloudlet.arn import Arn
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.event_sources.queue_records import events, record

SOURCE = Arn.parse("arn:aws:sqs:eu-west-1:111111111111:q")
MESSAGE = {"MessageId": "id", "ReceiptHandle": "handle", "Body": "b", "MD5OfBody": "md5", "Attributes": {"a": "1"}}


def test_a_message_as_a_record() -> None:
    attributes = {
        "text": {"DataType": "String", "StringValue": "x"},
        "bytes": {"DataType": "Binary.gif", "BinaryValue": b"\x00\xff"},
    }
    message = {**MESSAGE, "MessageAttributes": attributes, "MD5OfMessageAttributes": "other"}
    assert record(message, SOURCE, is_windowed=False) == {
        "messageId": "id",
        "receiptHandle": "handle",
        "body": "b",
        "attributes": {"a": "1"},
        "messageAttributes": {
            "text": {"stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
            "bytes": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary.gif"},
        },
        "md5OfBody": "md5",
        "md5OfMessageAttributes": "other",
        "eventSource": "aws:sqs",
        "eventSourceARN": str(SOURCE),
        "awsRegion": "eu-west-1",
    }


def test_records_that_are_too_much_for_one_event_are_two() -> None:
    records = [{"body": "x" * 2_500_000, "messageId": str(number)} for number in range(5)]
    made = list(events(records))
    assert [[each["messageId"] for each in part] for _, part in made] == [["0", "1"], ["2", "3"], ["4"]]
    for event, part in made:
        assert len(event) <= limits.SYNCHRONOUS_PAYLOAD_BYTES
        assert orjson.loads(event) == {"Records": part}
