from typing import Any

import pytest

from cloudlet.errors import SerializationError
from cloudlet.wire.model import ServiceModels
from cloudlet.wire.protocols.text import parse_query
from cloudlet.wire.routing import Router
from cloudlet.wire.shapes import Model, OperationModel
from tests.support.wire import SCALARS

S3 = ServiceModels().service("s3")
LAMBDA = ServiceModels().service("lambda")


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "labels"),
    [
        ("GET", "/", {}, "ListBuckets", {}),
        ("GET", "/b", {}, "ListObjects", {"Bucket": "b"}),
        ("GET", "/b/", {}, "ListObjects", {"Bucket": "b"}),
        ("GET", "/b?list-type=2", {}, "ListObjectsV2", {"Bucket": "b"}),
        ("GET", "/b?list-type=1", {}, "ListObjects", {"Bucket": "b"}),
        ("GET", "/b?tagging", {}, "GetBucketTagging", {"Bucket": "b"}),
        ("GET", "/b?tagging=", {}, "GetBucketTagging", {"Bucket": "b"}),
        ("GET", "/b?notification", {}, "GetBucketNotificationConfiguration", {"Bucket": "b"}),
        ("GET", "/b?analytics", {}, "ListBucketAnalyticsConfigurations", {"Bucket": "b"}),
        ("GET", "/b?analytics&id=1", {}, "GetBucketAnalyticsConfiguration", {"Bucket": "b"}),
        ("GET", "/b/a/b.txt", {}, "GetObject", {"Bucket": "b", "Key": "a/b.txt"}),
        ("GET", "/b/folder/", {}, "GetObject", {"Bucket": "b", "Key": "folder/"}),
        ("GET", "/b//x//y", {}, "GetObject", {"Bucket": "b", "Key": "/x//y"}),
        ("GET", "/b/a%2Fb%20c%C3%A9", {}, "GetObject", {"Bucket": "b", "Key": "a/b cé"}),
        ("GET", "/b/k?x-id=GetObject", {}, "GetObject", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k?tagging", {}, "GetObjectTagging", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k?uploadId=1", {}, "ListParts", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k", {}, "PutObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k", {"x-amz-copy-source": "/b/o"}, "CopyObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k?partNumber=1&uploadId=2", {}, "UploadPart", {"Bucket": "b", "Key": "k"}),
        (
            "PUT",
            "/b/k?partNumber=1&uploadId=2",
            {"x-amz-copy-source": "/b/o"},
            "UploadPartCopy",
            {"Bucket": "b", "Key": "k"},
        ),
        ("POST", "/b?delete", {}, "DeleteObjects", {"Bucket": "b"}),
        ("HEAD", "/b", {}, "HeadBucket", {"Bucket": "b"}),
    ],
)
def test_s3_requests_find_their_operations(
    method: str, target: str, headers: dict[str, str], operation: str, labels: dict[str, str]
) -> None:
    path, _, query = target.partition("?")
    assert S3.route(method, path, parse_query(query), headers) == (operation, labels)


@pytest.mark.parametrize("path", ["/2015-03-31/functions", "/2015-03-31/functions/"])
def test_a_slash_at_the_end_makes_no_difference(path: str) -> None:
    assert LAMBDA.route("GET", path, {}) == ("ListFunctions", {})


def test_labels_are_percent_decoded_one_by_one() -> None:
    arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af"
    found = LAMBDA.route("POST", f"/2015-03-31/functions/{arn}/invocations", {})
    assert found == ("Invoke", {"FunctionName": "arn:aws:lambda:eu-west-1:1:function:f"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("PATCH", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/functions//configuration"),
        ("", ""),
    ],
)
def test_what_no_operation_has_leads_nowhere(method: str, path: str) -> None:
    assert LAMBDA.route(method, path, {}) is None


def test_a_path_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(SerializationError):
        LAMBDA.route("GET", "/2015-03-31/functions/%ff", {})


def test_a_missing_required_parameter_is_left_to_validation() -> None:
    assert LAMBDA.route("DELETE", "/2017-03-31/tags/arn", {}) == ("UntagResource", {"Resource": "arn"})


def router(**uris: str) -> Router:
    description: dict[str, Any] = {
        "metadata": {},
        "operations": {name: {"http": {"method": "GET", "requestUri": uri}} for name, uri in uris.items()},
        "shapes": SCALARS,
    }
    model = Model(description)
    return Router(OperationModel(model, name) for name in description["operations"])


def test_fixed_text_is_preferred_to_labels_and_labels_to_the_rest() -> None:
    routes = router(Text="/a/b", Label="/a/{x}", Rest="/a/{x+}", Any="/{y+}")
    assert routes.route("GET", "/a/b", {}, {}) == ("Text", {})
    assert routes.route("GET", "/a/c", {}, {}) == ("Label", {"x": "c"})
    assert routes.route("GET", "/a/c/d", {}, {}) == ("Rest", {"x": "c/d"})
    assert routes.route("GET", "/b", {}, {}) == ("Any", {"y": "b"})


def test_fixed_text_can_follow_a_label_that_takes_the_rest() -> None:
    routes = router(Get="/portals/{arn+}", Sessions="/portals/{arn+}/sessions", One="/portals/{arn+}/sessions/{id}")
    assert routes.route("GET", "/portals/a/b", {}, {}) == ("Get", {"arn": "a/b"})
    assert routes.route("GET", "/portals/a/b/sessions", {}, {}) == ("Sessions", {"arn": "a/b"})
    assert routes.route("GET", "/portals/a/b/sessions/7", {}, {}) == ("One", {"arn": "a/b", "id": "7"})


def test_a_way_that_ends_nowhere_is_left_for_another() -> None:
    routes = router(Deep="/a/{x}/c", Other="/{y}/b/d")
    assert routes.route("GET", "/a/b/d", {}, {}) == ("Other", {"y": "a"})
