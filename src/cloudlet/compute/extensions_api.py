"""The Extensions API (2020-01-01), and the ways into the Telemetry and Logs APIs: what extensions ask of the platform.

They come in on the same address as the Runtime API. What a call means for the environment is told to `ExtensionEvents`.
Error types and texts are those of AWS's own server (the runtime interface emulator is built from it).
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import uuid
from typing import Any, Final, Protocol

import orjson

from cloudlet.compute import api_messages
from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.extension import Extension, Poller, Refused
from cloudlet.compute.extensions import Extensions
from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.telemetry_api import LOGS, TELEMETRY, Subscription, subscription

MAX_BODY_BYTES: Final = 64 * 1024
"""Far more than any of these requests needs."""
MAX_NAME: Final = 255
"""A file's name, as those of external ones are: it stands in the log."""
INIT_ERROR: Final = "Extension.InitError"
EXIT_ERROR: Final = "Extension.ExitError"

_NAME: Final = "lambda-extension-name"
_IDENTIFIER: Final = "lambda-extension-identifier"
_ERROR_TYPE: Final = "lambda-extension-function-error-type"
_FEATURES: Final = "lambda-extension-accept-feature"


class ExtensionEvents(Protocol):
    """Who is told what extensions do. Called from the event loop; must not raise."""

    def extension_registered(self) -> None:
        """One has registered."""

    def extension_waits(self) -> None:
        """One asked for the next event."""

    def extension_reported(self, error_type: str) -> None:
        """One says that it failed: `Extension.InitError` or `Extension.ExitError`."""

    def extension_subscribes(self, extension: Extension, wanted: Subscription) -> None:
        """One wants telemetry. Raises Refused."""


class ExtensionsApi:
    """Answers the calls of one environment's extensions."""

    def __init__(self, function: FunctionVersion, extensions: Extensions, events: ExtensionEvents) -> None:
        self._function = function
        self._extensions = extensions
        self._events = events

    def handle(self, request: ApiRequest, poller: Poller) -> None:
        """Answer one call; that of `next` is answered when there is an event."""
        try:
            if len(request.body) > MAX_BODY_BYTES:
                raise Refused("RequestEntityTooLarge", "Request body is too large", "413 Request Entity Too Large")
            answer = self._answer(request, poller)
        except Refused as error:
            answer = api_messages.refusal(error)
        if answer:
            poller.answer(answer)

    def _answer(self, request: ApiRequest, poller: Poller) -> bytes:
        route = _ROUTES.get(request.path.rstrip("/"))
        if route is None:
            return api_messages.NOT_FOUND
        method, name = route
        if request.method != method:
            return api_messages.NOT_ALLOWED
        if name == "register":
            return self._register(request)
        caller = self._extensions.identified(_identifier(request))
        if name == "next":
            return self._next(caller, poller)
        if name in (LOGS, TELEMETRY):
            self._events.extension_subscribes(caller, subscription(name, request.body))
            return api_messages.SUBSCRIBED
        return self._error(caller, name, request)

    def _register(self, request: ApiRequest) -> bytes:
        name = request.headers.get(_NAME, "")
        if not name:
            raise Refused("Extension.InvalidExtensionName", "Empty extension name")
        if len(name) > MAX_NAME or not name.isprintable():
            raise Refused("Extension.InvalidExtensionName", "Invalid extension name")
        registered = self._extensions.register(name, _events(request.body))
        function = self._function
        body = {"functionName": function.name, "functionVersion": function.version, "handler": function.handler}
        if "accountId" in (feature.strip() for feature in request.headers.get(_FEATURES, "").split(",")):
            body["accountId"] = function.account
        self._events.extension_registered()
        return api_messages.answer(
            "200 OK", orjson.dumps(body) + b"\n", {"Lambda-Extension-Identifier": registered.identifier}
        )

    def _next(self, caller: Extension, poller: Poller) -> bytes:
        caller.next(poller)
        self._events.extension_waits()
        return b""

    def _error(self, caller: Extension, name: str, request: ApiRequest) -> bytes:
        error_type = request.headers.get(_ERROR_TYPE, "")
        if not error_type:
            raise Refused("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
        if name == INIT_ERROR:
            caller.init_error(error_type)
        else:
            caller.exit_error(error_type)
        self._events.extension_reported(name)
        return api_messages.ACCEPTED


_ROUTES: Final = {
    "/2020-01-01/extension/register": ("POST", "register"),
    "/2020-01-01/extension/event/next": ("GET", "next"),
    "/2020-01-01/extension/init/error": ("POST", INIT_ERROR),
    "/2020-01-01/extension/exit/error": ("POST", EXIT_ERROR),
    "/2022-07-01/telemetry": ("PUT", TELEMETRY),
    "/2020-08-15/logs": ("PUT", LOGS),
}


def _identifier(request: ApiRequest) -> str:
    """Who calls, as it says. Raises Refused."""
    given = request.headers.get(_IDENTIFIER, "")
    if not given:
        raise Refused("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise Refused("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier") from None


def _events(body: bytes) -> list[str]:
    """What a register call wants to hear of. Raises Refused."""
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("InvalidRequestFormat", str(error)) from None
    if not isinstance(given, dict):
        raise Refused("InvalidRequestFormat", "The body must be a JSON object")
    if given.get("configurationKeys"):
        raise Refused("InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead")
    events = given.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise Refused("InvalidRequestFormat", "events must be an array of strings")
    return events
