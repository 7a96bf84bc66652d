"""Whatever a body holds, decoding ends in parameters or in SerializationError: never in anything else."""

import gzip
from typing import Any
from urllib.parse import quote_plus

import cbor2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudlet.errors import RequestTooLarge, SerializationError, ServiceError, ValidationError
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.model import ServiceModel, ServiceModels

MODELS = ServiceModels()
TARGETS = [
    ("dynamodb", "PutItem", "json"),
    ("logs", "PutLogEvents", "json"),
    ("sqs", "SendMessage", "query"),
    ("sns", "PublishBatch", "query"),
    ("ec2", "RunInstances", "ec2"),
    ("lambda", "CreateFunction", "rest-json"),
    ("s3", "PutBucketLifecycleConfiguration", "rest-xml"),
    ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "PutMetricData", "query"),
]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def decode(service: str, operation: str, protocol: str, body: bytes, query: str = "", **headers: str) -> None:
    request = HttpRequest("POST", "/", query, headers, body)
    target = MODELS.service(service).operation(operation)
    try:
        params = target.decode(protocol, request, {})
        target.validate(params)
    except (SerializationError, ValidationError):
        pass


@pytest.mark.parametrize(("service", "operation", "protocol"), TARGETS)
@given(body=st.binary(max_size=200))
@FUZZ
def test_random_bytes_never_break_decoding(service: str, operation: str, protocol: str, body: bytes) -> None:
    decode(service, operation, protocol, body)


def members(model: ServiceModel, operation: str) -> list[str]:
    shape = model.operation_model(operation).input
    assert shape is not None
    return [*shape.members, "Tags", "Item", "member", "1", "entry", "key", "value"]


@pytest.mark.parametrize(("service", "operation", "protocol"), [t for t in TARGETS if "json" in t[2]])
@given(data=st.data())
@FUZZ
def test_json_of_other_types_never_breaks_decoding(
    service: str, operation: str, protocol: str, data: st.DataObject
) -> None:
    names = st.sampled_from(members(MODELS.service(service), operation))
    decode(service, operation, protocol, orjson.dumps(data.draw(st.dictionaries(names, json_values, max_size=4))))


@given(value=json_values | st.binary() | st.datetimes().map(lambda moment: cbor2.CBORTag(1, moment.year * 1e9)))
@FUZZ
def test_cbor_of_other_types_never_breaks_decoding(value: Any) -> None:
    body = cbor2.dumps({"Namespace": value, "MetricData": [{"Timestamp": value, "Value": value}]})
    decode("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", body)


@pytest.mark.parametrize(("service", "operation", "protocol"), [t for t in TARGETS if t[2] in ("query", "ec2")])
@given(data=st.data())
@FUZZ
def test_forms_of_any_nesting_never_break_decoding(
    service: str, operation: str, protocol: str, data: st.DataObject
) -> None:
    part = st.sampled_from(members(MODELS.service(service), operation)) | st.text(max_size=3)
    names = st.lists(part, min_size=1, max_size=6).map(".".join)
    pairs = data.draw(st.lists(st.tuples(names, st.text(max_size=5)), max_size=5))
    form = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    decode(service, operation, protocol, form.encode())
    decode(service, operation, protocol, b"", query=form)


tags = st.sampled_from(["Rule", "ID", "Filter", "Tag", "Key", "And", "Transition", "Days", "Date", "x"])


@given(tree=st.recursive(st.text("ab <&>0", max_size=3), lambda inner: st.tuples(tags, st.lists(inner, max_size=3))))
@FUZZ
def test_xml_of_any_shape_never_breaks_decoding(tree: Any) -> None:
    def write(node: Any) -> str:
        if isinstance(node, str):
            return node
        return f"<{node[0]}>{''.join(map(write, node[1]))}</{node[0]}>"

    body = f"<LifecycleConfiguration>{write(tree)}</LifecycleConfiguration>".encode()
    decode("s3", "PutBucketLifecycleConfiguration", "rest-xml", body)


@pytest.mark.parametrize(
    ("service", "operation", "protocol", "opening", "closing"),
    [
        ("dynamodb", "PutItem", "json", b'{"Item":{"a":' + b'{"L":[' * 900, b"]}" * 900 + b"}}"),
        ("dynamodb", "PutItem", "json", b'{"Item":{"a":' + b'{"L":[' * 400, b"]}" * 400 + b"}}"),
        ("dynamodb", "PutItem", "json", b"[" * 100_000, b""),
        ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", b"\x81" * 100_000, b""),
        ("s3", "PutBucketLifecycleConfiguration", "rest-xml", b"<a>" * 100_000, b""),
        ("sns", "Publish", "query", b"a" + b".a" * 100_000 + b"=1", b""),
    ],
)
def test_deep_nesting_is_refused(service: str, operation: str, protocol: str, opening: bytes, closing: bytes) -> None:
    request = HttpRequest("POST", "/", "", {}, opening + closing)
    with pytest.raises(SerializationError):
        MODELS.service(service).operation(operation).decode(protocol, request, {})


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><LifecycleConfiguration>&b;</LifecycleConfiguration>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><LifecycleConfiguration/>'.encode("utf-16"),
        b"<LifecycleConfiguration>&undefined;</LifecycleConfiguration>",
    ],
)
def test_xml_entities_and_document_types_are_refused(document: bytes) -> None:
    request = HttpRequest("PUT", "/b", "", {}, document)
    operation = MODELS.service("s3").operation("PutBucketLifecycleConfiguration")
    with pytest.raises(SerializationError):
        operation.decode("rest-xml", request, {"Bucket": "b"})


@given(body=st.binary(max_size=64), cut=st.integers(0, 40))
@FUZZ
def test_compressed_bodies_never_break_decoding(body: bytes, cut: int) -> None:
    for content in (body, gzip.compress(body)[:cut]):
        decode("cloudwatch", "PutMetricData", "query", content, **{"content-encoding": "gzip"})


def test_a_compressed_body_that_grows_too_large_is_refused() -> None:
    request = HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, gzip.compress(b"\0" * (17 * 1024 * 1024)))
    with pytest.raises(RequestTooLarge):
        MODELS.service("cloudwatch").operation("PutMetricData").decode("query", request, {})


@given(text=st.text(max_size=40), protocol=st.sampled_from([("sqs", "json"), ("sns", "query"), ("s3", "rest-xml")]))
@FUZZ
def test_any_message_can_be_answered(text: str, protocol: tuple[str, str]) -> None:
    service, name = protocol
    text = text.encode("utf-8", "replace").decode()
    response = MODELS.service(service).encode_error(name, ServiceError(text), "request-id")
    assert response.status == 400
