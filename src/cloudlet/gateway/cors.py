"""Pages that call the APIs: what their browser asks beforehand, and what lets it hand them the answer.

AWS's endpoints share their answers with the pages of every site, because a call needs a signature. So does a node; one
that is open, where everybody can sign, turns other sites' pages away before (`walls`).

https://docs.aws.amazon.com/sdk-for-javascript/v2/developer-guide/cors.html,
https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Mapping
from typing import Final

from cloudlet.wire.http import HttpRequest, HttpResponse

MAX_AGE_S = 172_800
"""A browser may keep for so long what it was told beforehand."""
_EXPOSED = (
    "x-amzn-RequestId,x-amz-request-id,x-amzn-ErrorType,x-amzn-ErrorMessage,x-amz-function-error,x-amz-log-result,"
    "x-amz-executed-version,Date"
)
_SHARED: Final[Mapping[str, str]] = {"access-control-allow-origin": "*", "access-control-expose-headers": _EXPOSED}


def is_preflight(request: HttpRequest) -> bool:
    """True for a browser's question whether a page may send a certain request."""
    headers = request.headers
    return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight(request: HttpRequest) -> HttpResponse:
    """The answer that it may."""
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "DELETE,GET,HEAD,PATCH,POST,PUT",
        "access-control-max-age": str(MAX_AGE_S),
    }
    if asked := request.headers.get("access-control-request-headers"):
        headers["access-control-allow-headers"] = asked
    return HttpResponse(200, headers)


def shared(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """`response`, which a page may read if one has asked."""
    if "origin" in request.headers:
        response.headers = {**response.headers, **_SHARED}
    return response
