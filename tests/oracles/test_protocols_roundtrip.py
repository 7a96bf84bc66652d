"""Whatever botocore can send of an everyday service is decoded, and whatever is answered botocore can read.

Parameters and results are made up of the models, with the same seed each time.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence

from cloudlet.wire.eventstream import stream_member
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.model import ServiceModels
from cloudlet.wire.shapes import ListShape, MapShape, OperationModel, Shape, StructureShape, is_document

SERVICES = """
    lambda iam sts logs sqs sns events dynamodb s3 stepfunctions scheduler pipes apigateway apigatewayv2 cloudformation
    cloudwatch kinesis ec2 kms secretsmanager ssm route53 cloudfront athena
"""
MODELS = ServiceModels()
SESSION = botocore.session.Session()
DEPTH = 4
CHECKSUMS = ("ContentMD5", "ChecksumCRC32", "ChecksumSHA1", "ChecksumSHA256", "ChecksumSHA512", "ChecksumMD5")
BOTOCORE_DIFFERS = {
    # Their requests or answers are changed by botocore's handlers, not by its serializers and parsers.
    ("s3", "GetBucketLocation"),
    ("s3", "ListDirectoryBuckets"),
}


def is_leaf(shape: Shape) -> bool:
    return not isinstance(shape, StructureShape | ListShape | MapShape)


def is_hollow(value: Any) -> bool:
    """True for what holds nothing but empty structures."""
    if isinstance(value, dict):
        return all(map(is_hollow, value.values()))
    return isinstance(value, list) and any(map(is_hollow, value))


def is_left_out(service: str, operation: OperationModel) -> bool:
    return bool(operation.traits.get("deprecated")) or (service, operation.name) in BOTOCORE_DIFFERS


class Maker:
    """Makes values of shapes."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def structure(self, shape: StructureShape | None, depth: int = 0) -> dict[str, Any]:
        members = {} if shape is None else shape.members
        names = [name for name, member in members.items() if not member.traits.get("eventstream")]
        if shape is not None and shape.is_union:
            names = names[:1]
        made = {name: self.value(members[name], depth + 1) for name in names if depth < DEPTH or is_leaf(members[name])}
        # A form cannot say that a structure is there and empty; a made up checksum would be wrong.
        return {name: value for name, value in made.items() if not is_hollow(value) and name not in CHECKSUMS}

    def value(self, shape: Shape, depth: int) -> Any:
        if is_document(shape):
            return {"any": ["value", 1, None, 2.5]}
        if isinstance(shape, StructureShape):
            return self.structure(shape, depth)
        if isinstance(shape, ListShape):
            return [self.value(shape.member, depth + 1) for _ in range(2 if depth < DEPTH else 1)]
        if isinstance(shape, MapShape):
            return {f"key-{number}": self.value(shape.value, depth + 1) for number in range(2 if depth < DEPTH else 1)}
        return self._scalar(shape)

    def _scalar(self, shape: Shape) -> Any:
        if shape.traits.get("jsonvalue") and shape.traits.get("location") == "header":
            return {"json": [1, "two"]}
        if shape.type_name == "string":
            # Headers and attributes carry less than bodies do.
            plain = shape.traits.get("location") is not None or shape.traits.get("xmlAttribute")
            letters = "abc-XYZ.129" if plain else "ab é<&>\"'=%+/?.,中"
            return f"a{''.join(self._random.choices(letters, k=6))}z"
        if shape.type_name in ("integer", "long"):
            return self._random.randint(1, 2**31 - 1)
        if shape.type_name in ("float", "double"):
            return self._random.randint(1, 1000) / 4
        if shape.type_name == "boolean":
            return self._random.choice((True, False))
        if shape.type_name == "blob":
            return bytes(self._random.choices(range(97, 123), k=5))
        return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=self._random.randint(0, 10**8))


def http_request(protocol: str, name: str, operation: str, params: dict[str, Any]) -> HttpRequest:
    model = SESSION.get_service_model(name).operation_model(operation)
    serialized: Any = create_serializer(protocol, include_validation=False).serialize_to_request(params, model)
    prepare_request_dict(serialized, "http://localhost")
    body = serialized["body"]
    if isinstance(body, dict):
        body = percent_encode_sequence(body)
    url = urlsplit(serialized["url"])
    headers = {key.lower(): value for key, value in serialized["headers"].items()}
    content = body.encode() if isinstance(body, str) else bytes(body)
    return HttpRequest(serialized["method"], url.path, url.query, headers, content)


def parse(protocol: str, name: str, operation: str, response: HttpResponse) -> Any:
    output: Any = SESSION.get_service_model(name).operation_model(operation).output_shape
    given = {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": response.body,
        "context": {},
    }
    return create_parser(protocol).parse(given, output)


def plain(value: Any) -> Any:
    """Without what botocore adds, and moments as seconds: its own are in the local time zone."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("name", SERVICES.split())
def test_every_request_is_decoded_to_its_parameters(name: str) -> None:
    model = MODELS.service(name)
    spoken = set(SESSION.get_service_model(name).metadata.get("protocols") or [model.protocols[0]])
    for operation in sorted(model.operation_names):
        description = model.operation_model(operation)
        if stream_member(description.input) or is_left_out(name, description):
            continue
        params = Maker(operation).structure(description.input)
        for protocol in spoken:
            request = http_request(protocol, name, operation, params)
            target = model.target(request)
            assert target is not None, operation
            assert (target.protocol, target.operation) == (protocol, operation)
            decoded = model.operation(operation).decode(protocol, request, target.labels)
            assert plain(decoded) == plain(params), operation


@pytest.mark.parametrize("name", SERVICES.split())
def test_every_answer_is_read_as_its_result(name: str) -> None:
    model = MODELS.service(name)
    spoken = set(SESSION.get_service_model(name).metadata.get("protocols") or [model.protocols[0]])
    for operation in sorted(model.operation_names):
        output = model.operation_model(operation).output
        if stream_member(output) or is_left_out(name, model.operation_model(operation)):
            continue
        result = Maker(operation).structure(output)
        for key in result:
            if output is not None and output.members[key].traits.get("location") == "statusCode":
                result[key] = 200
        for protocol in spoken:
            response = model.operation(operation).encode(protocol, result, "request-id")
            response.headers.pop("x-amzn-RequestId", None)
            assert plain(parse(protocol, name, operation, response)) == plain(result), operation
