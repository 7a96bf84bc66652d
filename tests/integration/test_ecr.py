"""Repositories and their registry, by boto3, by skopeo, and by plain HTTP."""

import base64
import http.client
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from cloudlet.compute.images.manifest import OCI_INDEX, OCI_MANIFEST
from cloudlet.services.ecr import image, tables
from cloudlet.services.ecr.operations import images
from cloudlet.services.ecr.registry import blob_uploads
from cloudlet.services.ecr.service import EcrService
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Reader, Row
from tests.integration.test_permissions import Role, allow, document, role
from tests.support.images import Layout, program, run, tar
from tests.support.nodes import MakeClient, NodeInThread, fresh_account
from tests.support.registry import Registry, digest_of, token_of

__all__ = ["role"]

DAY_S = 86400.0
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)
Json = dict[str, Any]


def fails(call: Callable[..., Any], code: str, **params: Any) -> str:
    """The text of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


class CountingReader(Reader):
    """Counts what is asked of another."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.count = 0

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        self.count += 1
        return self._reader.query(sql, params)

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        self.count += 1
        return self._reader.one(sql, params)


def _uploads(node: NodeInThread, account: str) -> int:
    """How many uploads of an account are under way."""
    [ecr] = [service for service in node.node.services if isinstance(service, EcrService)]
    return sum(upload.key.account == account for upload in list(ecr.uploads._uploads.values()))


@pytest.fixture
def ecr(client: MakeClient) -> Any:
    return client("ecr")


@pytest.fixture
def registry(endpoint: str, ecr: Any) -> Registry:
    return Registry(endpoint, token_of(ecr))


@pytest.fixture
def app(ecr: Any) -> str:
    """A repository."""
    ecr.create_repository(repositoryName="app")
    return "app"


class TestRepositories:
    def test_one_is_made_listed_and_deleted(self, ecr: Any, account: str, endpoint: str) -> None:
        made = ecr.create_repository(repositoryName="team/app", tags=[{"Key": "a", "Value": "b"}])["repository"]
        assert made["repositoryArn"] == f"arn:aws:ecr:us-east-1:{account}:repository/team/app"
        assert made["registryId"] == account
        assert made["repositoryUri"] == f"{urlsplit(endpoint).netloc}/team/app"
        assert made["imageTagMutability"] == "MUTABLE"
        assert made["imageScanningConfiguration"] == {"scanOnPush": False}
        assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
        assert ecr.describe_repositories()["repositories"] == [made]
        assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [{"Key": "a", "Value": "b"}]
        ecr.untag_resource(resourceArn=made["repositoryArn"], tagKeys=["a"])
        assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == []
        assert ecr.delete_repository(repositoryName="team/app")["repository"] == made
        assert ecr.describe_repositories()["repositories"] == []

    def test_errors_read_as_on_aws(self, ecr: Any, app: str, account: str, registry: Registry) -> None:
        where = f"in the registry with id '{account}'"
        assert fails(ecr.create_repository, "RepositoryAlreadyExistsException", repositoryName=app) == (
            f"The repository with name 'app' already exists {where}"
        )
        assert fails(ecr.describe_repositories, "RepositoryNotFoundException", repositoryNames=["none"]) == (
            f"The repository with name 'none' does not exist {where}"
        )
        registry.image(app, "v1")
        assert fails(ecr.delete_repository, "RepositoryNotEmptyException", repositoryName=app) == (
            f"The repository with name 'app' in registry with id '{account}' cannot be deleted because it still "
            "contains images"
        )
        ecr.delete_repository(repositoryName=app, force=True)
        assert fails(ecr.list_images, "RepositoryNotFoundException", repositoryName=app)

    def test_pages_follow_each_other(self, ecr: Any) -> None:
        for name in ("aa", "bb", "cc"):
            ecr.create_repository(repositoryName=name)
        pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})
        assert [[one["repositoryName"] for one in page["repositories"]] for page in pages] == [["aa", "bb"], ["cc"]]

    def test_pages_are_of_all_and_not_of_some(self, ecr: Any, app: str) -> None:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html"""
        named: Json = {"repositoryNames": [app]}
        assert fails(ecr.describe_repositories, "InvalidParameterException", maxResults=1, **named)
        image: Json = {"repositoryName": app, "imageIds": [{"imageTag": "v1"}]}
        assert fails(ecr.describe_images, "InvalidParameterException", maxResults=1, **image)

    @pytest.mark.parametrize("name", ["Upper", "a//b", "-x", "a" * 257])
    def test_a_name_that_cannot_be_is_refused(self, client: MakeClient, name: str) -> None:
        lax = client("ecr", parameter_validation=False)
        assert fails(lax.create_repository, "InvalidParameterException", repositoryName=name)


class TestImages:
    def test_what_is_pushed_is_shown(self, ecr: Any, app: str, registry: Registry) -> None:
        digest = registry.image(app, "v1", b"x" * 100)
        [shown] = ecr.describe_images(repositoryName=app)["imageDetails"]
        assert (shown["imageDigest"], shown["imageTags"], shown["imageSizeInBytes"]) == (digest, ["v1"], 102)
        assert shown["imageManifestMediaType"] == OCI_MANIFEST
        assert ecr.list_images(repositoryName=app)["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
        [image] = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])["images"]
        assert digest_of(image["imageManifest"].encode()) == digest

    def test_a_page_has_so_many_tags_and_not_images(self, ecr: Any, app: str, registry: Registry) -> None:
        one, other = registry.image(app, "v1", b"1"), registry.image(app, "w1", b"2")
        for tag in ("v2", "v3"):
            registry.image(app, tag, b"1")
        untagged = registry.image(app, "", b"3")
        expected = {(one, "v1"), (one, "v2"), (one, "v3"), (other, "w1"), (untagged, None)}
        pages = list(ecr.get_paginator("list_images").paginate(repositoryName=app, PaginationConfig={"PageSize": 2}))
        assert [len(page["imageIds"]) for page in pages] == [2, 2, 1]
        assert {(each["imageDigest"], each.get("imageTag")) for page in pages for each in page["imageIds"]} == expected
        tagged = ecr.get_paginator("list_images").paginate(
            repositoryName=app, filter={"tagStatus": "TAGGED"}, PaginationConfig={"PageSize": 3}
        )
        assert [len(page["imageIds"]) for page in tagged] == [3, 1]

    @pytest.mark.parametrize("tag", ["a b", "-a", "a/b", "a:b", "a" * 129])
    def test_a_tag_that_can_be_none_is_refused(self, ecr: Any, app: str, registry: Registry, tag: str) -> None:
        registry.image(app, "v1")
        manifest = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"]
        text = fails(
            ecr.put_image, "InvalidParameterException", repositoryName=app, imageManifest=manifest, imageTag=tag
        )
        assert text.startswith("Invalid parameter at 'imageTag' failed to satisfy constraint: ")

    def test_what_is_not_there_is_a_failure_or_an_error(self, ecr: Any, app: str, account: str) -> None:
        answer = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "none"}])
        assert answer["failures"] == [
            {
                "imageId": {"imageTag": "none"},
                "failureCode": "ImageNotFound",
                "failureReason": "Requested image not found",
            }
        ]
        text = fails(ecr.describe_images, "ImageNotFoundException", repositoryName=app, imageIds=[{"imageTag": "none"}])
        assert text == (
            "The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with "
            f"name 'app' in the registry with id '{account}'"
        )

    def test_the_last_tag_takes_the_image_with_it(self, ecr: Any, app: str, registry: Registry) -> None:
        digest = registry.image(app, "v1")
        registry.image(app, "v2")
        first = ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])
        assert first["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
        assert ecr.list_images(repositoryName=app)["imageIds"] == [{"imageDigest": digest, "imageTag": "v2"}]
        ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageTag": "v2"}])
        assert ecr.list_images(repositoryName=app)["imageIds"] == []

    def test_a_tag_that_may_not_move_stays(self, ecr: Any, app: str, registry: Registry) -> None:
        ecr.put_image_tag_mutability(repositoryName=app, imageTagMutability="IMMUTABLE")
        registry.image(app, "v1", b"1")
        manifest = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"]
        assert fails(
            ecr.put_image, "ImageAlreadyExistsException", repositoryName=app, imageManifest=manifest, imageTag="v1"
        )
        assert registry.image(app, "v2", b"2")
        second = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v2"}])["images"][0]["imageManifest"]
        text = fails(
            ecr.put_image, "ImageTagAlreadyExistsException", repositoryName=app, imageManifest=second, imageTag="v1"
        )
        assert text.startswith("The image tag 'v1' already exists in the 'app' repository and cannot be overwritten")
        answer = registry("PUT", "/v2/app/manifests/v1", second.encode(), Content_Type=OCI_MANIFEST)
        assert (answer.status, answer.codes) == (400, ["TAG_INVALID"])

    def test_an_image_of_what_is_not_there_is_refused(self, ecr: Any, app: str, registry: Registry) -> None:
        part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"none"), "size": 4}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part, "layers": []})
        assert fails(ecr.put_image, "LayersNotFoundException", repositoryName=app, imageManifest=manifest)
        answer = registry("PUT", "/v2/app/manifests/v1", manifest.encode())
        assert (answer.status, answer.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"])
        child = {**part, "mediaType": OCI_MANIFEST}
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]})
        assert fails(ecr.put_image, "ReferencedImagesNotFoundException", repositoryName=app, imageManifest=index)
        assert fails(ecr.put_image, "InvalidParameterException", repositoryName=app, imageManifest="{}")

    def test_an_index_holds_its_images(self, ecr: Any, app: str, registry: Registry) -> None:
        child = registry.image(app, "")
        size = len(registry("GET", f"/v2/app/manifests/{child}").body)
        entry = {"mediaType": OCI_MANIFEST, "digest": child, "size": size}
        registry.manifest(app, "all", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        [failure] = ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageDigest": child}])["failures"]
        assert failure["failureCode"] == "ImageReferencedByManifestList"
        ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageTag": "all"}])
        assert ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageDigest": child}])["failures"] == []

    def test_referrers_are_listed(self, app: str, registry: Registry) -> None:
        subject = registry.image(app, "v1")
        about = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
        referrer = registry.image(app, "", b"signature", subject=about, artifactType="a/signature")
        found = json.loads(registry("GET", f"/v2/app/referrers/{subject}").body)
        assert [(one["digest"], one["artifactType"]) for one in found["manifests"]] == [(referrer, "a/signature")]
        none = json.loads(registry("GET", f"/v2/app/referrers/{subject}?artifactType=b").body)
        assert none["manifests"] == []

    def test_referrers_are_told_with_their_annotations_and_in_pages(
        self, ecr: Any, app: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subject = registry.image(app, "v1")
        about = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
        for number in range(3):
            registry.image(app, "", b"s%d" % number, subject=about, annotations={"n": str(number)})
        found, page = [], ecr.list_image_referrers(repositoryName=app, subjectId={"imageDigest": subject}, maxResults=2)
        assert len(page["referrers"]) == 2
        found += page["referrers"]
        page = ecr.list_image_referrers(
            repositoryName=app, subjectId={"imageDigest": subject}, maxResults=2, nextToken=page["nextToken"]
        )
        assert "nextToken" not in page
        found += page["referrers"]
        assert sorted(one["annotations"]["n"] for one in found) == ["0", "1", "2"]
        monkeypatch.setattr(images, "MAX_ANNOTATIONS_BYTES", 1)
        first = registry("GET", f"/v2/app/referrers/{subject}")
        following = first.headers["link"].partition(";")[0].strip("<>")
        both = [*json.loads(first.body)["manifests"], *json.loads(registry("GET", following).body)["manifests"]]
        assert [one["digest"] for one in both] == sorted(one["digest"] for one in found)[:2]

    def test_a_batch_gives_an_image_once_and_no_more_than_fit_an_answer(
        self, ecr: Any, app: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry.image(app, "v1", b"1")
        registry.image(app, "v2", b"2")
        got = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}] * 100)
        assert len(got["images"]) == 1
        monkeypatch.setattr(images, "MAX_MANIFESTS_BYTES", len(got["images"][0]["imageManifest"]))
        assert ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])["failures"] == []
        both = [{"imageTag": "v1"}, {"imageTag": "v2"}]
        fails(ecr.batch_get_image, "LimitExceededException", repositoryName=app, imageIds=both)

    def test_a_policy_of_an_earlier_version_that_is_none_today_holds_up_no_other(
        self, node: NodeInThread, ecr: Any, app: str, account: str, registry: Registry,
        advance: Callable[[float], None],
    ) -> None:  # fmt: skip
        ecr.create_repository(repositoryName="zz")
        text = LIFECYCLE.replace('"any"', '"any", "unknown": 1')
        ecr.put_lifecycle_policy(repositoryName="zz", lifecyclePolicyText=LIFECYCLE)
        for tag in ("v1", "v2"):
            registry.image("zz", tag, tag.encode())
            advance(60)
        key = Key(account, "us-east-1", app)
        node.call(node.node.store.transact(lambda tx: tables.set_column(tx, key, "lifecycle", text)))
        advance(2 * 3600)
        while len(ecr.list_images(repositoryName="zz")["imageIds"]) > 1:
            pass

    def test_an_image_has_a_limited_number_of_tags(
        self, ecr: Any, app: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(image, "MAX_TAGS", 2)
        for tag in ("v1", "v2"):
            registry.image(app, tag)
        [kept] = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])["images"]
        manifest = kept["imageManifest"]
        fails(ecr.put_image, "LimitExceededException", repositoryName=app, imageManifest=manifest, imageTag="v3")
        registry.image(app, "other", b"other")
        ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageTag": "v2"}])
        ecr.put_image(repositoryName=app, imageManifest=manifest, imageTag="v3")

    def test_a_page_is_read_at_once(self, node: NodeInThread, app: str, registry: Registry, account: str) -> None:
        tagged = registry.image(app, "v1", b"1")
        registry.image(app, "v2", b"1")
        untagged = [registry.image(app, "", b"%d" % number) for number in range(2, 5)]
        key = Key(account, "us-east-1", app)

        def read(reader: Reader) -> None:
            counted = CountingReader(reader)
            details, last = images._details(counted, key, "UNTAGGED", "", 2)
            assert [one["imageDigest"] for one in details] == sorted(untagged)[:2]
            assert last == sorted(untagged)[1]
            details, last = images._details(counted, key, "TAGGED", "", 2)
            assert [(one["imageDigest"], one["imageTags"], last) for one in details] == [(tagged, ["v1", "v2"], "")]
            assert counted.count == 4

        node.call(node.node.store.read(read))

    def test_lists_do_not_read_manifests(self, node: NodeInThread, app: str, registry: Registry, account: str) -> None:
        registry.image(app, "v1")
        key = Key(account, "us-east-1", app)
        [row] = node.call(node.node.store.read(lambda reader: tables.images(reader, key, "", 10)))
        assert not any(isinstance(value, bytes | memoryview) for value in row)

    def test_a_manifest_that_is_said_to_be_something_else_is_refused(
        self, ecr: Any, app: str, registry: Registry
    ) -> None:
        registry.image(app, "v1")
        [image] = ecr.batch_get_image(repositoryName=app, imageIds=[{"imageTag": "v1"}])["images"]
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        answer = registry("PUT", "/v2/app/manifests/v2", image["imageManifest"].encode(), Content_Type=kind)
        assert (answer.status, answer.codes) == (400, ["MANIFEST_INVALID"])
        fails(
            ecr.put_image, "InvalidParameterException",
            repositoryName=app, imageManifest=image["imageManifest"], imageManifestMediaType=kind, imageTag="v2",
        )  # fmt: skip

    def test_images_expire_by_their_policy(
        self, ecr: Any, app: str, registry: Registry, advance: Callable[[float], None]
    ) -> None:
        rule = {
            "rulePriority": 1,
            "selection": {"tagStatus": "tagged", "tagPrefixList": ["old"], "countType": "sinceImagePushed",
                          "countUnit": "days", "countNumber": 5},
            "action": {"type": "expire"},
        }  # fmt: skip
        text = json.dumps({"rules": [rule]}, indent=4)
        registry.image(app, "old-1", b"1")
        registry.image(app, "new-1", b"2")
        ecr.put_lifecycle_policy(repositoryName=app, lifecyclePolicyText=text)
        assert ecr.get_lifecycle_policy(repositoryName=app)["lifecyclePolicyText"] == text
        advance(5 * DAY_S + 7200)
        while (tags := [one["imageTag"] for one in ecr.list_images(repositoryName=app)["imageIds"]]) != ["new-1"]:
            assert sorted(tags) == ["new-1", "old-1"]
        ecr.delete_lifecycle_policy(repositoryName=app)
        assert fails(ecr.get_lifecycle_policy, "LifecyclePolicyNotFoundException", repositoryName=app)


class TestLayers:
    def test_one_is_sent_in_parts_by_the_api(self, ecr: Any, app: str) -> None:
        content = b"0123456789" * 1000
        upload = ecr.initiate_layer_upload(repositoryName=app)["uploadId"]
        for first in (0, 5000):
            answer = ecr.upload_layer_part(
                repositoryName=app, uploadId=upload, partFirstByte=first, partLastByte=first + 4999,
                layerPartBlob=content[first : first + 5000],
            )  # fmt: skip
            assert answer["lastByteReceived"] == first + 4999
        done = ecr.complete_layer_upload(repositoryName=app, uploadId=upload, layerDigests=[digest_of(content)])
        assert done["layerDigest"] == digest_of(content)
        found = ecr.batch_check_layer_availability(repositoryName=app, layerDigests=[digest_of(content)])
        assert (found["layers"][0]["layerAvailability"], found["layers"][0]["layerSize"]) == ("AVAILABLE", 10_000)
        url = ecr.get_download_url_for_layer(repositoryName=app, layerDigest=digest_of(content))["downloadUrl"]
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request("GET", urlsplit(url).path, headers={"Range": "bytes=10-19"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (206, b"0123456789")
        connection.request("GET", urlsplit(url).path[:-2] + "AA")
        refused = connection.getresponse()
        assert (refused.status, refused.read()) == (403, b"")
        connection.close()

    def test_a_part_out_of_its_turn_is_refused(self, ecr: Any, app: str) -> None:
        upload = ecr.initiate_layer_upload(repositoryName=app)["uploadId"]
        part = {"repositoryName": app, "uploadId": upload, "layerPartBlob": b"12345"}
        assert fails(ecr.upload_layer_part, "InvalidLayerPartException", partFirstByte=5, partLastByte=9, **part)
        assert fails(ecr.upload_layer_part, "InvalidLayerPartException", partFirstByte=0, partLastByte=9, **part)
        assert fails(
            ecr.complete_layer_upload, "EmptyUploadException",
            repositoryName=app, uploadId=upload, layerDigests=[digest_of(b"")],
        )  # fmt: skip
        ecr.upload_layer_part(partFirstByte=0, partLastByte=4, **part)
        assert fails(
            ecr.complete_layer_upload, "InvalidLayerException",
            repositoryName=app, uploadId=upload, layerDigests=[digest_of(b"other")],
        )  # fmt: skip
        assert fails(ecr.upload_layer_part, "UploadNotFoundException", partFirstByte=5, partLastByte=9, **part)

    def test_a_layer_that_no_image_needs_is_forgotten(
        self, ecr: Any, app: str, registry: Registry, advance: Callable[[float], None]
    ) -> None:
        unused = registry.upload(app, b"nobody's")
        registry.image(app, "v1", b"somebody's")
        advance(2 * 3600.0)
        found = ecr.batch_check_layer_availability(repositoryName=app, layerDigests=[unused, digest_of(b"somebody's")])
        assert [one["layerAvailability"] for one in found["layers"]] == ["UNAVAILABLE", "AVAILABLE"]


class TestRegistry:
    def test_whoever_has_no_token_is_asked_for_one(self, endpoint: str) -> None:
        nobody = Registry(endpoint, base64.b64encode(b"AWS:x").decode())
        answer = nobody("GET", "/v2/")
        assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])
        assert answer.headers["www-authenticate"].startswith('Basic realm="')
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"

    def test_a_token_ends(self, registry: Registry, advance: Callable[[float], None]) -> None:
        assert registry("GET", "/v2/").status == 200
        advance(12 * 3600.0)
        assert registry("GET", "/v2/").status == 401

    def test_a_blob_is_sent_in_chunks(self, app: str, registry: Registry) -> None:
        begun = registry("POST", "/v2/app/blobs/uploads/")
        place = begun.headers["location"]
        assert begun.status == 202
        first = registry("PATCH", place, b"01234", Content_Range="0-4", Content_Type="application/octet-stream")
        assert (first.status, first.headers["range"]) == (202, "0-4")
        wrong = registry("PATCH", place, b"xx", Content_Range="7-8")
        assert (wrong.status, wrong.headers["range"]) == (416, "0-4")
        assert registry("GET", place).headers["range"] == "0-4"
        done = registry("PUT", f"{place}?digest={digest_of(b'0123456789')}", b"56789")
        assert done.status == 201
        assert registry("GET", done.headers["location"]).body == b"0123456789"
        head = registry("HEAD", done.headers["location"])
        assert (head.status, head.headers["content-length"], head.body) == (200, "10", b"")
        part = registry("GET", done.headers["location"], Range="bytes=2-4")
        assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")

    def test_a_body_larger_than_other_requests_may_be_is_taken(self, app: str, registry: Registry) -> None:
        content = bytes(9 * 1024 * 1024)  # more than two pieces, and each is written when it has come
        digest = registry.upload(app, content)
        assert registry("HEAD", f"/v2/app/blobs/{digest}").headers["content-length"] == str(len(content))

    def test_a_digest_that_is_wrong_is_refused_and_nothing_is_kept(self, app: str, registry: Registry) -> None:
        answer = registry("POST", f"/v2/app/blobs/uploads/?digest={digest_of(b'other')}", b"content")
        assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
        assert registry("HEAD", f"/v2/app/blobs/{digest_of(b'other')}").status == 404
        assert registry("POST", "/v2/app/blobs/uploads/?digest=md5:1", b"content").codes == ["DIGEST_INVALID"]

    def test_a_wrong_digest_is_refused_also_of_a_layer_that_is_there(self, app: str, registry: Registry) -> None:
        there = registry.upload(app, b"there")
        answer = registry("POST", f"/v2/app/blobs/uploads/?digest={there}", b"something else")
        assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
        assert registry("POST", f"/v2/app/blobs/uploads/?digest={there}", b"there").status == 201

    def test_the_last_part_has_its_place_too(self, app: str, registry: Registry) -> None:
        place = registry("POST", "/v2/app/blobs/uploads/").headers["location"]
        assert registry("PATCH", place, b"01234", Content_Range="0-9").status == 416
        assert registry("PATCH", place, b"01234", Content_Range="0-4").status == 202
        end = f"{place}?digest={digest_of(b'0123456789')}"
        assert registry("PUT", end, b"56789", Content_Range="20-24").status == 416
        assert registry("PUT", end, b"56789", Content_Range="5-9").status == 201

    def test_the_end_of_a_blob_can_be_asked_for(self, app: str, registry: Registry) -> None:
        digest = registry.upload(app, b"0123456789")
        for wanted, expected in (("bytes=-3", b"789"), ("bytes=-100", b"0123456789")):
            part = registry("GET", f"/v2/app/blobs/{digest}", Range=wanted)
            assert (part.status, part.body) == (206, expected)

    def test_uploads_that_stand_still_take_a_limited_amount_of_memory(
        self, node: NodeInThread, app: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blob_uploads, "MAX_GATHERED_BYTES", 1_000_000)
        [ecr] = [service for service in node.node.services if isinstance(service, EcrService)]
        content = b"x" * 1_500_000
        connections = []
        for _ in range(5):
            connection = http.client.HTTPConnection(urlsplit(node.endpoint).netloc, timeout=60)
            place = registry("POST", "/v2/app/blobs/uploads/").headers["location"]
            connection.putrequest("PATCH", place)
            connection.putheader("Authorization", registry._headers["Authorization"])
            connection.putheader("Content-Length", "2000000")
            connection.endheaders(content)
            while int(registry("GET", place).headers["range"].partition("-")[2]) < 400_000:
                pass
            connections.append(connection)
        assert 0 <= ecr.uploads.gathered_bytes < 1_500_000
        for connection in connections:
            connection.send(b"y" * 500_000)
            assert connection.getresponse().status == 202
            connection.close()
        assert ecr.uploads.gathered_bytes == 0

    def test_of_a_push_that_broke_off_nothing_is_left(
        self, node: NodeInThread, app: str, registry: Registry, account: str
    ) -> None:
        digest = digest_of(b"x" * 100)
        connection = http.client.HTTPConnection(urlsplit(node.endpoint).netloc, timeout=60)
        connection.putrequest("POST", f"/v2/app/blobs/uploads/?digest={digest}")
        connection.putheader("Authorization", registry._headers["Authorization"])
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"x" * 50)
        while not _uploads(node, account):
            pass
        connection.close()
        while _uploads(node, account):
            pass
        assert registry("POST", f"/v2/app/blobs/uploads/?digest={digest}", b"x" * 100).status == 201

    def test_an_upload_can_be_given_up(self, app: str, registry: Registry) -> None:
        place = registry("POST", "/v2/app/blobs/uploads/").headers["location"]
        assert registry("DELETE", place).status == 204
        answer = registry("PATCH", place, b"x")
        assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])

    def test_a_layer_is_taken_from_another_repository(self, ecr: Any, app: str, registry: Registry) -> None:
        ecr.create_repository(repositoryName="other")
        digest = registry.upload(app, b"shared")
        answer = registry("POST", f"/v2/other/blobs/uploads/?mount={digest}&from=app")
        assert answer.status == 201
        assert registry("GET", f"/v2/other/blobs/{digest}").body == b"shared"
        missing = registry("POST", f"/v2/other/blobs/uploads/?mount={digest_of(b'none')}&from=app")
        assert missing.status == 202

    def test_tags_and_repositories_are_listed_in_pages(self, app: str, registry: Registry) -> None:
        for tag in ("v1", "v2", "v3"):
            registry.image(app, tag, tag.encode())
        page = registry("GET", "/v2/app/tags/list?n=2")
        assert json.loads(page.body) == {"name": "app", "tags": ["v1", "v2"]}
        following = page.headers["link"].partition(";")[0].strip("<>")
        assert json.loads(registry("GET", following).body)["tags"] == ["v3"]
        assert json.loads(registry("GET", "/v2/_catalog").body) == {"repositories": ["app"]}

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/v2/none/manifests/v1", 404, "NAME_UNKNOWN"),
            ("GET", "/v2/app/manifests/v1", 404, "MANIFEST_UNKNOWN"),
            ("GET", "/v2/app/manifests/-bad", 400, "TAG_INVALID"),
            ("GET", f"/v2/app/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
            ("GET", "/v2/app/blobs/sha256:0", 400, "DIGEST_INVALID"),
            ("POST", "/v2/none/blobs/uploads/", 404, "NAME_UNKNOWN"),
            ("GET", "/v2/UPPER/manifests/v1", 400, "NAME_INVALID"),
            ("GET", "/v2/../app/manifests/v1", 400, "NAME_INVALID"),
            ("DELETE", f"/v2/app/blobs/sha256:{'0' * 64}", 405, "UNSUPPORTED"),
            ("GET", "/v2/app/something", 404, "UNSUPPORTED"),
            ("PUT", "/v2/app/manifests/v1", 400, "MANIFEST_INVALID"),
        ],
    )
    def test_errors_are_the_protocols(
        self, app: str, registry: Registry, method: str, path: str, status: int, code: str
    ) -> None:
        answer = registry(method, path, b"{}" if method == "PUT" else None)
        assert (answer.status, answer.codes) == (status, [code])

    def test_a_host_names_the_account_and_the_region(self, endpoint: str, client: MakeClient, account: str) -> None:
        west = client("ecr", region="eu-west-1")
        west.create_repository(repositoryName="there")
        host = f"{account}.dkr.ecr.eu-west-1.localhost:4566"
        registry = Registry(endpoint, token_of(client("ecr")), host)
        assert json.loads(registry("GET", "/v2/_catalog").body) == {"repositories": ["there"]}

    def test_other_services_keep_their_paths(self, endpoint: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(endpoint).netloc)
        scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/apigateway/aws4_request"
        connection.request("GET", "/v2/apis", headers={"Authorization": scope})
        answer = connection.getresponse()
        assert b"Authorization header requires" in answer.read()
        connection.close()


class TestPermissions:
    def test_a_token_is_good_for_what_its_principal_may(self, endpoint: str, app: str, role: Role) -> None:
        role.grant(allow("ecr:GetAuthorizationToken"))
        registry = Registry(endpoint, token_of(role.client("ecr")))
        answer = registry("POST", "/v2/app/blobs/uploads/")
        assert (answer.status, answer.codes) == (403, ["DENIED"])
        assert b"is not authorized to perform: ecr:InitiateLayerUpload" in answer.body
        role.grant(allow(["ecr:GetAuthorizationToken", "ecr:InitiateLayerUpload", "ecr:BatchCheckLayerAvailability"]))
        place = registry("POST", "/v2/app/blobs/uploads/").headers["location"]
        assert registry("PATCH", place, b"x").codes == ["DENIED"]
        assert registry("GET", "/v2/app/manifests/v1").codes == ["DENIED"]

    def test_another_account_needs_the_repositorys_policy(
        self, endpoint: str, client: MakeClient, ecr: Any, app: str, registry: Registry, account: str
    ) -> None:
        registry.image(app, "v1")
        other = fresh_account()
        theirs = client("ecr", account=other)
        host = f"{account}.dkr.ecr.us-east-1.localhost:4566"
        stranger = Registry(endpoint, token_of(theirs), host)
        assert stranger("GET", "/v2/app/manifests/v1").codes == ["DENIED"]
        assert fails(theirs.list_images, "AccessDeniedException", repositoryName=app, registryId=account)
        statement = {"Effect": "Allow", "Principal": {"AWS": other}, "Action": "ecr:BatchGetImage"}
        ecr.set_repository_policy(repositoryName=app, policyText=document(statement))
        assert stranger("GET", "/v2/app/manifests/v1").status == 200
        ecr.delete_repository_policy(repositoryName=app)
        assert stranger("GET", "/v2/app/manifests/v1").codes == ["DENIED"]
        assert fails(ecr.get_repository_policy, "RepositoryPolicyNotFoundException", repositoryName=app)

    @pytest.mark.parametrize("text", ["{}", "x", '{"Statement":[]}', '{"Statement":{"Effect":"Allow"}}'])
    def test_a_policy_that_is_none_is_refused(self, ecr: Any, app: str, text: str) -> None:
        assert fails(ecr.set_repository_policy, "InvalidParameterException", repositoryName=app, policyText=text)


def test_skopeo_pushes_and_pulls(endpoint: str, ecr: Any, app: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.image("v1", [tar([("a", "1")]), tar([("b", "2")])])
    skopeo, host = program("skopeo"), urlsplit(endpoint).netloc
    auth = tmp_path / "auth.json"
    password = base64.b64decode(token_of(ecr)).decode().partition(":")[2]
    run(skopeo, "login", "--tls-verify=false", "--authfile", auth, "-u", "AWS", "-p", password, host)
    options = ("--authfile", auth)
    run(skopeo, "copy", *options, "--dest-tls-verify=false", layout.reference("v1"), f"docker://{host}/app:v1")
    run(
        skopeo, "copy", *options, "--dest-tls-verify=false", "--format", "v2s2", layout.reference("v1"),
        f"docker://{host}/app:docker",
    )  # fmt: skip
    for tag in ("v1", "docker"):
        target = tmp_path / tag
        run(skopeo, "copy", *options, "--src-tls-verify=false", f"docker://{host}/app:{tag}", f"dir:{target}")
        assert (target / "manifest.json").exists()
    tags = json.loads(run(skopeo, "list-tags", *options, "--tls-verify=false", f"docker://{host}/app"))["Tags"]
    assert tags == ["docker", "v1"]
    run(skopeo, "delete", *options, "--tls-verify=false", f"docker://{host}/app:docker")
    assert len(ecr.list_images(repositoryName=app)["imageIds"]) == 1


def test_buildah_builds_and_pushes(endpoint: str, ecr: Any, app: str, tmp_path: Path) -> None:
    """On a file system of its own kind (vfs): what overlay needs is not everywhere where tests run."""
    layout = Layout(tmp_path / "layout")
    layout.image("v1", [tar([("a", "1")])], Cmd=["a"])
    place = ("--storage-driver", "vfs", "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"))
    buildah, host = program("buildah"), urlsplit(endpoint).netloc
    if os.geteuid() != 0:
        pytest.skip("buildah wants a range of users, or to be root")
    run(buildah, *place, "pull", layout.reference("v1"))
    image = run(buildah, *place, "images", "--quiet").split()[0]
    container = run(buildah, *place, "from", image).strip()
    (tmp_path / "added").write_text("2")
    run(buildah, *place, "copy", container, tmp_path / "added", "/b")
    run(buildah, *place, "config", "--entrypoint", '["/b"]', container)
    built = run(buildah, *place, "commit", container, "built").strip().splitlines()[-1]
    password = base64.b64decode(token_of(ecr)).decode().partition(":")[2]
    login = ("--tls-verify=false", "--creds", f"AWS:{password}")
    run(buildah, *place, "push", *login, built, f"docker://{host}/app:built")
    [image_id] = ecr.list_images(repositoryName=app)["imageIds"]
    assert image_id["imageTag"] == "built"
    [image_data] = ecr.batch_get_image(repositoryName=app, imageIds=[image_id])["images"]
    assert len(json.loads(image_data["imageManifest"])["layers"]) == 2
