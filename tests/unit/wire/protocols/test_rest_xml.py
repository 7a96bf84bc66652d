from typing import Any

import pytest

from cloudlet.errors import SerializationError, ServiceError
from cloudlet.wire.model import ServiceModels
from tests.support.wire import decode, encode, request, service, structure

S3 = ServiceModels().service("s3")
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
XSI = "http://www.w3.org/2001/XMLSchema-instance"

MEMBERS = structure(
    S="String",
    I="Integer",
    B="Boolean",
    List="Strings",
    Flat={"shape": "Strings", "flattened": True, "locationName": "Item"},
    Map="Map",
    FlatMap={"shape": "Map", "flattened": True},
    Inner="Inner",
)
INNER = structure(Kind={"shape": "String", "xmlAttribute": True, "locationName": "xsi:type"}, Text="String")
MODEL = service("rest-xml", input_shape=MEMBERS, output_shape=MEMBERS, Inner=INNER)
DOCUMENT = (
    "<S>a&amp;b</S><I>3</I><B>true</B><List><member>x</member><member>y</member></List><Item>p</Item><Item>q</Item>"
    "<Map><entry><key>k</key><value>v</value></entry></Map><FlatMap><key>k</key><value>v</value></FlatMap>"
)
VALUES: dict[str, Any] = {
    "S": "a&b",
    "I": 3,
    "B": True,
    "List": ["x", "y"],
    "Flat": ["p", "q"],
    "Map": {"k": "v"},
    "FlatMap": {"k": "v"},
}


def test_a_document_is_decoded() -> None:
    assert decode(MODEL, request(f"<ActInput xmlns='urn:x'>{DOCUMENT}<Unknown/></ActInput>")) == VALUES


def test_attributes_and_empty_elements_are_decoded() -> None:
    body = f"<ActInput xmlns:xsi='{XSI}'><Inner xsi:type='k'><Text/></Inner><List/><Map/></ActInput>"
    assert decode(MODEL, request(body)) == {"Inner": {"Kind": "k", "Text": ""}, "List": [], "Map": {}}


def test_no_body_is_no_members() -> None:
    assert decode(MODEL, request()) == {}


@pytest.mark.parametrize(
    "body", ["<", "text", "<a></b>", "<ActInput><I>x</I></ActInput>", "<ActInput><Map><e/></Map></ActInput>"]
)
def test_what_does_not_fit_is_refused(body: str) -> None:
    with pytest.raises(SerializationError):
        decode(MODEL, request(body))


def test_a_result_is_encoded() -> None:
    response = encode(MODEL, VALUES)
    assert response.body == DECLARATION + f"<ActOutput>{DOCUMENT}</ActOutput>".encode()
    assert response.headers["Content-Type"] == "application/xml"


def test_attributes_are_quoted() -> None:
    assert encode(MODEL, {"Inner": {"Kind": 'a"<b>', "Text": "t"}}).body == (
        DECLARATION + b'<ActOutput><Inner xsi:type="a&quot;&lt;b&gt;"><Text>t</Text></Inner></ActOutput>'
    )


def test_s3_answers_have_the_names_and_the_namespace_of_s3() -> None:
    body = S3.operation("ListObjectsV2").encode("rest-xml", {"Contents": [{"Key": "k", "Size": 1}]}, "id").body
    assert body == (
        DECLARATION + b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>"
    )


def test_s3_answers_a_location_without_an_element_around_it() -> None:
    for result, text in (({"LocationConstraint": "eu-west-1"}, b"eu-west-1"), ({}, b"")):
        assert S3.operation("GetBucketLocation").encode("rest-xml", result, "id").body == (
            DECLARATION
            + b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            + text
            + b"</LocationConstraint>"
        )


def test_s3_errors_stand_alone() -> None:
    error = type("Gone", (ServiceError,), {"code": "NoSuchKey"})("text", Key="k")
    response = S3.encode_error("rest-xml", error, "id")
    assert response.status == 404
    assert response.headers["x-amz-request-id"] == "id"
    assert response.body == (
        DECLARATION
        + b"<Error><Code>NoSuchKey</Code><Message>text</Message><Key>k</Key><RequestId>id</RequestId></Error>"
    )


def test_errors_of_other_services_are_wrapped() -> None:
    error = type("Gone", (ServiceError,), {"code": "NoSuchHostedZone"})("text")
    response = ServiceModels().service("route53").encode_error("rest-xml", error, "id")
    assert response.status == 404
    assert response.body == (
        DECLARATION + b"<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>text</Message>"
        b"</Error><RequestId>id</RequestId></ErrorResponse>"
    )
