from datetime import UTC, datetime
from typing import Any

import pytest

from cloudlet.errors import SerializationError, ServiceError
from cloudlet.wire.model import ServiceModels
from tests.support.wire import decode, encode, request, service, structure

SHAPES: dict[str, Any] = {
    "Tag": structure(Key="String", Value="String"),
    "Tags": {"type": "list", "member": {"shape": "Tag"}},
    "Named": {"type": "list", "member": {"shape": "String", "locationName": "item"}},
    "Flat": {"type": "list", "member": {"shape": "String", "locationName": "Name"}, "flattened": True},
    "FlatMap": {
        "type": "map",
        "key": {"shape": "String", "locationName": "Name"},
        "value": {"shape": "String", "locationName": "Value"},
        "flattened": True,
    },
}
MEMBERS = structure(
    S="String",
    I="Integer",
    D="Double",
    B="Boolean",
    Blob="Blob",
    T="Timestamp",
    List="Strings",
    Tags="Tags",
    Named="Named",
    Flat="Flat",
    Map="Map",
    FlatMap="FlatMap",
    Tag="Tag",
)
MODEL = service("query", input_shape=MEMBERS, output_shape=MEMBERS, **SHAPES)


@pytest.mark.parametrize(
    ("form", "params"),
    [
        ("Action=Act&Version=1", {}),
        ("S=a+b%26%C3%A9&Unknown=1", {"S": "a b&é"}),
        ("S=", {"S": ""}),
        ("I=-3&D=2.5&B=TRUE", {"I": -3, "D": 2.5, "B": True}),
        ("Blob=aGk%3D", {"Blob": b"hi"}),
        ("T=2014-04-29T18:30:38Z", {"T": datetime(2014, 4, 29, 18, 30, 38, tzinfo=UTC)}),
        ("T=1398796238", {"T": datetime(2014, 4, 29, 18, 30, 38, tzinfo=UTC)}),
        ("List.member.2=b&List.member.10=c&List.member.1=a", {"List": ["a", "b", "c"]}),
        ("List=", {"List": []}),
        ("Named.item.1=a", {"Named": ["a"]}),
        ("Name.1=a&Name.2=b", {"Flat": ["a", "b"]}),
        ("Flat.1=a", {"Flat": ["a"]}),
        ("Tags.member.1.Key=k&Tags.member.1.Value=v", {"Tags": [{"Key": "k", "Value": "v"}]}),
        ("Map.entry.1.key=k&Map.entry.1.value=v", {"Map": {"k": "v"}}),
        ("FlatMap.1.Name=k&FlatMap.1.Value=v", {"FlatMap": {"k": "v"}}),
        ("Tag.Key=k", {"Tag": {"Key": "k"}}),
    ],
)
def test_a_form_is_decoded(form: str, params: dict[str, Any]) -> None:
    assert decode(MODEL, request(form)) == params
    assert decode(MODEL, request(method="GET", path=f"/?{form}")) == params


@pytest.mark.parametrize(
    "form",
    [
        "I=x",
        "I=1_0",
        "I=",
        "D=1e",
        "B=maybe",
        "Blob=?",
        "T=never",
        "List.member.x=a",
        "S=%ff",
        "S.x=1",
        "Map.entry.1.value=v",
    ],
)
def test_what_does_not_fit_is_refused(form: str) -> None:
    with pytest.raises(SerializationError):
        decode(MODEL, request(form))


def test_a_body_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(SerializationError):
        decode(MODEL, request(b"S=\xff"))


def test_a_result_is_xml_in_the_order_of_the_model() -> None:
    model = service(
        "query",
        output_shape=MEMBERS,
        metadata={"xmlNamespace": "https://test/"},
        **SHAPES,
    )
    response = encode(
        model,
        {
            "Tag": {"Key": "<k>"},
            "FlatMap": {"a": "1"},
            "Map": {"a": "1"},
            "Flat": ["x", "y"],
            "Named": ["n"],
            "Tags": [],
            "T": 1398796238,
            "Blob": b"hi",
            "B": True,
            "D": 1.5,
            "I": 3,
            "S": "a&b\x01\r",
        },
    )
    assert response.headers["Content-Type"] == "text/xml"
    assert response.body == (
        b'<ActResponse xmlns="https://test/"><S>a&amp;b\xef\xbf\xbd&#xD;</S><I>3</I><D>1.5</D><B>true</B><Blob>aGk=</Blob>'
        b"<T>2014-04-29T18:30:38Z</T><Tags></Tags><Named><item>n</item></Named><Name>x</Name><Name>y</Name>"
        b"<Map><entry><key>a</key><value>1</value></entry></Map>"
        b"<FlatMap><Name>a</Name><Value>1</Value></FlatMap><Tag><Key>&lt;k&gt;</Key></Tag>"
        b"<ResponseMetadata><RequestId>request-id</RequestId></ResponseMetadata></ActResponse>"
    )


def test_an_operation_without_output_answers_its_request_id() -> None:
    assert encode(service("query"), {}).body == (
        b"<ActResponse><ResponseMetadata><RequestId>request-id</RequestId></ResponseMetadata></ActResponse>"
    )


def test_an_error_says_who_is_to_blame() -> None:
    fault = {**structure(message="String", Detail="String"), "exception": True, "fault": True}
    error = type("Fault", (ServiceError,), {"code": "Fault"})("text", Detail="d")
    response = service("query", Fault=fault).encode_error("query", error, "id")
    assert response.status == 500
    assert response.body == (
        b"<ErrorResponse><Error><Type>Receiver</Type><Code>Fault</Code><Message>text</Message><Detail>d</Detail></Error>"
        b"<RequestId>id</RequestId></ErrorResponse>"
    )


def test_sqs_still_speaks_query() -> None:
    model = ServiceModels().service("sqs")
    form = (
        "Action=SendMessage&MessageBody=m&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String"
        "&MessageAttribute.1.Value.StringValue=v&MessageSystemAttribute.1.Name=AWSTraceHeader"
        "&MessageSystemAttribute.1.Value.DataType=String&MessageSystemAttribute.1.Value.StringValue=t"
    )
    given = request(form, path="/123456789012/queue", host="localhost:4566")
    assert model.operation("SendMessage").decode("query", given, {}) == {
        "QueueUrl": "http://localhost:4566/123456789012/queue",
        "MessageBody": "m",
        "MessageAttributes": {"a": {"DataType": "String", "StringValue": "v"}},
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "t"}},
    }
    response = model.operation("ListQueues").encode("query", {"QueueUrls": ["u", "v"]}, "id")
    assert response.body == (
        b'<ListQueuesResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ListQueuesResult>'
        b"<QueueUrl>u</QueueUrl><QueueUrl>v</QueueUrl></ListQueuesResult>"
        b"<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ListQueuesResponse>"
    )
    error = type("Gone", (ServiceError,), {"code": "QueueDoesNotExist"})("text")
    body = model.encode_error("query", error, "id").body
    assert isinstance(body, bytes)
    assert b"<Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>text</Message><Detail/>" in body


def test_a_form_without_entries_has_none_of_them_where_the_model_says_so() -> None:
    members = structure(Listed={"shape": "Strings", "emptyWhenAbsent": True}, Other="Strings")
    assert decode(service("query", input_shape=members), request("Action=Act")) == {"Listed": []}
    batch = ServiceModels().service("sqs").operation("DeleteMessageBatch")
    assert batch.decode("query", request("Action=DeleteMessageBatch&QueueUrl=q"), {})["Entries"] == []
    assert "Entries" not in batch.decode("json", request('{"QueueUrl":"q"}'), {})


def test_sqs_json_keeps_its_own_names() -> None:
    model = ServiceModels().service("sqs")
    given = request('{"QueueUrl":"q","AttributeNames":["All"],"Attribute":{"x":"y"}}')
    params = model.operation("GetQueueAttributes").decode("json", given, {})
    assert params == {"QueueUrl": "q", "AttributeNames": ["All"]}
