"""Calls as they go over the wire, for what SDKs do not send or do not show: requests without members, bare answers."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

FORM = "application/x-www-form-urlencoded; charset=utf-8"
VERSIONS = {"sqs": "2012-11-05", "sns": "2010-03-31", "iam": "2010-05-08", "sts": "2011-06-15"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def send(endpoint: str, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> Answer:
    """Send a request as it is."""
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        connection.request(method, path, body.encode(), headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())
    finally:
        connection.close()


def dev_signature(account: str, service: str, region: str = "us-east-1") -> dict[str, str]:
    """The header that a node in dev mode takes for a signature of `account`."""
    scope = f"{account}/20260101/{region}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"}


def call_json(endpoint: str, target: str, params: Any, headers: dict[str, str] | None = None) -> Answer:
    """Call an operation in AWS JSON: `AmazonSQS.SendMessage` and the like. Unsigned, unless `headers` sign it."""
    text = params if isinstance(params, str) else json.dumps(params)
    usual = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    return send(endpoint, "POST", "/", text, usual | (headers or {}))


def call_query(
    endpoint: str, service: str, action: str, params: dict[str, str], headers: dict[str, str] | None = None
) -> Answer:
    """Call an operation in the query protocol. Unsigned, unless `headers` sign it."""
    form = urlencode({"Action": action, "Version": VERSIONS[service], **params})
    return send(endpoint, "POST", "/", form, {"Content-Type": FORM} | (headers or {}))
