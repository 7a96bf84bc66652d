"""What a subscription may ask for, at each limit and one past it."""

from typing import Any

import orjson
import pytest

from cloudlet.compute.extension import Refused
from cloudlet.compute.telemetry_api import LOGS, TELEMETRY, Buffering, Destination, subscription

HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/path?a=b"}


def request(**changes: Any) -> bytes:
    """A good one, with changes; None leaves a member out."""
    body = {"schemaVersion": "2022-12-13", "types": ["platform"], "destination": HTTP, **changes}
    return orjson.dumps({name: value for name, value in body.items() if value is not None})


def refusal(body: bytes, api: str = TELEMETRY) -> str:
    """Why it is refused."""
    with pytest.raises(Refused) as refused:
        subscription(api, body)
    assert refused.value.status == "400 Bad Request"
    assert refused.value.error_type == ("Logs.ValidationError" if api == LOGS else "ValidationError")
    return refused.value.message


def test_what_is_not_said_has_its_default() -> None:
    found = subscription(TELEMETRY, request())
    assert found.buffering == Buffering(10_000, 262_144, 1000)
    assert found.destination == Destination("HTTP", 8080, "/path?a=b", "POST")
    assert subscription(LOGS, request(schemaVersion=None)).schema_version == "2020-08-15"


def test_tcp_and_the_methods_of_http() -> None:
    tcp = {"protocol": "TCP", "port": 8081}
    assert subscription(TELEMETRY, request(destination=tcp)).destination == Destination("TCP", 8081)
    put = {**HTTP, "method": "PUT", "encoding": "JSON"}
    assert subscription(LOGS, request(schemaVersion="2021-03-18", destination=put)).destination.method == "PUT"


@pytest.mark.parametrize(
    ("name", "least", "most"), [("maxItems", 1000, 10_000), ("maxBytes", 262_144, 1_048_576), ("timeoutMs", 25, 30_000)]
)
def test_the_limits_of_buffering(name: str, least: int, most: int) -> None:
    for value in (least, most):
        subscription(TELEMETRY, request(buffering={name: value}))
    refused: list[object] = [least - 1, most + 1, "1000", True]
    for wrong in refused:
        message = refusal(request(buffering={name: wrong}))
        assert message == f"{name} should be between {least} and {most}"


@pytest.mark.parametrize(
    ("destination", "text"),
    [
        (None, "destination is not provided"),
        ({}, "protocol should be HTTP or TCP"),
        ({"protocol": "UDP"}, "protocol should be HTTP or TCP"),
        ({"protocol": "HTTP"}, "URI is not provided"),
        ({"protocol": "HTTP", "URI": "http://sandbox"}, "URI port is not provided"),
        ({"protocol": "HTTP", "URI": "https://sandbox:1"}, "URI scheme should be http"),
        ({"protocol": "HTTP", "URI": "http://127.0.0.1:8080"}, "URI host should be sandbox.localdomain"),
        (
            {"protocol": "HTTP", "URI": "http://sandbox.localdomain@10.0.0.1:80"},
            "URI host should be sandbox.localdomain",
        ),
        ({"protocol": "HTTP", "URI": "http://a:b@sandbox:80"}, "URI should have no user"),
        ({"protocol": "HTTP", "URI": "http://sandbox:99999"}, "URI is not valid"),
        ({"protocol": "HTTP", "URI": "http://sandbox:9001"}, "URI port 9001 is reserved"),
        ({"protocol": "HTTP", "URI": "http://sandbox:80/\r\nX: y"}, "URI is not provided"),
        ({"protocol": "HTTP", "URI": "http://sandbox:80/ä"}, "URI is not provided"),
        ({"protocol": "HTTP", "URI": "http://sandbox:80", "method": "GET"}, "method should be POST or PUT"),
        ({"protocol": "TCP"}, "port is not provided"),
        ({"protocol": "TCP", "port": 0}, "port should be between 1 and 65535"),
        ({"protocol": "TCP", "port": 4566}, "port 4566 is reserved"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_destinations_that_are_refused(destination: dict[str, Any] | None, text: str) -> None:
    assert text in refusal(request(destination=destination))


def test_everything_that_is_wrong_is_named() -> None:
    body = request(types=[], destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain"})
    assert refusal(body) == "types should not be empty; URI port is not provided"
    assert "schemaVersion" in refusal(request(schemaVersion="2020-08-15"))
    assert "schemaVersion" in refusal(request(schemaVersion="2022-12-13"), LOGS)
    assert "types should be of" in refusal(request(types=["traces"]))
    assert refusal(b"[]") == "The request should be a JSON object"
    assert "Invalid JSON" in refusal(b"{")
