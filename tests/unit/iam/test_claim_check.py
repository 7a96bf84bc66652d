"""Whatever a client sends, it is refused in words or verified: never a failure of ours."""

from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudlet.errors import ServiceError
from cloudlet.iam.claim_check import ClaimCheck, is_region
from cloudlet.iam.refusal import AuthenticationError
from cloudlet.iam.s3_claim_check import S3ClaimCheck
from cloudlet.wire import sigv4
from cloudlet.wire.http import HttpRequest

NOW = 1440938160.0
BYTES = st.text(st.characters(max_codepoint=255), max_size=20)
PARTS = st.one_of(
    BYTES, st.sampled_from(["AKIA/20150830/us-east-1/s3/aws4_request", "host", "x-amz-date", "0" * 64, ""])
)
AUTHORIZATIONS = st.one_of(
    BYTES,
    st.builds("AWS4-HMAC-SHA256 Credential={},SignedHeaders={},Signature={}".format, PARTS, PARTS, PARTS),
    st.builds("{} Credential={}".format, BYTES, PARTS),
)
HEADERS = st.dictionaries(
    st.sampled_from(["host", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-acl"]),
    st.one_of(BYTES, st.sampled_from(["20150830T123600Z", "99999999T999999Z", sigv4.EMPTY_SHA256, "UNSIGNED-PAYLOAD"])),
)
QUERIES = st.lists(
    st.builds(
        "{}={}".format,
        st.sampled_from([*sigv4.PRESIGNED_PARAMETERS, "X-Amz-Expires", "X-Amz-Content-Sha256", "a", "%"]),
        st.one_of(PARTS, st.sampled_from(["AWS4-HMAC-SHA256", "20150830T123600Z", "60", "%zz", "-1", "9" * 30])),
    ),
    max_size=8,
).map("&".join)


def _checks(request: HttpRequest) -> list[ClaimCheck]:
    general = [ClaimCheck(request, "logs", family) for family in ("query", "json", "rest-json", "ec2")]
    return [*general, S3ClaimCheck(request, "s3", "s3")]


def _run(check: ClaimCheck) -> ServiceError:
    """All steps in their order, until one refuses; the last one always does."""
    try:
        claim = check.claim()
        check.time(claim, NOW)
        check.scope(claim)
        payload_hash = check.payload_word(claim)
        if payload_hash is None:
            payload_hash = sha256(check.request.body).hexdigest()
            check.check_payload(claim, payload_hash)
        assert not sigv4.verify(check.request, claim, "secret", payload_hash, is_s3=check.is_s3)
    except AuthenticationError as error:
        return error
    return check.mismatch(claim, payload_hash)


@given(st.one_of(st.none(), AUTHORIZATIONS), HEADERS, QUERIES, BYTES, BYTES)
@example("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=", {"date": "\x00"}, "", "/", "x")
def test_any_request_is_refused_in_words(
    authorization: str | None, headers: dict[str, str], query: str, path: str, body: str
) -> None:
    if authorization is not None:
        headers = {**headers, "authorization": authorization}
    request = HttpRequest("POST", path, query, headers, body.encode())
    for check in _checks(request):
        error = _run(check)
        assert 400 <= error.status < 500
        assert error.code
        assert error.message


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("us-east-1", True),
        ("us-gov-west-1", True),
        ("ap-southeast-12", True),
        ("local", False),
        ("", False),
        ("us-east-1\n", False),
        ("US-EAST-1", False),
        ("us-east-1/../x", False),
    ],
)
def test_a_region_has_a_form(name: str, *, is_one: bool) -> None:
    assert is_region(name) is is_one
