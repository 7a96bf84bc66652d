"""Requests signed by botocore, at any moment, as the edge hands them on."""

import datetime
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.wire.http import HttpRequest

HOST = "127.0.0.1:4566"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def signed(
    key: tuple[str, ...],
    moment: float,
    *,
    service: str = "sts",
    region: str = "us-east-1",
    method: str = "POST",
    path: str = "/",
    body: bytes = b"Action=GetCallerIdentity&Version=2011-06-15",
    headers: Mapping[str, str] | None = None,
    expires: int | None = None,
) -> HttpRequest:
    """A request signed with `key` (access key id, secret and, for a session, its token) at `moment`.

    One with `expires` is presigned and has no body. The path may have a query.
    """
    body = b"" if expires else body
    request = AWSRequest(method, f"http://{HOST}{path}", data=body, headers={"Host": HOST, **(headers or {})})
    signer = _signer(service, expires)(Credentials(*key), service, region, *((expires,) if expires else ()))
    if declared := (headers or {}).get("X-Amz-Content-SHA256"):
        signer.payload = lambda _request: declared
    with _time_stands_still(moment):
        signer.add_auth(request)
    parts = urlsplit(str(request.url))
    sent = {name.lower(): str(value) for name, value in request.headers.items()}
    return HttpRequest(method, parts.path or "/", parts.query, {"user-agent": "test", **sent}, body)


def _signer(service: str, expires: int | None) -> Any:
    if service == "s3":
        return auth.S3SigV4QueryAuth if expires else auth.S3SigV4Auth
    return auth.SigV4QueryAuth if expires else auth.SigV4Auth


@contextmanager
def _time_stands_still(moment: float) -> Any:
    now = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now.replace(tzinfo=None)):
        yield
