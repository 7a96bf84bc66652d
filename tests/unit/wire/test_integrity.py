import base64
import gzip
import hashlib
import zlib

import pytest

from cloudlet.errors import RequestTooLarge, SerializationError, ServiceError
from cloudlet.wire import integrity
from tests.support.wire import decode, request, service, structure

BODY = b'{"Text":"hello"}'
CHECKED = service(input_shape=structure(Text="String"), traits={"httpChecksum": {"requestChecksumRequired": False}})
MD5 = service(input_shape=structure(Text="String"), traits={"httpChecksumRequired": True})
COMPRESSED = service(input_shape=structure(Text="String"), traits={"requestcompression": {"encodings": ["gzip"]}})
PLAIN = service(input_shape=structure(Text="String"))


def encoded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("header", "digest"),
    [
        ("x_amz_checksum_crc32", zlib.crc32(BODY).to_bytes(4, "big")),
        ("x_amz_checksum_sha1", hashlib.sha1(BODY).digest()),
        ("x_amz_checksum_sha256", hashlib.sha256(BODY).digest()),
        ("content_md5", hashlib.md5(BODY).digest()),
    ],
)
def test_a_checksum_must_be_that_of_the_body(header: str, digest: bytes) -> None:
    assert decode(CHECKED, request(BODY, **{header: encoded(digest)})) == {"Text": "hello"}
    with pytest.raises(integrity.BadDigest):
        decode(CHECKED, request(BODY + b" ", **{header: encoded(digest)}))


def test_what_is_no_checksum_is_refused() -> None:
    with pytest.raises(integrity.InvalidChecksum, match="x-amz-checksum-crc32"):
        decode(CHECKED, request(BODY, x_amz_checksum_crc32="?"))
    with pytest.raises(integrity.InvalidDigest):
        decode(MD5, request(BODY, content_md5=encoded(b"short")))


def test_checksums_that_are_not_known_are_not_looked_at() -> None:
    assert decode(CHECKED, request(BODY, x_amz_checksum_crc32c="AAAAAA==")) == {"Text": "hello"}


def test_operations_without_checksums_do_not_look_at_them() -> None:
    assert decode(PLAIN, request(BODY, content_md5="?")) == {"Text": "hello"}


@pytest.mark.parametrize("encoding", ["gzip", "custom, gzip"])
def test_a_compressed_body_is_inflated(encoding: str) -> None:
    assert decode(COMPRESSED, request(gzip.compress(BODY, mtime=0), content_encoding=encoding)) == {"Text": "hello"}


def test_a_body_is_inflated_only_when_it_says_so() -> None:
    assert decode(COMPRESSED, request(BODY)) == {"Text": "hello"}


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(BODY, mtime=0)[:-9]])
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(SerializationError):
        decode(COMPRESSED, request(body, content_encoding="gzip"))


@pytest.mark.parametrize(("size", "refused"), [(0, None), (1, RequestTooLarge)])
def test_an_inflated_body_has_a_limit(size: int, refused: type[ServiceError] | None) -> None:
    body = gzip.compress(b" " * (integrity.MAXIMUM_INFLATED_BYTES + size))
    if refused is None:
        assert len(integrity.inflate(body)) == integrity.MAXIMUM_INFLATED_BYTES
    else:
        with pytest.raises(refused):
            integrity.inflate(body)
