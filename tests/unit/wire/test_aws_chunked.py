"""Bodies in chunks: AWS's documented examples, and everything that can be wrong with one."""

import pytest

from cloudlet.errors import ServiceError
from cloudlet.wire import aws_chunked, sigv4
from cloudlet.wire.aws_chunked import ChunkedDecoder, ChunkSigner, decode_body

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = sigv4.signing_key(SECRET, "20130524", "us-east-1", "s3")
SCOPE = "20130524/us-east-1/s3/aws4_request"
CONTENT = b"a" * 66560
Headers = dict[str, str]


def _signer(seed: str) -> ChunkSigner:
    return ChunkSigner(KEY, "20130524T000000Z", SCOPE, seed)


def _chunks(*chunks: tuple[bytes, str]) -> bytes:
    return b"".join(
        b"%x;chunk-signature=%s\r\n%s" % (len(content), signature.encode(), content + b"\r\n" if content else b"")
        for content, signature in chunks
    )


# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
FIRST = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
SECOND = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
LAST = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
SIGNED = _chunks((CONTENT[:65536], FIRST), (CONTENT[65536:], SECOND), (b"", LAST)) + b"\r\n"

# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
TRAILER_SIGNATURES = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILER = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)
WITH_TRAILER = _chunks(*zip((CONTENT[:65536], CONTENT[65536:], b""), TRAILER_SIGNATURES, strict=True)) + TRAILER


def _headers(mode: str, length: int = len(CONTENT), trailer: str = "") -> Headers:
    headers = {"x-amz-content-sha256": mode, "x-amz-decoded-content-length": str(length)}
    return headers | ({"x-amz-trailer": trailer} if trailer else {})


SIGNED_HEADERS = _headers(sigv4.STREAMING_SIGNED)
TRAILER_HEADERS = _headers(sigv4.STREAMING_SIGNED_TRAILER, trailer="x-amz-checksum-crc32c")
UNSIGNED_HEADERS = _headers(sigv4.STREAMING_UNSIGNED_TRAILER, 11, trailer="x-amz-checksum-crc32")
UNSIGNED = b"6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


def test_the_signed_chunks_of_the_documentation_are_decoded() -> None:
    assert decode_body(SIGNED, SIGNED_HEADERS, _signer(SEED)) == (CONTENT, {})


def test_the_signed_trailer_of_the_documentation_is_decoded() -> None:
    decoded = decode_body(WITH_TRAILER, TRAILER_HEADERS, _signer(TRAILER_SEED))
    assert decoded == (CONTENT, {"x-amz-checksum-crc32c": "sOO8/Q=="})


def test_unsigned_chunks_with_a_trailer_are_decoded() -> None:
    assert decode_body(UNSIGNED, UNSIGNED_HEADERS, _signer(SEED)) == (
        b"hello world",
        {"x-amz-checksum-crc32": "DUoRhQ=="},
    )


def test_signatures_are_read_but_not_checked_without_a_signer() -> None:
    assert decode_body(SIGNED.replace(FIRST.encode(), b"0" * 64), SIGNED_HEADERS, None) == (CONTENT, {})


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_it_does_not_matter_how_the_bytes_come(step: int) -> None:
    decoder = ChunkedDecoder(sigv4.STREAMING_SIGNED, len(CONTENT), signer=_signer(SEED))
    parts = [decoder.feed(SIGNED[start : start + step]) for start in range(0, len(SIGNED), step)]
    decoder.finish()
    assert b"".join(parts) == CONTENT


def test_content_is_given_out_before_its_chunk_is_there_as_a_whole() -> None:
    decoder = ChunkedDecoder(sigv4.STREAMING_SIGNED, len(CONTENT), signer=_signer(SEED))
    assert len(decoder.feed(SIGNED[:10_000])) > 9_000


def test_an_empty_body_is_decoded() -> None:
    body = b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    headers = UNSIGNED_HEADERS | {"x-amz-decoded-content-length": "0"}
    assert decode_body(body, headers, None) == (b"", {"x-amz-checksum-crc32": "AAAAAA=="})


@pytest.mark.parametrize("name", ["first", "second", "last", "seed", "content", "order"])
def test_a_broken_chain_is_refused(name: str) -> None:
    body, seed = SIGNED, SEED
    match name:
        case "first":
            body = SIGNED.replace(FIRST.encode(), SECOND.encode())
        case "second":
            body = SIGNED.replace(SECOND.encode(), FIRST.encode())
        case "last":
            body = SIGNED.replace(LAST.encode(), LAST[::-1].encode())
        case "seed":
            seed = SEED[::-1]
        case "content":
            body = SIGNED.replace(b"\r\naa", b"\r\nba", 1)
        case "order":
            head = _chunks((CONTENT[:65536], FIRST))
            body = SIGNED.replace(head, head + head, 1)
    headers = SIGNED_HEADERS | {"x-amz-decoded-content-length": "132096"} if name == "order" else SIGNED_HEADERS
    with pytest.raises(aws_chunked.ChunkSignatureDoesNotMatch):
        decode_body(body, headers, _signer(seed))


@pytest.mark.parametrize(
    "trailer",
    [
        TRAILER.replace(b"sOO8", b"sOO9"),
        TRAILER.replace(b"d81f", b"d81e"),
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n",
    ],
)
def test_a_changed_trailer_is_refused(trailer: bytes) -> None:
    body = WITH_TRAILER.removesuffix(TRAILER) + trailer
    with pytest.raises(aws_chunked.ChunkSignatureDoesNotMatch):
        decode_body(body, TRAILER_HEADERS, _signer(TRAILER_SEED))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", aws_chunked.IncompleteBody),
        (b"6\r\nhello ", aws_chunked.IncompleteBody),
        (b"b\r\nhello world\r\n", aws_chunked.IncompleteBody),
        (b"6\r\nhello \r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", aws_chunked.IncompleteBody),
        (b"c\r\nhello world!\r\n0\r\n", aws_chunked.IncompleteBody),
        (b"ffffffffffffffff\r\nhello", aws_chunked.IncompleteBody),
        (b"g\r\n", aws_chunked.InvalidRequest),
        (b"-1\r\n", aws_chunked.InvalidRequest),
        (b"\r\n", aws_chunked.InvalidRequest),
        (b"fffffffffffffffff\r\n", aws_chunked.InvalidRequest),
        (b"6;chunk-signature=00\r\nhello \r\n", aws_chunked.InvalidRequest),
        (b"6\r\nhello world\r\n", aws_chunked.InvalidRequest),
        (b"6" * 2000, aws_chunked.InvalidRequest),
        (b"\xff\xfe" * 10 + b"\r\n", aws_chunked.InvalidRequest),
        (UNSIGNED.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-sha1:"), aws_chunked.MalformedTrailer),
        (UNSIGNED.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-crc32"), aws_chunked.MalformedTrailer),
        (b"b\r\nhello world\r\n0\r\n\r\n", aws_chunked.MalformedTrailer),
        (b"b\r\nhello world\r\n0\r\n" + b"x" * 20_000, aws_chunked.MalformedTrailer),
    ],
)
def test_a_malformed_body_is_the_clients_error(body: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error) as caught:
        decode_body(body, UNSIGNED_HEADERS, None)
    assert caught.value.sender_fault


@pytest.mark.parametrize("length", ["", "-1", "1.5", "x", "9" * 20])
def test_the_decoded_length_has_to_be_told(length: str) -> None:
    with pytest.raises(aws_chunked.MissingContentLength):
        decode_body(UNSIGNED, UNSIGNED_HEADERS | {"x-amz-decoded-content-length": length}, None)


def test_chunks_signed_with_v4a_are_not_supported() -> None:
    with pytest.raises(aws_chunked.InvalidRequest, match="is not supported"):
        decode_body(b"", _headers("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), None)


@pytest.mark.parametrize(("size", "is_refused"), [(8192, False), (8191, True)])
def test_only_the_last_signed_chunk_may_be_small(size: int, *, is_refused: bool) -> None:
    body = _chunks((b"a" * size, ""), (b"b", ""), (b"", "")) + b"\r\n"
    headers = _headers(sigv4.STREAMING_SIGNED, size + 1)
    if is_refused:
        with pytest.raises(aws_chunked.InvalidChunkSize):
            decode_body(body, headers, None)
    else:
        assert decode_body(body, headers, None) == (b"a" * size + b"b", {})
