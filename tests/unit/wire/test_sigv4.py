"""What the vectors do not show: queries, S3's rules, dates, and headers that cannot be read."""

from typing import Any

import pytest

from cloudlet.wire import sigv4
from cloudlet.wire.http import HttpRequest

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
SIGNED = "host;range;x-amz-content-sha256;x-amz-date"
SIGNATURE = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def _request(authorization: str | None = None, query: str = "", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if authorization is not None:
        named["authorization"] = authorization
    return HttpRequest("GET", "/test.txt", query, {"host": "examplebucket.s3.amazonaws.com", **named})


def _claim(request: HttpRequest) -> sigv4.Claim:
    claim = sigv4.claim(request)
    assert claim is not None
    return claim


def _s3_example() -> HttpRequest:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Object"."""
    return _request(
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={SIGNED},Signature={SIGNATURE}",
        range="bytes=0-9",
        x_amz_content_sha256=sigv4.EMPTY_SHA256,
        x_amz_date="20130524T000000Z",
    )


def test_the_example_of_s3s_documentation_is_verified() -> None:
    request = _s3_example()
    assert sigv4.verify(request, _claim(request), SECRET, sigv4.EMPTY_SHA256, is_s3=True)


def test_the_presigned_example_of_s3s_documentation_is_verified() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""
    request = _request(
        query="X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    claim = _claim(request)
    assert claim.presigned
    assert claim.expires == "86400"
    assert sigv4.verify(request, claim, SECRET, sigv4.UNSIGNED_PAYLOAD, is_s3=True)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("method", "PUT"),
        ("raw_path", "/test.text"),
        ("query_string", "versionId=1"),
        ("headers", {"range": "bytes=0-99"}),
        ("headers", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
        ("headers", {"host": "another.s3.amazonaws.com"}),
    ],
)
def test_what_was_signed_cannot_be_changed(change: str, value: Any) -> None:
    request = _s3_example()
    setattr(request, change, {**request.headers, **value} if change == "headers" else value)
    assert not sigv4.verify(request, _claim(request), SECRET, sigv4.EMPTY_SHA256, is_s3=True)


def test_a_signed_header_cannot_be_removed() -> None:
    request = _s3_example()
    request.headers = {name: value for name, value in request.headers.items() if name != "range"}
    assert not sigv4.verify(request, _claim(request), SECRET, sigv4.EMPTY_SHA256, is_s3=True)


@pytest.mark.parametrize("part", [1, 2, 3])
def test_the_scope_cannot_be_changed(part: int) -> None:
    request = _s3_example()
    parts = CREDENTIAL.split("/")
    parts[part] = {1: "20130525", 2: "eu-west-1", 3: "sqs"}[part]
    request.headers = {
        **request.headers,
        "authorization": request.headers["authorization"].replace(CREDENTIAL, "/".join(parts)),
    }
    assert not sigv4.verify(request, _claim(request), SECRET, sigv4.EMPTY_SHA256, is_s3=True)


@pytest.mark.parametrize("signature", ["", "é" * 64, SIGNATURE.upper(), SIGNATURE[:-1], SIGNATURE + "0"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    request = _s3_example()
    assert not sigv4.verify(
        request, _claim(request)._replace(signature=signature), SECRET, sigv4.EMPTY_SHA256, is_s3=True
    )


def test_a_request_without_a_signature_claims_nothing() -> None:
    assert sigv4.claim(_request()) is None
    assert sigv4.claim(_request(query="X-Amz-Meta=1&list-type=2")) is None


def test_the_parts_of_a_claim_are_read_in_any_order() -> None:
    claim = _claim(
        _request(f"AWS4-HMAC-SHA256 Signature=ab, SignedHeaders=host;x-amz-date ,Credential={CREDENTIAL}", date="x")
    )
    assert claim.credential.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert claim.credential.scope == "20130524/us-east-1/s3/aws4_request"
    assert claim.signed_headers == ("host", "x-amz-date")
    assert claim.signature == "ab"
    assert claim.timestamp == "x"


def test_a_session_token_is_part_of_the_claim() -> None:
    header = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=00"
    assert _claim(_request(header, x_amz_security_token="token")).session_token == "token"
    query = "&".join(f"{name}=AWS4-HMAC-SHA256" for name in sigv4.PRESIGNED_PARAMETERS) + "&X-Amz-Security-Token=a%2Fb"
    assert _claim(_request(query=query)).session_token == "a/b"


@pytest.mark.parametrize("text", ["", "test", "a/b/c/d", "a/b/c/d/e/f"])
def test_a_credential_of_another_form_has_only_an_access_key(text: str) -> None:
    credential = sigv4.parse_credential(text)
    assert credential == (text.partition("/")[0], "", "", "", "", text)


@pytest.mark.parametrize(
    ("authorization", "missing"),
    [
        ("AWS4-HMAC-SHA256 Credential=a", ("Signature", "SignedHeaders")),
        (f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, Signature=00", ("SignedHeaders",)),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00", ("Credential",)),
    ],
)
def test_missing_parameters_are_named(authorization: str, missing: tuple[str, ...]) -> None:
    with pytest.raises(sigv4.SignatureFormatError) as caught:
        sigv4.claim(_request(authorization))
    assert caught.value.missing == missing


@pytest.mark.parametrize("authorization", ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a, b"])
def test_what_is_no_pair_is_told(authorization: str) -> None:
    with pytest.raises(sigv4.SignatureFormatError, match="not a valid key=value pair"):
        sigv4.claim(_request(authorization))


@pytest.mark.parametrize("algorithm", ["AWS", "Basic", "Bearer", "AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA512", ""])
def test_other_algorithms_are_told(algorithm: str) -> None:
    with pytest.raises(sigv4.SignatureFormatError) as caught:
        sigv4.claim(_request(f"{algorithm} Credential={CREDENTIAL}, SignedHeaders=host, Signature=00"))
    assert caught.value.algorithm == algorithm.strip() or not algorithm


def test_a_presigned_request_needs_all_its_parameters() -> None:
    with pytest.raises(sigv4.SignatureFormatError) as caught:
        sigv4.claim(_request(query="X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a"))
    assert caught.value.missing == ("X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")


@pytest.mark.parametrize(
    ("raw_path", "signed", "signed_by_s3"),
    [
        ("", "/", "/"),
        ("/", "/", "/"),
        ("/a/b.txt", "/a/b.txt", "/a/b.txt"),
        ("/a//b/./../c/", "/a/c/", "/a//b/./../c/"),
        ("/../..", "/", "/../.."),
        ("/a%20b", "/a%2520b", "/a%20b"),
        ("/a b", "/a%20b", "/a%20b"),
        ("/key(1)+2", "/key%281%29%2B2", "/key%281%29%2B2"),
        ("/%e1%88%b4", "/%25e1%2588%25b4", "/%E1%88%B4"),
        ("/caf\xc3\xa9", "/caf%C3%A9", "/caf%C3%A9"),
        ("/.hidden", "/.hidden", "/.hidden"),
    ],
)
def test_paths_are_signed_as_the_service_does(raw_path: str, signed: str, signed_by_s3: str) -> None:
    assert sigv4.canonical_path(raw_path, is_s3=False) == signed
    assert sigv4.canonical_path(raw_path, is_s3=True) == signed_by_s3


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("", ""),
        ("a=b", "a=b"),
        ("acl", "acl="),
        ("b=2&a=1&a=0", "a=0&a=1&b=2"),
        ("a=b=c", "a=b%3Dc"),
        ("a==", "a=%3D"),
        ("&&a=1&", "a=1"),
        ("a=%2f&b=+", "a=%2F&b=%2B"),
        ("X-Amz-Signature=1&X-Amz-Date=2", "X-Amz-Date=2"),
        ("X-Amz-Signature=1", ""),
        ("prefix=caf\xc3\xa9", "prefix=caf%C3%A9"),
    ],
)
def test_queries_are_signed_in_order_and_encoded(query: str, signed: str) -> None:
    assert sigv4.canonical_query(query) == signed


def test_header_values_are_trimmed_and_their_spaces_counted_once() -> None:
    headers = {"a": "  x   y  ", "b": "x\t \ty", "c": "caf\xc3\xa0"}
    assert sigv4.canonical_headers(headers, ("a", "b", "c", "d")) == "a:x y\nb:x y\nc:caf\xc3\xa0\nd:\n"


def test_the_date_header_stands_in_for_the_dates_own_one() -> None:
    header = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host;date, Signature=00"
    assert _claim(_request(header, date="Fri, 24 May 2013 02:00:00 +0200")).timestamp == "20130524T000000Z"
    assert _claim(_request(header, date="20130524T000000Z")).timestamp == "20130524T000000Z"
    assert _claim(_request(header)).timestamp == ""


def test_timestamps_become_seconds() -> None:
    assert sigv4.epoch("20150830T123600Z") == 1440938160
    assert sigv4.basic_format(1440938160) == "20150830T123600Z"
    for text in ("20150830", "2015-08-30T12:36:00Z", "20151330T123600Z", ""):
        with pytest.raises(ValueError, match=r"not in basic format|does not match|unconverted|out of range"):
            sigv4.epoch(text)


def test_the_key_of_the_documentation_is_derived() -> None:
    """https://docs.aws.amazon.com/general/latest/gr/signature-v4-examples.html"""
    key = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
