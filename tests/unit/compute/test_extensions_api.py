"""The Extensions API by its requests and answers."""

import orjson
import pytest

from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.extension import Extension
from cloudlet.compute.extensions import Extensions
from cloudlet.compute.extensions_api import MAX_BODY_BYTES, ExtensionsApi
from cloudlet.compute.telemetry_api import Subscription
from cloudlet.ids import Ids
from tests.support.compute_world import ACCOUNT, function_version
from tests.unit.compute.test_extension import KeptPoller

REGISTER = "/2020-01-01/extension/register"
NEXT = "/2020-01-01/extension/event/next"
INIT_ERROR = "/2020-01-01/extension/init/error"
EXIT_ERROR = "/2020-01-01/extension/exit/error"


class Api:
    """An API with what it told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.extensions = Extensions(["watcher"], Ids())
        self._api = ExtensionsApi(function_version(), self.extensions, self)

    def extension_registered(self) -> None:
        self.told.append("registered")

    def extension_waits(self) -> None:
        self.told.append("waits")

    def extension_reported(self, error_type: str) -> None:
        self.told.append(error_type)

    def extension_subscribes(self, extension: Extension, wanted: Subscription) -> None:
        self.told.append((extension.name, wanted.api, wanted.types))

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[str, dict[str, str], bytes]:
        """Status, headers and body of the answer; an empty status when there is none yet."""
        poller = KeptPoller()
        named = {f"lambda-extension-{name.replace('_', '-')}": value for name, value in headers.items()}
        self._api.handle(ApiRequest(method, path, named, body), poller)
        if not poller.answers:
            return "", {}, b""
        head, _, answer = poller.answers[0].partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return status.partition(" ")[2], dict(line.split(": ", 1) for line in lines), answer

    def register(self, body: bytes = b'{"events":["INVOKE"]}', name: str = "watcher", **headers: str) -> str:
        """Register; the identifier."""
        status, answered, _ = self.call("POST", REGISTER, body, name=name, **headers)
        assert status == "200 OK"
        return answered["Lambda-Extension-Identifier"]

    def error(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[str, str, str]:
        """Status, type and text of an error."""
        status, _, answer = self.call(method, path, body, **headers)
        error = orjson.loads(answer)
        return status, error["errorType"], error["errorMessage"]


def test_registering_tells_of_the_function() -> None:
    api = Api()
    status, headers, body = api.call("POST", REGISTER, b'{"events":["INVOKE","SHUTDOWN"]}', name="watcher")
    assert status == "200 OK"
    assert orjson.loads(body) == {"functionName": "greet", "functionVersion": "$LATEST", "handler": "app.handler"}
    assert api.extensions.identified(headers["Lambda-Extension-Identifier"]).events == ("INVOKE", "SHUTDOWN")
    assert api.told == ["registered"]


def test_the_account_is_told_to_who_asks_for_it() -> None:
    _, _, body = Api().call("POST", REGISTER, b"{}", name="watcher", accept_feature="accountId")
    assert orjson.loads(body)["accountId"] == ACCOUNT


def test_next_is_answered_with_the_event() -> None:
    api = Api()
    identifier = api.register()
    assert api.call("GET", NEXT, identifier=identifier)[0] == ""
    assert api.told == ["registered", "waits"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "zero-length, empty document"),
        (b"[]", "The body must be a JSON object"),
        (b'{"events":"INVOKE"}', "events must be an array of strings"),
        (b'{"events":[1]}', "events must be an array of strings"),
        (b'{"configurationKeys":["a"]}', "configurationKeys are deprecated; use environment variables instead"),
    ],
    ids=["nothing", "an array", "a string", "numbers", "configuration keys"],
)
def test_what_is_no_registration(body: bytes, text: str) -> None:
    status, kind, message = Api().error("POST", REGISTER, body, name="watcher")
    assert (status, kind) == ("403 Forbidden", "InvalidRequestFormat")
    assert text in message


@pytest.mark.parametrize("name", ["x" * 256, "a\tState: Ready"], ids=["too long", "two fields"])
def test_what_is_no_name(name: str) -> None:
    assert Api().error("POST", REGISTER, b"{}", name=name)[1] == "Extension.InvalidExtensionName"


def test_without_a_name() -> None:
    assert Api().error("POST", REGISTER, b"{}") == (
        "403 Forbidden",
        "Extension.InvalidExtensionName",
        "Empty extension name",
    )


def test_who_calls_must_say_who_it_is() -> None:
    api = Api()
    missing = ("403 Forbidden", "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    invalid = ("403 Forbidden", "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
    for method, path in (("GET", NEXT), ("POST", INIT_ERROR), ("POST", EXIT_ERROR), ("PUT", "/2022-07-01/telemetry")):
        assert api.error(method, path) == missing
        assert api.error(method, path, identifier="nobody") == invalid


def test_errors_are_told_with_their_type() -> None:
    api = Api()
    identifier = api.register()
    assert api.error("POST", INIT_ERROR, identifier=identifier) == (
        "403 Forbidden",
        "Extension.MissingHeader",
        "Lambda-Extension-Function-Error-Type not found",
    )
    answer = api.call("POST", INIT_ERROR, identifier=identifier, function_error_type="Extension.NoKey")
    assert (answer[0], answer[2]) == ("202 Accepted", b'{"status":"OK"}\n')
    assert api.told == ["registered", "Extension.InitError"]
    other = Api()
    other.call("POST", EXIT_ERROR, identifier=other.register(), function_error_type="Extension.NoKey")
    assert other.told == ["registered", "Extension.ExitError"]


def test_subscriptions_are_passed_on() -> None:
    api = Api()
    body = {"types": ["platform"], "destination": {"protocol": "HTTP", "URI": "http://sandbox:8080"}}
    status, _, answer = api.call("PUT", "/2020-08-15/logs", orjson.dumps(body), identifier=api.register())
    assert (status, answer) == ("200 OK", b'"OK"')
    assert api.told == ["registered", ("watcher", "logs", ("platform",))]


def test_other_paths_and_methods() -> None:
    api = Api()
    assert api.call("GET", "/2020-01-01/extension/other")[0] == "404 Not Found"
    assert api.call("GET", REGISTER)[0] == "405 Method Not Allowed"
    assert api.call("POST", "/2022-07-01/telemetry/")[0] == "405 Method Not Allowed"


def test_a_body_that_is_too_large() -> None:
    status, kind, _ = Api().error("POST", REGISTER, b" " * (MAX_BODY_BYTES + 1), name="watcher")
    assert (status, kind) == ("413 Request Entity Too Large", "RequestEntityTooLarge")
