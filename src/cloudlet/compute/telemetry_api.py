"""Subscriptions of the Telemetry API (2022-07-01) and of the older Logs API (2020-08-15): what they may ask for.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from cloudlet.compute.extension import Refused

TELEMETRY: Final = "telemetry"
LOGS: Final = "logs"
TYPES: Final = ("platform", "function", "extension")
HOSTS: Final = ("sandbox.localdomain", "sandbox")
"""The names that an environment has for itself. Wherever they point to: delivery goes to its own loopback only."""
RESERVED_PORTS: Final = (9001, 4566)
"""The Runtime API's, which AWS reserves, and that of the platform's own endpoint in a sandbox."""

MAX_ITEMS: Final = (1000, 10_000, 10_000)
MAX_BYTES: Final = (262_144, 1_048_576, 262_144)
TIMEOUT_MS: Final = (25, 30_000, 1000)
"""Least, most, and the default: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html#telemetry-api-buffering"""

_VERSIONS: Final = {
    TELEMETRY: ("2022-07-01", "2022-12-13", "2025-01-29"),
    LOGS: ("2020-08-15", "2021-03-18"),
}
_METHODS: Final = ("POST", "PUT")


@dataclass(frozen=True, slots=True)
class Buffering:
    """How much is kept until it is sent."""

    max_items: int = MAX_ITEMS[2]
    max_bytes: int = MAX_BYTES[2]
    timeout_ms: int = TIMEOUT_MS[2]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where in the sandbox events go."""

    protocol: str
    """`HTTP` or `TCP`."""
    port: int
    path: str = "/"
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an extension has subscribed to."""

    api: str
    """`telemetry` or `logs`."""
    schema_version: str
    types: tuple[str, ...]
    destination: Destination
    buffering: Buffering


def subscription(api: str, body: bytes) -> Subscription:
    """What a subscribe call asks for. Raises Refused, naming all that is wrong with it."""
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _invalid(api, [f"Invalid JSON: {error}"]) from None
    if not isinstance(given, dict):
        raise _invalid(api, ["The request should be a JSON object"])
    problems: list[str] = []
    found = Subscription(
        api,
        _version(api, given.get("schemaVersion"), problems),
        _types(given.get("types"), problems),
        _destination(given.get("destination"), problems),
        _buffering(given.get("buffering"), problems),
    )
    if problems:
        raise _invalid(api, problems)
    return found


def _invalid(api: str, problems: list[str]) -> Refused:
    error_type = "Logs.ValidationError" if api == LOGS else "ValidationError"
    return Refused(error_type, "; ".join(problems), "400 Bad Request")


def _version(api: str, given: Any, problems: list[str]) -> str:
    versions = _VERSIONS[api]
    if given is None and api == LOGS:
        return versions[0]
    if given not in versions:
        problems.append(f"schemaVersion should be one of {', '.join(versions)}")
        return versions[0]
    return str(given)


def _types(given: Any, problems: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        problems.append("types should not be empty")
        return ()
    unknown = [each for each in given if each not in TYPES]
    if unknown:
        problems.append(f"types should be of {', '.join(TYPES)}")
    return tuple(dict.fromkeys(str(each) for each in given))


def _destination(given: Any, problems: list[str]) -> Destination:
    if not isinstance(given, dict):
        problems.append("destination is not provided")
    elif given.get("protocol") == "HTTP":
        return _http(given, problems)
    elif given.get("protocol") == "TCP":
        return Destination("TCP", _port(given.get("port"), "port", problems))
    else:
        problems.append("protocol should be HTTP or TCP")
    return Destination("HTTP", 0)


def _http(given: dict[str, Any], problems: list[str]) -> Destination:
    uri = given.get("URI")
    if not isinstance(uri, str) or not uri.isascii() or not uri.isprintable() or " " in uri:
        problems.append("URI is not provided")
        return Destination("HTTP", 0)
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        problems.append("URI is not valid")
        return Destination("HTTP", 0)
    if parts.scheme != "http":
        problems.append("URI scheme should be http")
    if parts.hostname not in HOSTS:
        problems.append(f"URI host should be {HOSTS[0]}")
    if parts.username is not None or parts.password is not None:
        problems.append("URI should have no user")
    if port is None:
        problems.append("URI port is not provided")
    else:
        port = _port(port, "URI port", problems)
    method = given.get("method", "POST")
    if method not in _METHODS:
        problems.append("method should be POST or PUT")
    if given.get("encoding", "JSON") != "JSON":
        problems.append("encoding should be JSON")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination("HTTP", port or 0, path, str(method))


def _port(given: Any, name: str, problems: list[str]) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        problems.append(f"{name} is not provided")
        return 0
    if not 0 < given < 65536:
        problems.append(f"{name} should be between 1 and 65535")
    elif given in RESERVED_PORTS:
        problems.append(f"{name} {given} is reserved")
    return given


def _buffering(given: Any, problems: list[str]) -> Buffering:
    if given is None:
        return Buffering()
    if not isinstance(given, dict):
        problems.append("buffering should be an object")
        return Buffering()
    return Buffering(
        _within(given, "maxItems", MAX_ITEMS, problems),
        _within(given, "maxBytes", MAX_BYTES, problems),
        _within(given, "timeoutMs", TIMEOUT_MS, problems),
    )


def _within(given: dict[str, Any], name: str, limits: tuple[int, int, int], problems: list[str]) -> int:
    least, most, default = limits
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        problems.append(f"{name} should be between {least} and {most}")
        return default
    return value
