"""Cross-origin requests to function URLs. What the configuration says stands in place of what the function says.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from collections.abc import Mapping
from typing import Any

from cloudlet.wire.http import HttpRequest, HttpResponse

_NAMES = {
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
}


def preflight(cors: Mapping[str, Any], request: HttpRequest) -> HttpResponse | None:
    """The answer to a browser that asks whether it may; None for any other request."""
    if not cors or request.method != "OPTIONS" or "access-control-request-method" not in request.headers:
        return None
    return HttpResponse(200, allowed(cors, request, is_preflight=True))


def allowed(cors: Mapping[str, Any], request: HttpRequest, *, is_preflight: bool = False) -> dict[str, str]:
    """The headers that a page of the request's origin needs; none where it may not."""
    origin = request.headers.get("origin", "")
    if not cors or not origin or not _matches(origin, cors.get("AllowOrigins") or ()):
        return {}
    has_credentials = bool(cors.get("AllowCredentials"))
    is_any = "*" in (cors.get("AllowOrigins") or ()) and not has_credentials
    headers = {"access-control-allow-origin": "*" if is_any else origin}
    if not is_any:
        headers["vary"] = "Origin"
    if has_credentials:
        headers["access-control-allow-credentials"] = "true"
    if expose := cors.get("ExposeHeaders"):
        headers["access-control-expose-headers"] = ",".join(expose)
    if is_preflight:
        if methods := cors.get("AllowMethods"):
            headers["access-control-allow-methods"] = ",".join(methods)
        if names := cors.get("AllowHeaders"):
            headers["access-control-allow-headers"] = ",".join(names)
        if (age := cors.get("MaxAge")) is not None:
            headers["access-control-max-age"] = str(age)
    return headers


def applied(cors: Mapping[str, Any], request: HttpRequest, headers: Mapping[str, str]) -> dict[str, str]:
    """A function's headers with those of its URL's configuration in place of its own."""
    if not cors:
        return dict(headers)
    kept = {name: value for name, value in headers.items() if name.lower() not in _NAMES}
    return kept | allowed(cors, request)


def _matches(origin: str, patterns: Any) -> bool:
    for pattern in patterns:
        head, star, tail = pattern.partition("*")
        if pattern == origin or (star and origin.startswith(head) and origin.endswith(tail) and len(origin) >= len(head + tail)):  # fmt: skip # noqa: E501
            return True
    return False
