import math
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

import orjson
import pytest
from botocore.model import Shape as BotocoreShape
from botocore.parsers import JSONParser

from cloudlet.errors import SerializationError, ServiceError
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.model import ServiceModels
from tests.support.wire import decode, encode, request, service, structure


class State(StrEnum):
    ACTIVE = "Active"


class Size(IntEnum):
    SMALL = 1


MEMBERS = structure(
    S="String",
    I="Integer",
    L="Long",
    D="Double",
    B="Boolean",
    Blob="Blob",
    T="Timestamp",
    Iso={"shape": "Timestamp", "timestampFormat": "iso8601"},
    List="Strings",
    Map="Map",
    Doc="Document",
    Named={"shape": "String", "locationName": "wireName"},
    Nested="Nested",
)
MODEL = service(input_shape=MEMBERS, output_shape=MEMBERS, Nested=structure(X="Integer"))


def answered(response: HttpResponse) -> Any:
    assert isinstance(response.body, bytes)
    return orjson.loads(response.body)


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ("", {}),
        ("{}", {}),
        ('{"S":"a","Unknown":[1],"I":null}', {"S": "a"}),
        ('{"I":3.9,"D":2,"B":true}', {"I": 3, "D": 2.0, "B": True}),
        ('{"D":"-Infinity"}', {"D": -math.inf}),
        ('{"Blob":"aGk="}', {"Blob": b"hi"}),
        ('{"T":1398796238.5}', {"T": datetime(2014, 4, 29, 18, 30, 38, 500000, UTC)}),
        ('{"Iso":"2014-04-29T18:30:38Z"}', {"Iso": datetime(2014, 4, 29, 18, 30, 38, tzinfo=UTC)}),
        ('{"List":["a",null],"Map":{"k":"v"}}', {"List": ["a", None], "Map": {"k": "v"}}),
        ('{"Doc":{"a":[1,null,{"b":2.5}]}}', {"Doc": {"a": [1, None, {"b": 2.5}]}}),
        ('{"wireName":"n","Named":"other"}', {"Named": "n"}),
        ('{"Nested":{"X":1,"Y":2}}', {"Nested": {"X": 1}}),
    ],
)
def test_a_body_is_decoded(body: str, params: dict[str, Any]) -> None:
    assert decode(MODEL, request(body)) == params


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{", "Could not parse request body into json"),
        (b"\xff", "Could not parse request body into json"),
        ("[]", "Start of list found where not expected"),
        ('"a"', "Expected null"),
        ('{"S":1}', "NUMBER_VALUE can not be converted to a String"),
        ('{"S":true}', "TRUE_VALUE can not be converted to a String"),
        ('{"S":{}}', "Start of structure or map found where not expected."),
        ('{"I":"1"}', "STRING_VALUE can not be converted to an Integer"),
        ('{"L":false}', "FALSE_VALUE can not be converted to a Long"),
        ('{"D":"x"}', "STRING_VALUE can not be converted to a Double"),
        ('{"B":"true"}', "STRING_VALUE can not be converted to a Boolean"),
        ('{"T":"2014"}', "STRING_VALUE can not be converted to milliseconds since epoch"),
        ('{"T":1e300}', "timestamp out of range"),
        ('{"Blob":"?"}', "'?' can not be converted to a Blob"),
        ('{"List":"a"}', "Expected list or null"),
        ('{"Map":1}', "Expected map or null"),
        ('{"Nested":true}', "Expected null"),
        ('{"List":[[]]}', "Start of list found where not expected"),
    ],
)
def test_what_has_the_wrong_type_is_refused_in_aws_s_words(body: str | bytes, text: str) -> None:
    with pytest.raises(SerializationError) as error:
        decode(MODEL, request(body))
    assert error.value.message.startswith(text)


def test_a_result_is_encoded() -> None:
    result = {
        "S": State.ACTIVE,
        "I": Size.SMALL,
        "D": 1,
        "B": False,
        "Blob": memoryview(b"hi"),
        "T": datetime(2014, 4, 29, 18, 30, 38, 500000, UTC),
        "Iso": 1398796238,
        "List": ["a", None],
        "Map": {"k": "v"},
        "Doc": {"a": [1, None]},
        "Named": "n",
        "L": None,
        "Nested": {"X": 1},
    }
    response = encode(MODEL, result)
    assert response.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answered(response) == {
        "S": "Active",
        "I": 1,
        "D": 1.0,
        "B": False,
        "Blob": "aGk=",
        "T": 1398796238.5,
        "Iso": "2014-04-29T18:30:38Z",
        "List": ["a", None],
        "Map": {"k": "v"},
        "Doc": {"a": [1, None]},
        "wireName": "n",
        "Nested": {"X": 1},
    }


@pytest.mark.parametrize(("value", "written"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_numbers_that_json_lacks_are_texts(value: float, written: str) -> None:
    assert answered(encode(MODEL, {"D": value})) == {"D": written}


@pytest.mark.parametrize("result", [{"I": "1"}, {"I": True}, {"S": 1}, {"Blob": "text"}, {"T": "now"}, {"B": 1}])
def test_a_result_of_the_wrong_type_is_a_mistake(result: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        encode(MODEL, result)


def test_an_operation_without_output_answers_nothing() -> None:
    assert encode(service(), {}).body == b""
    assert decode(service(), request('{"X":1}')) == {}


def test_an_error_names_its_shape_and_carries_its_members() -> None:
    shapes: dict[str, Any] = {"Gone": {**structure(Message="String", At="Timestamp"), "exception": True}}
    error = type("Gone", (ServiceError,), {"code": "Gone"})("text", At=1.5)
    response = service(**shapes).encode_error("json", error, "id")
    assert answered(response) == {"__type": "Gone", "Message": "text", "At": 1.5}
    assert "x-amzn-query-error" not in response.headers


def test_a_query_compatible_service_tells_the_code_of_then() -> None:
    error = type("Gone", (ServiceError,), {"code": "QueueDoesNotExist"})("text")
    response = ServiceModels().service("sqs").encode_error("json", error, "id")
    assert response.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"


@pytest.mark.parametrize(
    ("service_name", "code", "type_name", "former"),
    [
        ("sqs", "QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        ("sqs", "ReceiptHandleIsInvalid", "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        (
            "sqs",
            "MissingRequiredParameterException",
            "com.amazon.coral.service#MissingRequiredParameterException",
            "MissingParameter",
        ),
        ("sqs", "AccessDeniedException", "com.amazon.coral.service#AccessDeniedException", "AccessDenied"),
        ("sqs", "SerializationException", "com.amazon.coral.service#SerializationException", "MalformedInput"),
        (
            "sqs",
            "InvalidSignatureException",
            "com.amazon.coral.service#InvalidSignatureException",
            "SignatureDoesNotMatch",
        ),
        ("cloudwatch", "AccessDeniedException", "AccessDeniedException", "AccessDenied"),
        ("logs", "ResourceNotFoundException", "ResourceNotFoundException", None),
        ("ecr", "RepositoryNotFoundException", "RepositoryNotFoundException", None),
        ("organizations", "AccessDeniedException", "AccessDeniedException", None),
    ],
)
def test_each_service_names_errors_as_it_does_on_aws(
    service_name: str, code: str, type_name: str, former: str | None
) -> None:
    error = type("Refused", (ServiceError,), {"code": code})("text")
    response = ServiceModels().service(service_name).encode_error("json", error, "id")
    assert answered(response)["__type"] == type_name
    said = response.headers.get("x-amzn-query-error")
    assert said == (None if former is None else f"{former};Sender")
    parsed = JSONParser().parse(
        {"headers": response.headers, "body": response.body, "status_code": 400},
        BotocoreShape("None", {"type": "structure"}),
    )
    assert parsed["Error"]["Message"] == "text"
    assert parsed["Error"]["Code"] == (former or code)
