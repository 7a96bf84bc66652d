"""An HTTP request as a function's event, and a function's answer as HTTP: payload format 2.0.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

import base64
import binascii
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from cloudlet.iam.principals import Principal
from cloudlet.services.lambda_.url_config import UrlConfig
from cloudlet.wire.http import HttpRequest

_TEXT = ("application/json", "application/xml", "application/javascript")
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "upgrade"}
_NOT_IN_EVENTS = {"cookie", *_HOP_BY_HOP}
_NOT_IN_ANSWERS = {"content-length", "x-amzn-requestid", *_HOP_BY_HOP}
"""What the platform says by itself."""


@dataclass(frozen=True, slots=True)
class UrlAnswer:
    """What goes back to the client."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...] = ()
    body: bytes = field(default=b"")


class MalformedAnswer(Exception):
    """The function's answer is not one that a URL can give."""


def event_of(
    config: UrlConfig, request: HttpRequest, caller: Principal | None, request_id: str, moment_s: float, trace_id: str
) -> bytes:
    """The event. `caller` is who signed the request, None where nobody had to."""
    headers = {
        **{name: value for name, value in request.headers.items() if name not in _NOT_IN_EVENTS},
        "x-forwarded-for": request.source_ip,
        "x-forwarded-proto": request.scheme,
        "x-forwarded-port": request.host.partition(":")[2] or ("443" if request.scheme == "https" else "80"),
        "x-amzn-trace-id": trace_id,
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.raw_path,  # as sent: unlike an HTTP API of API Gateway, a function URL decodes nothing
        "rawQueryString": request.query_string,
        "headers": headers,
        "requestContext": _context(config, request, caller, request_id, moment_s),
        "isBase64Encoded": False,
    }
    if "cookie" in request.headers:
        cookies = ";".join(value for name, value in request.raw_headers if name == "cookie")
        event["cookies"] = [part.strip() for part in cookies.split(";") if part.strip()]
    if request.query_string:
        parameters: dict[str, str] = {}
        for name, value in parse_qsl(request.query_string, keep_blank_values=True):
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
        event["queryStringParameters"] = parameters
    if request.body:
        text = _text(request)
        event["body"] = text if text is not None else base64.b64encode(request.body).decode()
        event["isBase64Encoded"] = text is None
    return orjson.dumps(event)


def _context(
    config: UrlConfig, request: HttpRequest, caller: Principal | None, request_id: str, moment_s: float
) -> dict[str, Any]:
    moment = datetime.datetime.fromtimestamp(moment_s, datetime.UTC)
    context: dict[str, Any] = {
        "accountId": caller.account if caller is not None else "anonymous",
        "apiId": config.url_id,
        "domainName": request.host,
        "domainPrefix": config.url_id,
        "http": {
            "method": request.method,
            "path": request.raw_path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(moment_s * 1000),
    }
    if caller is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": caller.access_key_id,
                "accountId": caller.account,
                "callerId": caller.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.user_id,
            }
        }
    return context


def _text(request: HttpRequest) -> str | None:
    """The body as text, where its type says that it is one."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (content_type.startswith("text/") or content_type in _TEXT):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def answer_of(payload: bytes) -> UrlAnswer:
    """What a function's answer means. Raises MalformedAnswer."""
    try:
        content = orjson.loads(payload) if payload else None
    except orjson.JSONDecodeError as error:
        raise MalformedAnswer("not JSON") from error
    if not isinstance(content, dict) or "statusCode" not in content:
        return UrlAnswer(200, {"content-type": "application/json"}, (), payload or b"null")
    status, headers, cookies = head_of(content)
    body = content.get("body")
    if body is None:
        body = ""
    if not isinstance(body, str):
        body = orjson.dumps(body).decode()
    if content.get("isBase64Encoded"):
        try:
            return UrlAnswer(status, headers, cookies, base64.b64decode(body, validate=True))
        except binascii.Error as error:
            raise MalformedAnswer("the body is not base64") from error
    return UrlAnswer(status, headers, cookies, body.encode())


def head_of(content: Mapping[str, Any]) -> tuple[int, dict[str, str], tuple[str, ...]]:
    """Status, headers and cookies. Raises MalformedAnswer."""
    status = content.get("statusCode", 200)
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise MalformedAnswer("no status")
    given, cookies = content.get("headers") or {}, content.get("cookies") or ()
    if not isinstance(given, dict) or not isinstance(cookies, list | tuple):
        raise MalformedAnswer("no headers")
    headers = {
        str(name).lower(): _value(value) for name, value in given.items() if str(name).lower() not in _NOT_IN_ANSWERS
    }
    if not all(name.isascii() and name.replace("-", "").replace("_", "").isalnum() for name in headers):
        raise MalformedAnswer("no name of a header")
    headers.setdefault("content-type", "application/json")
    return status, headers, tuple(_value(cookie) for cookie in cookies)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if not text.isprintable():
        raise MalformedAnswer("no value of a header")
    return text
