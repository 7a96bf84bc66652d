"""Requests that are not what their signer signed, over HTTP: each is refused, and none has an effect."""

import base64
import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudlet.wire.http import HttpRequest
from tests.support.iam_world import trust
from tests.support.nodes import MakeClient, NodeInThread
from tests.support.signing import FORM, signed

JSON = "application/x-amz-json-1.1"
Change = Callable[[HttpRequest], HttpRequest]
Keys = tuple[str, ...]


@pytest.fixture
def root_keys(node: NodeInThread) -> Keys:
    return node.node._credentials.root_key


@pytest.fixture
def send(endpoint: str) -> Callable[[HttpRequest], tuple[int, str]]:
    """Sends a request as it is; status and body of the answer."""
    where = urlsplit(endpoint)

    def call(request: HttpRequest) -> tuple[int, str]:
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        try:
            target = request.raw_path + (f"?{request.query_string}" if request.query_string else "")
            connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
            sent = {**request.headers, "content-length": str(len(request.body))}
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    return call


Send = Callable[[HttpRequest], tuple[int, str]]


def create_group(keys: Keys, name: str, moment: float | None = None, **options: Any) -> HttpRequest:
    """A signed request that makes a log group."""
    headers = {"Content-Type": JSON, "X-Amz-Target": "Logs_20140328.CreateLogGroup", "X-Amz-Meta": "as signed"}
    body = f'{{"logGroupName":"{name}"}}'.encode()
    return signed(keys, moment or time.time(), **{"service": "logs", "body": body, "headers": headers, **options})


def with_headers(request: HttpRequest, changes: Mapping[str, str | None]) -> HttpRequest:
    """The request with other headers; None takes one away."""
    merged = {**request.headers, **changes}
    return replace(request, headers={name: value for name, value in merged.items() if value is not None})


def in_authorization(old: str, new: str) -> Change:
    def change(request: HttpRequest) -> HttpRequest:
        assert old in request.headers["authorization"]
        return with_headers(request, {"authorization": request.headers["authorization"].replace(old, new)})

    return change


CHANGES: Mapping[str, Change] = {
    "body": lambda request: replace(request, body=request.body.replace(b"forged", b"Forged")),
    "signed header": lambda request: with_headers(request, {"x-amz-meta": "as forged"}),
    "signed header taken away": lambda request: with_headers(request, {"x-amz-meta": None}),
    "header not signed any more": in_authorization(";x-amz-meta", ""),
    "path": lambda request: replace(request, raw_path="/other"),
    "query": lambda request: replace(request, query_string="a=b"),
    "method": lambda request: replace(request, method="PUT"),
    "host": lambda request: with_headers(request, {"host": "127.0.0.1:1"}),
    "region of the scope": in_authorization("/us-east-1/", "/eu-west-1/"),
    "service of the scope": in_authorization("/logs/", "/iam/"),
    "end of the scope": in_authorization("/aws4_request", "/aws5_request"),
    "algorithm": in_authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
    "signature": in_authorization("Signature=", "Signature=0"),
    "no signature": lambda request: with_headers(request, {"authorization": None}),
    "date": lambda request: with_headers(
        request, {"x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 60))}
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_signed_cannot_be_changed_on_its_way(
    send: Send, root_keys: Keys, client: MakeClient, change: str
) -> None:
    name = f"forged-{change.replace(' ', '-')}"
    request = create_group(root_keys, name)
    status, body = send(CHANGES[change](request))
    assert 400 <= status <= 404, body
    found = client("logs", keys=root_keys).describe_log_groups()["logGroups"]
    assert not [group for group in found if group["logGroupName"].lower() == name.lower()]
    assert send(request)[0] == 200  # it is the change that was refused
    client("logs", keys=root_keys).delete_log_group(logGroupName=name)


@pytest.mark.parametrize("age_s", [16 * 60, -16 * 60, 86400])
def test_a_request_cannot_be_sent_again_after_its_window(send: Send, root_keys: Keys, age_s: int) -> None:
    status, body = send(create_group(root_keys, "again", time.time() - age_s))
    assert status == 400
    assert "Signature" in body


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_a_presigned_url_ends(send: Send, root_keys: Keys, service: str) -> None:
    query = {"iam": "/?Action=ListRoles&Version=2010-05-08", "sts": "/?Action=GetCallerIdentity&Version=2011-06-15"}
    now = time.time()

    def presigned(moment: float) -> HttpRequest:
        return signed(root_keys, moment, service=service, method="GET", path=query[service], expires=60)

    assert send(presigned(now))[0] == 200
    status, body = send(presigned(now - 61))
    assert status == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in body
    longer = presigned(now - 61)
    longer = replace(longer, query_string=longer.query_string.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))
    assert send(longer)[0] == 403


@pytest.mark.parametrize("which", ["none", "another's", "tampered", "cut", "empty"])
def test_a_temporary_key_is_nothing_without_its_own_token(
    send: Send, client: MakeClient, account: str, which: str
) -> None:
    role = client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=trust({"AWS": account}))["Role"]
    one, two = (client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me")["Credentials"] for _ in range(2))
    token = bytearray(base64.b64decode(one["SessionToken"]))
    token[-1] ^= 1
    tokens = {
        "none": None,
        "another's": two["SessionToken"],
        "tampered": base64.b64encode(token).decode(),
        "cut": one["SessionToken"][:-4],
        "empty": "",
    }
    pair = one["AccessKeyId"], one["SecretAccessKey"]
    given = tokens[which]
    request = create_group(pair if given is None else (*pair, given), "forged")
    status, body = send(request)
    assert (status, "UnrecognizedClientException" in body) == (400, True), body
    # Signed with the right token, which another one takes the place of.
    genuine = create_group((*pair, one["SessionToken"]), "forged")
    status, body = send(with_headers(genuine, {"x-amz-security-token": given}))
    assert status == 400, body
    status, body = send(genuine)
    assert "AccessDeniedException" in body  # known by then, and without permissions


def test_a_form_cannot_be_changed(send: Send, root_keys: Keys) -> None:
    body = b"Action=ListRoles&Version=2010-05-08"
    request = signed(root_keys, time.time(), service="iam", body=body, headers={"Content-Type": FORM})
    assert send(request)[0] == 200
    status, text = send(replace(request, body=body.replace(b"ListRoles", b"ListUsers")))
    assert status == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in text
