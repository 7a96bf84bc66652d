"""Who sent a request: requests that botocore signed, and what becomes of them on their way."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import botocore
import pytest

from cloudlet.errors import ServiceError
from cloudlet.iam.authenticate import Authenticated, Authenticator, Target
from cloudlet.iam.principals import Principal
from cloudlet.iam.unsigned import ANONYMOUS, OPTIONAL, UNSIGNED
from cloudlet.wire import sigv4
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.model import ServiceModels
from tests.support.iam_world import ACCOUNT, IamWorld, iam_world
from tests.support.signing import signed

STS = Target("sts", "sts", "query", "GetCallerIdentity")
LOGS = Target("logs", "logs", "json", "DescribeLogGroups")
LAMBDA = Target("lambda", "lambda", "rest-json", "ListFunctions")
EC2 = Target("ec2", "ec2", "ec2", "DescribeVpcs")
SQS = Target("sqs", "sqs", "json", "SendMessage")
SQS_FORM = Target("sqs", "sqs", "query", "SendMessage")
S3 = Target("s3", "s3", "rest-xml", "GetObject")
TARGETS = (STS, LOGS, LAMBDA, EC2, S3)
DAY_S = 86400.0


@dataclass
class Gate:
    """An authenticator, and what is needed to sign for it."""

    world: IamWorld
    authenticator: Authenticator
    root: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.world.credentials.root_key

    def session(self, duration_s: int = 900) -> tuple[str, str, str]:
        """The credentials of a session."""
        role = Principal("assumed-role", ACCOUNT, "arn:aws:sts::1:assumed-role/r/s", "AROAX:s", role_arn="r")
        issued = self.world.credentials.issue(role, duration_s)
        return issued.access_key_id, issued.secret_access_key, issued.session_token

    def sign(
        self, target: Target, key: tuple[str, ...] | None = None, offset_s: float = 0.0, **how: Any
    ) -> HttpRequest:
        """A request to `target`, signed with the root key now unless told otherwise."""
        moment = self.world.clock.wall() + offset_s
        return signed(key or self.root, moment, service=target.signing_name, **how)

    async def admit(self, request: HttpRequest, target: Target = STS, *, sandboxed: bool = False) -> Authenticated:
        """What the authenticator says."""
        return await self.authenticator.authenticate(request, target, sandboxed=sandboxed)

    async def refuse(self, request: HttpRequest, target: Target = STS) -> ServiceError:
        """The error that it refuses `request` with."""
        with pytest.raises(ServiceError) as caught:
            await self.authenticator.authenticate(request, target)
        return caught.value


@pytest.fixture
async def gate(data_folder: Path) -> AsyncIterator[Gate]:
    """An authenticator in dev mode."""
    async with iam_world(data_folder) as world:
        yield Gate(world, Authenticator(world.config, world.credentials, world.clock))


def _with_header(request: HttpRequest, name: str, value: str | None) -> HttpRequest:
    headers = {known: text for known, text in request.headers.items() if known != name}
    request.headers = headers if value is None else {**headers, name: value}
    return request


def _change(request: HttpRequest, name: str, old: str, new: str) -> HttpRequest:
    assert old in request.headers[name]
    return _with_header(request, name, request.headers[name].replace(old, new))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.service)
async def test_a_signed_request_is_its_signers(gate: Gate, target: Target) -> None:
    caller = await gate.admit(gate.sign(target, region="eu-west-1"), target)
    assert caller == Authenticated(Principal.root("000000000000", gate.root[0]), "eu-west-1", target.signing_name)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.service)
async def test_a_session_is_its_role(gate: Gate, target: Target) -> None:
    caller = await gate.admit(gate.sign(target, gate.session()), target)
    assert caller.principal.kind == "assumed-role"
    assert caller.principal.account == ACCOUNT


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.service)
async def test_a_presigned_request_is_its_signers(gate: Gate, target: Target) -> None:
    for key in (gate.root, gate.session()):
        request = gate.sign(target, key, method="GET", path="/?Action=GetCallerIdentity", body=b"", expires=60)
        assert (await gate.admit(request, target)).principal.access_key_id == key[0]


@pytest.mark.parametrize(
    ("target", "code", "status", "message"),
    [
        (STS, "SignatureDoesNotMatch", 403, "Consult the service documentation for details."),
        (LOGS, "InvalidSignatureException", 400, "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n"),
        (LAMBDA, "InvalidSignatureException", 403, "The Canonical String for this request should have been\n'POST\n/"),
        (EC2, "AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
        (S3, "SignatureDoesNotMatch", 403, "Check your key and signing method."),
    ],
    ids=lambda value: value.service if isinstance(value, Target) else "",
)
async def test_a_wrong_secret_is_refused(gate: Gate, target: Target, code: str, status: int, message: str) -> None:
    error = await gate.refuse(gate.sign(target, (gate.root[0], "wrong")), target)
    assert (error.code, error.status) == (code, status)
    assert message in error.message


async def test_s3_shows_the_strings_that_it_signed(gate: Gate) -> None:
    error = await gate.refuse(gate.sign(S3, (gate.root[0], "wrong"), path="/bucket/key"), S3)
    assert error.fields["AWSAccessKeyId"] == gate.root[0]
    assert error.fields["CanonicalRequest"].startswith("POST\n/bucket/key\n")
    assert error.fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert bytes.fromhex(error.fields["StringToSignBytes"]).decode() == error.fields["StringToSign"]


@pytest.mark.parametrize(
    ("target", "code", "status"),
    [
        (STS, "InvalidClientTokenId", 403),
        (LOGS, "UnrecognizedClientException", 400),
        (LAMBDA, "UnrecognizedClientException", 403),
        (EC2, "AuthFailure", 401),
        (S3, "InvalidAccessKeyId", 403),
    ],
    ids=lambda value: value.service if isinstance(value, Target) else "",
)
async def test_an_unknown_key_is_refused(gate: Gate, target: Target, code: str, status: int) -> None:
    error = await gate.refuse(gate.sign(target, ("AKIAIOSFODNN7EXAMPLE", "x")), target)
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("target", "code", "status", "message"),
    [
        (STS, "InvalidClientTokenId", 403, "The security token included in the request is invalid."),
        (LOGS, "UnrecognizedClientException", 400, "The security token included in the request is invalid."),
        (LAMBDA, "UnrecognizedClientException", 403, "The security token included in the request is invalid."),
        (S3, "InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    ],
    ids=lambda value: value.service if isinstance(value, Target) else "",
)
async def test_a_changed_token_is_refused(gate: Gate, target: Target, code: str, status: int, message: str) -> None:
    key, secret, token = gate.session()
    error = await gate.refuse(gate.sign(target, (key, secret, token[::-1])), target)
    assert (error.code, error.status, error.message) == (code, status, message)
    other = gate.session()[2]
    assert (await gate.refuse(gate.sign(target, (key, secret, other)), target)).code == code


async def test_a_temporary_key_without_its_token_is_refused(gate: Gate) -> None:
    key, secret, _ = gate.session()
    error = await gate.refuse(gate.sign(STS, (key, secret)))
    assert (error.code, error.status) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize(
    ("target", "code", "status", "message"),
    [
        (STS, "ExpiredToken", 403, "The security token included in the request is expired"),
        (LOGS, "ExpiredTokenException", 400, "The security token included in the request is expired"),
        (LAMBDA, "ExpiredTokenException", 403, "The security token included in the request is expired"),
        (S3, "ExpiredToken", 400, "The provided token has expired."),
    ],
    ids=lambda value: value.service if isinstance(value, Target) else "",
)
async def test_a_session_ends(gate: Gate, target: Target, code: str, status: int, message: str) -> None:
    key = gate.session(900)
    gate.world.clock.advance(899)
    assert await gate.admit(gate.sign(target, key), target)
    gate.world.clock.advance(1)
    error = await gate.refuse(gate.sign(target, key), target)
    assert (error.code, error.status, error.message) == (code, status, message)


@pytest.mark.parametrize(
    ("target", "code", "status", "message"),
    [
        (STS, "MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
        (LOGS, "MissingAuthenticationTokenException", 400, "Request is missing Authentication Token"),
        (LAMBDA, "MissingAuthenticationTokenException", 403, "Missing Authentication Token"),
        (EC2, "AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
        (S3, "AccessDenied", 403, "Access Denied"),
        (SQS, "AccessDeniedException", 403, "Access to the resource http://x/ is denied."),
        (SQS_FORM, "AccessDeniedException", 403, "Access to the resource http://x/ is denied."),
    ],
    ids=lambda value: f"{value.service}-{value.protocol}" if isinstance(value, Target) else "",
)
async def test_an_unsigned_request_is_refused(gate: Gate, target: Target, code: str, status: int, message: str) -> None:
    error = await gate.refuse(HttpRequest("POST", "/", "", {"host": "x"}), target)
    assert (error.code, error.status, error.message) == (code, status, message)


# What was signed is what is done


@pytest.mark.parametrize("target", [STS, LOGS, LAMBDA, S3], ids=lambda target: target.service)
@pytest.mark.parametrize("change", ["body", "path", "query", "method", "host", "removed"])
async def test_what_was_signed_cannot_be_changed(gate: Gate, target: Target, change: str) -> None:
    request = gate.sign(target, headers={"X-Amz-Meta": "1"})
    match change:
        case "body":
            request.body += b" "
        case "path":
            request.raw_path = "/other"
        case "query":
            request.query_string = "a=b"
        case "method":
            request.method = "PUT"
        case "host":
            _with_header(request, "host", "other")
        case "removed":
            _with_header(request, "x-amz-meta", None)
    error = await gate.refuse(request, target)
    assert error.status in (400, 403)
    assert error.code in ("SignatureDoesNotMatch", "InvalidSignatureException", "XAmzContentSHA256Mismatch")


async def test_a_body_that_is_not_what_its_hash_says_is_refused(gate: Gate) -> None:
    for target, code in ((S3, "XAmzContentSHA256Mismatch"), (LOGS, "InvalidSignatureException")):
        request = gate.sign(target, headers={"X-Amz-Content-SHA256": sigv4.EMPTY_SHA256})
        request.body = b"not empty"
        assert (await gate.refuse(request, target)).code == code


async def test_an_unsigned_payload_may_be_anything(gate: Gate) -> None:
    for target in (S3, LOGS):
        request = gate.sign(target, headers={"X-Amz-Content-SHA256": sigv4.UNSIGNED_PAYLOAD})
        if target is S3:
            assert request.headers["x-amz-content-sha256"] == sigv4.UNSIGNED_PAYLOAD
        request.body = b"anything"
        assert await gate.admit(request, target)


async def test_a_large_body_is_verified_too(gate: Gate) -> None:
    request = gate.sign(LOGS, body=b"x" * 2_000_000)
    assert await gate.admit(request, LOGS)
    request.body = b"y" * 2_000_000
    assert (await gate.refuse(request, LOGS)).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "InvalidRequest"), ("nonsense", "InvalidArgument"), ("0" * 64, "XAmzContentSHA256Mismatch")],
)
async def test_s3_asks_for_a_content_hash(gate: Gate, value: str | None, code: str) -> None:
    request = _with_header(gate.sign(S3), "x-amz-content-sha256", value)
    if value is None:
        _change(request, "authorization", "x-amz-content-sha256;", "")
    assert (await gate.refuse(request, S3)).code == code


async def test_s3_wants_all_of_its_headers_signed(gate: Gate) -> None:
    error = await gate.refuse(_with_header(gate.sign(S3), "x-amz-acl", "public-read"), S3)
    assert error.message == "There were headers present in the request which were not signed"
    assert error.fields["HeadersNotSigned"] == "x-amz-acl"


# Time


@pytest.mark.parametrize(("target", "skew_s"), [(STS, 900), (LOGS, 300), (LAMBDA, 300), (S3, 900)])
@pytest.mark.parametrize("sign", [-1, 1])
async def test_a_clock_may_be_off_a_little(gate: Gate, target: Target, skew_s: int, sign: int) -> None:
    assert await gate.admit(gate.sign(target, offset_s=sign * skew_s), target)
    error = await gate.refuse(gate.sign(target, offset_s=sign * (skew_s + 1)), target)
    codes = {"sts": "SignatureDoesNotMatch", "s3": "RequestTimeTooSkewed"}
    assert error.code == codes.get(target.service, "InvalidSignatureException")


async def test_the_texts_of_a_wrong_time_are_awss(gate: Gate) -> None:
    gate.world.clock.advance(1440938160 - gate.world.clock.now() + 10 * 365 * DAY_S)
    past = await gate.refuse(gate.sign(LOGS, offset_s=-301), LOGS)
    assert past.message == (
        "Signature expired: 20250827T123059Z is now earlier than 20250827T123100Z (20250827T123600Z - 5 min.)"
    )
    future = await gate.refuse(gate.sign(LOGS, offset_s=301), LOGS)
    assert future.message == (
        "Signature not yet current: 20250827T124101Z is still later than 20250827T124100Z (20250827T123600Z + 5 min.)"
    )
    skewed = await gate.refuse(gate.sign(S3, offset_s=-901), S3)
    assert skewed.message == "The difference between the request time and the current time is too large."
    assert skewed.fields == {
        "RequestTime": "20250827T122059Z",
        "ServerTime": "2025-08-27T12:36:00Z",
        "MaxAllowedSkewMilliseconds": "900000",
    }


async def test_a_presigned_request_is_good_for_as_long_as_it_says(gate: Gate) -> None:
    week_s = 7 * 86400
    for target in (S3, LOGS):
        request = gate.sign(target, method="GET", body=b"", expires=week_s, offset_s=-week_s)
        assert await gate.admit(request, target)
        late = gate.sign(target, method="GET", body=b"", expires=week_s, offset_s=-week_s - 1)
        error = await gate.refuse(late, target)
        assert error.message == "Request has expired" or error.message.startswith("Signature expired")
    assert "Expires" in (await gate.refuse(gate.sign(S3, expires=1, offset_s=-2), S3)).fields


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        (604801, "X-Amz-Expires must be less than a week"),
        (-1, "X-Amz-Expires must be non-negative"),
        ("abc", "X-Amz-Expires should be a number"),
        ("١", "X-Amz-Expires should be a number"),
    ],
)
async def test_a_presigned_request_cannot_be_good_for_any_time(gate: Gate, expires: Any, message: str) -> None:
    for target, code in ((S3, "AuthorizationQueryParametersError"), (LOGS, "IncompleteSignatureException")):
        error = await gate.refuse(gate.sign(target, expires=expires), target)
        assert error.code == code
        assert error.message.startswith(message)


async def test_a_request_has_to_say_when_it_was_signed(gate: Gate) -> None:
    request = _with_header(gate.sign(LOGS), "x-amz-date", None)
    assert (
        "requires existence of either a 'X-Amz-Date' or a 'Date' header." in (await gate.refuse(request, LOGS)).message
    )
    request = _with_header(gate.sign(LOGS), "x-amz-date", "yesterday")
    assert (await gate.refuse(request, LOGS)).message.startswith(
        "Date must be in ISO-8601 'basic format'. Got 'yesterday'"
    )
    request = _with_header(gate.sign(S3), "x-amz-date", None)
    assert (await gate.refuse(request, S3)).message == "AWS authentication requires a valid Date or x-amz-date header"


# The scope


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/logs/", "/sqs/", "Credential should be scoped to correct service: 'logs'."),
        ("/us-east-1/", "//", "Credential should be scoped to a valid region, not ''."),
        ("/us-east-1/", "/US EAST/", "Credential should be scoped to a valid region, not 'US EAST'."),
        (
            "aws4_request",
            "aws4_reques",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4_reques'.",
        ),
        ("/logs/aws4_request", "/logs", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/"),
        ("host;", "", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."),
    ],
)
async def test_the_scope_has_to_be_right(gate: Gate, old: str, new: str, message: str) -> None:
    error = await gate.refuse(_change(gate.sign(LOGS), "authorization", old, new), LOGS)
    assert error.message.startswith(message)


async def test_the_day_of_the_scope_has_to_be_the_signatures(gate: Gate) -> None:
    today = sigv4.basic_format(gate.world.clock.wall())
    request = _change(gate.sign(LOGS), "authorization", f"/{today[:8]}/", "/20150830/")
    assert (await gate.refuse(request, LOGS)).message == (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'20150830' != '{today[:8]}', from '{today}'."
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/s3/", "/sqs/", 'incorrect service "sqs". This endpoint belongs to "s3".'),
        ("aws4_request", "x", 'incorrect terminator "x". This endpoint uses "aws4_request".'),
        ("/s3/aws4_request", "/s3", 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/'),
        ("/us-east-1/", "/x/", "the region 'x' is wrong"),
        ("SignedHeaders=", "Signed=", "the authorization header requires three components"),
    ],
)
async def test_s3_says_it_in_its_own_words(gate: Gate, old: str, new: str, message: str) -> None:
    error = await gate.refuse(_change(gate.sign(S3), "authorization", old, new), S3)
    assert error.code == "AuthorizationHeaderMalformed"
    assert error.message.startswith(f"The authorization header is malformed; {message}")


# What cannot be read


@pytest.mark.parametrize(
    ("target", "authorization", "code", "message"),
    [
        (
            STS,
            "AWS4-HMAC-SHA256 Credential=test",
            "IncompleteSignature",
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' "
            "parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed "
            "with SHA-256 and encoded with Base64) Authorization=",
        ),
        (LOGS, "AWS4-HMAC-SHA256 test", "IncompleteSignatureException", "Invalid key=value pair (missing equal-sign)"),
        (LAMBDA, "Basic dGVzdDp0ZXN0", "IncompleteSignatureException", "Authorization header requires 'Credential'"),
        (STS, "Basic dGVzdDp0ZXN0", "MissingAuthenticationToken", "Request is missing Authentication Token"),
        (STS, "AWS4-ECDSA-P256-SHA256 Credential=test", "IncompleteSignature", "Unsupported AWS 'algorithm'"),
        (S3, "AWS4-ECDSA-P256-SHA256 Credential=test", "InvalidRequest", "The authorization mechanism you have"),
        (S3, "AWS AKIA:signature", "InvalidRequest", "The authorization mechanism you have provided is not supported"),
    ],
)
async def test_what_cannot_be_read_is_told(
    gate: Gate, target: Target, authorization: str, code: str, message: str
) -> None:
    request = HttpRequest("POST", "/", "", {"host": "x", "authorization": authorization})
    error = await gate.refuse(request, target)
    assert error.code == code
    assert error.message.startswith(message)
    assert authorization not in error.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "Query-string authentication version 4 requires the X-Amz-Algorithm"),
        ("X-Amz-Algorithm=MD5", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'),
        ("X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256", "X-Amz-Algorithm AWS4-ECDSA-P256-SHA256 is not supported."),
    ],
)
async def test_s3_tells_what_a_presigned_request_lacks(gate: Gate, query: str, message: str) -> None:
    error = await gate.refuse(HttpRequest("GET", "/", query, {"host": "x"}), S3)
    assert error.code == "AuthorizationQueryParametersError"
    assert error.message.startswith(message)


async def test_a_presigned_request_to_others_names_what_it_lacks(gate: Gate) -> None:
    error = await gate.refuse(HttpRequest("GET", "/", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x", {}))
    assert error.message.startswith("AWS query-string parameters must include 'X-Amz-Credential'. ")
    assert error.message.endswith("Re-examine the query-string parameters.")


async def test_s3_takes_one_signature_only(gate: Gate) -> None:
    request = gate.sign(S3, expires=60)
    request.headers = {**request.headers, "authorization": gate.sign(S3).headers["authorization"]}
    assert (await gate.refuse(request, S3)).message.startswith("Only one auth mechanism allowed;")


async def test_any_bytes_in_the_header_are_refused_and_no_failure(gate: Gate) -> None:
    for text in ("\xff\xfe", "AWS4-HMAC-SHA256 Credential=\xe9/1/2/3/4, SignedHeaders=\xe9, Signature=\xe9"):
        request = _with_header(gate.sign(STS), "authorization", text)
        assert (await gate.refuse(request)).status in (400, 403)
    request = _change(gate.sign(STS), "authorization", "Signature=", "Signature=\xe9")
    assert (await gate.refuse(request)).code == "SignatureDoesNotMatch"


# Dev mode


@pytest.mark.parametrize(("access_key_id", "account"), [("test", "000000000000"), ("123456789012", "123456789012")])
async def test_in_dev_mode_any_secret_will_do(gate: Gate, access_key_id: str, account: str) -> None:
    request = gate.sign(LOGS, (access_key_id, "anything"), region="eu-west-1", offset_s=-100 * DAY_S)
    caller = await gate.admit(request, LOGS)
    assert caller == Authenticated(Principal.root(account, access_key_id), "eu-west-1", "logs")


async def test_in_dev_mode_an_odd_scope_means_the_default_region(gate: Gate) -> None:
    for credential in ("test", "test/20200101//logs/aws4_request", "test/x/local/logs/aws4_request"):
        header = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=x"
        request = HttpRequest("POST", "/", "", {"host": "x", "authorization": header})
        caller = await gate.admit(request, LOGS)
        assert (caller.region, caller.service) == ("us-east-1", "logs")


async def test_a_function_cannot_use_the_keys_of_dev_mode(gate: Gate) -> None:
    for key in ("test", "123456789012"):
        with pytest.raises(ServiceError) as caught:
            await gate.admit(gate.sign(LOGS, (key, "test")), LOGS, sandboxed=True)
        assert caught.value.code == "UnrecognizedClientException"
    assert await gate.admit(gate.sign(LOGS, gate.session()), LOGS, sandboxed=True)


async def test_a_known_key_is_verified_in_dev_mode_too(gate: Gate) -> None:
    assert (await gate.refuse(gate.sign(LOGS, (gate.root[0], "test")), LOGS)).code == "InvalidSignatureException"


# Bodies in chunks


def _chunked(gate: Gate, mode: str, length: int, trailer: str = "") -> HttpRequest:
    headers = {
        "X-Amz-Content-SHA256": mode,
        "X-Amz-Decoded-Content-Length": str(length),
        "Content-Encoding": "aws-chunked",
    }
    if trailer:
        headers["X-Amz-Trailer"] = trailer
    return gate.sign(S3, method="PUT", path="/bucket/key", headers=headers, body=b"")


async def test_unsigned_chunks_are_taken_out_of_their_frame(gate: Gate) -> None:
    request = _chunked(gate, sigv4.STREAMING_UNSIGNED_TRAILER, 5, "x-amz-checksum-crc32")
    request.body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    await gate.admit(request, S3)
    assert request.body == b"hello"


async def test_signed_chunks_are_verified_with_the_requests_key(gate: Gate) -> None:
    request = _chunked(gate, sigv4.STREAMING_SIGNED, 5)
    request.body = b"5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n"
    assert (await gate.refuse(request, S3)).code == "SignatureDoesNotMatch"


# Operations without a signature


async def test_operations_that_take_no_signature_are_open_to_anybody(gate: Gate) -> None:
    target = Target("sts", "sts", "query", "AssumeRoleWithWebIdentity")
    caller = await gate.admit(HttpRequest("POST", "/", "", {"host": "x"}), target)
    assert caller.principal.kind == "anonymous"
    assert caller.region == "us-east-1"


@pytest.mark.parametrize("service", sorted(UNSIGNED))
def test_they_are_those_of_awss_models(service: str) -> None:
    folder = Path(botocore.__file__).parent / "data" / service
    (newest,) = sorted(folder.iterdir())[-1].glob("service-2.json.gz")
    operations = json.loads(gzip.decompress(newest.read_bytes()))["operations"]
    assert UNSIGNED[service] == {
        name
        for name, operation in operations.items()
        if operation.get("authtype") == "none" or operation.get("auth") == ["smithy.api#noAuth"]
    }


# Anonymous callers


SERVICES = (
    *("cloudtrail", "cloudwatch", "cognito-identity", "cognito-idp", "dynamodb", "ec2", "ecr", "events", "iam", "kms"),
    *("lambda", "logs", "organizations", "s3", "scheduler", "sns", "sqs", "stepfunctions", "sts"),
)
NOT_SIGNED = HttpRequest("POST", "/", "", {"host": "x"})


@pytest.fixture
async def enforced(data_folder: Path) -> AsyncIterator[Gate]:
    """An authenticator where permissions are enforced."""
    async with iam_world(data_folder) as world:
        config = replace(world.config, auth="enforced")
        yield Gate(world, Authenticator(config, world.credentials, world.clock))


@pytest.mark.parametrize("service", SERVICES)
async def test_anonymous_callers_get_no_further_than_the_table_says(enforced: Gate, service: str) -> None:
    model = ServiceModels().service(service)
    admitted = set()
    for name in model.operation_names:
        try:
            caller = await enforced.admit(NOT_SIGNED, Target(service, model.signing_name, model.protocols[0], name))
        except ServiceError:
            continue
        assert caller.principal == Principal.anonymous(caller.principal.account)
        admitted.add(name)
    tables = (UNSIGNED, OPTIONAL, ANONYMOUS)
    assert admitted == {name for table in tables for name in table.get(service, ())}


async def test_who_is_nobody_has_no_account_and_the_region_of_the_host(enforced: Gate) -> None:
    for host, region in (
        ("x", "us-east-1"),
        ("sqs.eu-west-1.localhost:4566", "eu-west-1"),
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("127.0.0.1:4566", "us-east-1"),
        ("my-node-1.example", "us-east-1"),
        ("sqs.my-node.example", "us-east-1"),
        ("sns.eu-west-1.localhost", "us-east-1"),
    ):
        caller = await enforced.admit(HttpRequest("POST", "/", "", {"host": host}), SQS)
        assert (caller.principal.account, caller.principal.arn, caller.region) == ("", "", region)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "Basic dGVzdDp0ZXN0"}, ""),
        ({"authorization": ""}, ""),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=bogus"}, ""),
        ({}, "X-Amz-Signature=0"),
        ({}, "X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        ({}, "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE"),
    ],
)
async def test_who_signs_badly_is_not_nobody(enforced: Gate, headers: dict[str, str], query: str) -> None:
    request = HttpRequest("POST", "/", query, {"host": "x", **headers})
    assert (await enforced.refuse(request, SQS)).status in (400, 403)


async def test_a_node_in_dev_mode_knows_no_anonymous_callers(gate: Gate) -> None:
    assert (await gate.refuse(NOT_SIGNED, SQS)).status == 403
