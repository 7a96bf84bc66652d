"""Who is let in over HTTP, in both modes of authentication, and how each family of services says no."""

import http.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.signers import RequestSigner

from cloudlet.config import Config
from tests.support.nodes import RUNTIMES, Clients, MakeClient, NodeInThread, running

UNKNOWN = ("AKIAIOSFODNN7EXAMPLE", "wrong")


def refusal(call: Callable[[], Any]) -> tuple[str, int]:
    """Code and status of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def get(endpoint: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and body of a plain GET."""
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.fixture
def root_keys(node: NodeInThread) -> tuple[str, str]:
    """The root key pair, as a person finds it."""
    lines = dict(
        line.split(" = ") for line in (node.config.data / "credentials").read_text().splitlines() if " = " in line
    )
    return lines["aws_access_key_id"], lines["aws_secret_access_key"]


@pytest.mark.parametrize(
    ("service", "operation", "wrong_secret", "unknown_key"),
    [
        ("sts", "get_caller_identity", ("SignatureDoesNotMatch", 403), ("InvalidClientTokenId", 403)),
        ("iam", "list_roles", ("SignatureDoesNotMatch", 403), ("InvalidClientTokenId", 403)),
        ("sqs", "list_queues", ("SignatureDoesNotMatch", 403), ("InvalidClientTokenId", 403)),
        ("logs", "describe_log_groups", ("InvalidSignatureException", 400), ("UnrecognizedClientException", 400)),
        ("lambda", "list_functions", ("InvalidSignatureException", 403), ("UnrecognizedClientException", 403)),
    ],
)
def test_each_service_refuses_in_its_own_words(
    client: MakeClient,
    root_keys: tuple[str, str],
    service: str,
    operation: str,
    wrong_secret: tuple[str, int],
    unknown_key: tuple[str, int],
) -> None:
    assert getattr(client(service, keys=root_keys), operation)()
    assert refusal(getattr(client(service, keys=(root_keys[0], "wrong")), operation)) == wrong_secret
    assert refusal(getattr(client(service, keys=UNKNOWN), operation)) == unknown_key


def test_a_signed_path_with_an_arn_in_it_is_verified(client: MakeClient, root_keys: tuple[str, str]) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:no such+function~%/x"
    answer = refusal(lambda: client("lambda", keys=root_keys).get_function(FunctionName=arn[:140]))
    assert answer[0] != "InvalidSignatureException"


def test_any_body_is_verified_as_it_was_sent(client: MakeClient, root_keys: tuple[str, str]) -> None:
    for path_prefix in ("/a+b/", "/a%20b/", "/a&b=c/"):
        assert client("iam", keys=root_keys).list_roles(PathPrefix=path_prefix)["Roles"] == []
    logs = client("logs", keys=root_keys)
    answer = refusal(lambda: logs.filter_log_events(logGroupName="none", filterPattern='"müde ሴ"'))
    assert answer == ("ResourceNotFoundException", 400)


@pytest.mark.parametrize("expires_s", [60, 604800])
def test_a_presigned_url_is_good_for_anybody_who_has_it(
    endpoint: str, root_keys: tuple[str, str], expires_s: int
) -> None:
    """As EKS and Vault prove who they are: https://github.com/kubernetes-sigs/aws-iam-authenticator"""
    url = _presigned(endpoint, root_keys, expires_s)
    status, body = get(endpoint, url)
    assert status == 200
    assert "<Arn>arn:aws:iam::000000000000:root</Arn>" in body
    status, body = get(endpoint, url.replace("GetCallerIdentity", "GetSessionToken"))
    assert status == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in body


def test_a_presigned_url_of_more_than_a_week_is_refused(endpoint: str, root_keys: tuple[str, str]) -> None:
    status, body = get(endpoint, _presigned(endpoint, root_keys, 604801))
    assert status == 400
    assert "X-Amz-Expires must be less than a week" in body


def _presigned(endpoint: str, keys: tuple[str, str], expires_s: int) -> str:
    session = boto3.session.Session(*keys)
    credentials = session.get_credentials()
    assert credentials is not None
    client = session.client("sts", region_name="us-east-1", endpoint_url=endpoint)
    signer = RequestSigner(client.meta.service_model.service_id, "us-east-1", "sts", "v4", credentials, session.events)
    url: str = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {},
            "context": {},
        },
        region_name="us-east-1",
        expires_in=expires_s,
        operation_name="GetCallerIdentity",
    )
    client.close()
    return url.removeprefix(endpoint)


def test_an_unsigned_request_is_refused_in_dev_mode_too(endpoint: str) -> None:
    status, body = get(endpoint, "/?Action=GetCallerIdentity&Version=2011-06-15")
    assert status == 403
    assert "<Code>MissingAuthenticationToken</Code>" in body
    status, body = get(endpoint, "/2015-03-31/functions/")
    assert status == 403
    assert "Missing Authentication Token" in body


@pytest.fixture(scope="module")
def enforced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeInThread]:
    """A node where the keys of dev mode mean nothing."""
    config = Config(port=0, data=tmp_path_factory.mktemp("enforced") / "data", auth="enforced", runtimes=RUNTIMES)
    with running(NodeInThread(config)) as node:
        yield node


def test_where_permissions_are_enforced_the_keys_of_dev_mode_are_unknown(
    enforced: NodeInThread, clients: Clients
) -> None:
    for key in ("test", "123456789012"):
        sts = clients.make(enforced.endpoint, "sts", keys=(key, "test"))
        assert refusal(sts.get_caller_identity) == ("InvalidClientTokenId", 403)


def test_where_permissions_are_enforced_the_root_key_is_known(enforced: NodeInThread, clients: Clients) -> None:
    keys = enforced.node._credentials.root_key
    assert clients.make(enforced.endpoint, "sts", keys=keys).get_caller_identity()["Account"] == "000000000000"
