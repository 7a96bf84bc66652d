"""The node's own HTTP interface, below `/_cloudlet/`: health, status, clock, deliveries, reset, services' plain routes.

Who may do what:

| path | from outside | from inside a sandbox |
| --- | --- | --- |
| `health`, `ready` | all | refused |
| `status`, `clock` (read) | all while the node is open, else whoever signs with the root key | refused |
| `deliveries` (read) | the same | refused |
| `deliveries/retry`, `deliveries/drop` | the same, and no other site's page | refused |
| `development`, `debug`, `debug/end` | whoever signs with the root key, and no other site's page | refused |
| `clock` (change) | the same, and no other site's page | refused |
| `reset` | the same, in dev mode only | refused |
| `<key>/...` | what the service's route decides | the same |

A node is open in dev mode on loopback. A page in a browser can send requests to loopback too, so that changes take
neither a foreign `Origin` nor a request that a plain HTML form could make (`walls.py`). What reads folders of this
machine or opens ports on it wants the root key all the same: who has it may read the data folder.
"""

import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson

from cloudlet.config import Config
from cloudlet.delivery.by_hand import ByHand
from cloudlet.errors import ServiceError
from cloudlet.gateway.control_deliveries import BadDeliveryRequest, DeliveryControl, parameters
from cloudlet.gateway.walls import TOPIC_HEADER, has_foreign_origin, host_name, is_embedded, is_own_host
from cloudlet.iam.principals import Principal
from cloudlet.services.base import RouteHandler
from cloudlet.wire.http import HttpRequest, HttpResponse

PREFIX = "/_cloudlet/"
NEEDS_ROOT_KEY = (
    "Sign this request with the node's root key, which is in the file credentials of its data folder: the command line "
    "does where it may read that."
)
MAX_ADVANCE_S = 100 * 366 * 86400.0
"""The clock is not moved further than this in one call."""


class ControlledNode(Protocol):
    """What the control interface needs of the node."""

    @property
    def is_ready(self) -> bool:
        """True while the node serves."""

    @property
    def deliveries(self) -> ByHand:
        """Asynchronous work, for people to look at and to change."""

    def now(self) -> float:
        """The platform's time: seconds since the epoch."""

    def offset_s(self) -> float:
        """How far the platform's time is ahead of the host's, in seconds."""

    async def advance(self, duration_s: float) -> None:
        """Move the platform's time forward, durably."""

    async def develop(self, function_arn: str, copy: str) -> None:
        """Have a function run a copy of its project's folder in place of its package; "" ends that."""

    async def debug(self, function_arn: str, event: bytes, port: int) -> Mapping[str, Any]:
        """Invoke a function that waits for a debugger on a port of this machine; the answer has its `id`."""

    async def debugged(self, identifier: str) -> Mapping[str, Any]:
        """What has come of an invocation that is debugged, after a while at most."""

    async def end_debugging(self, identifier: str) -> None:
        """Kill an invocation that is debugged."""

    async def reset(self) -> None:
        """Forget all state of all services."""

    async def status(self) -> Mapping[str, Any]:
        """What runs here: version, uptime, services, sandboxes, memory."""


class ControlError(Exception):
    """The answer to a control request that cannot be served."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """Answers requests below `/_cloudlet/`."""

    def __init__(
        self, config: Config, node: ControlledNode, authenticate: Callable[[HttpRequest], Awaitable[Principal]]
    ) -> None:
        self._config = config
        self._node = node
        self._authenticate = authenticate
        self._routes: dict[str, RouteHandler] = {}
        self._commands: dict[tuple[str, str], RouteHandler] = {
            ("GET", "health"): self._health,
            ("GET", "ready"): self._ready,
            ("GET", "status"): self._status,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._move_clock,
            ("GET", "deliveries"): self._deliveries,
            ("GET", "deliveries/payload"): self._delivery_payload,
            ("POST", "deliveries/retry"): self._retry_deliveries,
            ("POST", "deliveries/drop"): self._drop_deliveries,
            ("POST", "development"): self._develop,
            ("POST", "debug"): self._debug,
            ("GET", "debug"): self._debugged,
            ("POST", "debug/end"): self._end_debugging,
            ("POST", "reset"): self._reset,
        }

    def add_routes(self, routes: Mapping[str, RouteHandler]) -> None:
        """Serve each of `routes` below `/_cloudlet/<key>/`. Raises ValueError for a key that is taken."""
        taken = {command for _, command in self._commands} | set(self._routes)
        if both := taken & set(routes):
            raise ValueError(f"routes that are taken: {', '.join(sorted(both))}")
        self._routes.update(routes)

    async def handle(self, request: HttpRequest, *, sandboxed: bool) -> HttpResponse:
        """The answer to `request`, whose path starts with `/_cloudlet/`."""
        try:
            return await self._handle(request, sandboxed)
        except ControlError as error:
            return _answer({"message": str(error)}, error.status)
        except BadDeliveryRequest as error:
            return _answer({"message": str(error)}, 400)
        except ServiceError as error:
            return _answer({"message": error.message, "code": error.code}, max(error.status, 400))

    async def _handle(self, request: HttpRequest, sandboxed: bool) -> HttpResponse:
        path = request.raw_path.removeprefix(PREFIX).rstrip("/")
        if route := self._routes.get(path.split("/", 1)[0]):
            return await route(request)
        if sandboxed:
            raise ControlError(403, "A function cannot control the node.")
        method = "GET" if request.method == "HEAD" else request.method
        if handler := self._commands.get((method, path)):
            return await handler(request)
        if any(path == command for _, command in self._commands):
            raise ControlError(405, f"{path} does not take {request.method}.")
        raise ControlError(404, f"There is nothing at {request.raw_path}.")

    async def _health(self, _request: HttpRequest) -> HttpResponse:
        return _answer({"status": "ok"})

    async def _ready(self, _request: HttpRequest) -> HttpResponse:
        ready = self._node.is_ready
        return _answer({"ready": ready}, 200 if ready else 503)

    async def _status(self, request: HttpRequest) -> HttpResponse:
        await self._require_operator(request)
        return _answer(await self._node.status())

    async def _clock(self, request: HttpRequest) -> HttpResponse:
        await self._require_operator(request)
        now = self._node.now()
        moment = datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="milliseconds")
        return _answer({"now": now, "time": moment.replace("+00:00", "Z"), "offset_s": self._node.offset_s()})

    async def _move_clock(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        await self._require_operator(request)
        await self._node.advance(_duration_s(_object(request.body), self._node.now()))
        return await self._clock(request)

    async def _deliveries(self, request: HttpRequest) -> HttpResponse:
        await self._require_operator(request)
        return _answer(await DeliveryControl(self._node.deliveries).listed(request.query_string))

    async def _delivery_payload(self, request: HttpRequest) -> HttpResponse:
        await self._require_operator(request)
        shown = await DeliveryControl(self._node.deliveries).show(request.query_string)
        if shown is None:
            raise ControlError(404, "There is no such delivery.")
        return _answer(shown)

    async def _retry_deliveries(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        await self._require_operator(request)
        return _answer(await DeliveryControl(self._node.deliveries).retry(_object(request.body)))

    async def _drop_deliveries(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        await self._require_operator(request)
        return _answer(await DeliveryControl(self._node.deliveries).drop(_object(request.body)))

    async def _develop(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        await self._require_root_key(request)
        match _object(request.body):
            case {"function": str() as function, "copy": str() as copy}:
                await self._node.develop(function, copy)
                return _answer({"function": function, "copy": copy})
        raise ControlError(400, 'Send {"function": ARN, "copy": name}.')

    async def _debug(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        await self._require_root_key(request)
        match _object(request.body):
            case {"function": str() as function, "payload": str() as payload, "port": int() as port}:
                return _answer(await self._node.debug(function, payload.encode(), port))
        raise ControlError(400, 'Send {"function": ARN, "payload": JSON as a text, "port": number}.')

    async def _debugged(self, request: HttpRequest) -> HttpResponse:
        await self._require_root_key(request)
        return _answer(await self._node.debugged(parameters(request.query_string).get("id", "")))

    async def _end_debugging(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        await self._require_root_key(request)
        await self._node.end_debugging(str(_object(request.body).get("id", "")))
        return _answer({})

    async def _reset(self, request: HttpRequest) -> HttpResponse:
        self._require_own_page(request)
        if self._config.auth != "dev":
            raise ControlError(403, "A node is emptied in dev mode only (--auth dev).")
        await self._require_operator(request)
        await self._node.reset()
        return _answer({"reset": True})

    async def _require_operator(self, request: HttpRequest) -> None:
        """Raise ControlError unless the node is open or the caller signs with the root key."""
        if self._config.is_open:
            self._require_own_host(request)
            return
        principal = await self._authenticate(request)
        if principal.kind != "root" or principal.account != self._config.account:
            raise ControlError(403, "Only the node's root key may do this.")

    async def _require_root_key(self, request: HttpRequest) -> None:
        """Raise ControlError unless the caller signs with the root key, also where the node is open."""
        await self._require_operator(request)
        if not self._config.is_open:
            return
        try:
            principal = await self._authenticate(request)
        except ServiceError as error:
            raise ControlError(403, f"{NEEDS_ROOT_KEY} ({error.message})") from error
        if principal.kind != "root" or principal.account != self._config.account:
            raise ControlError(403, NEEDS_ROOT_KEY)

    def _require_own_host(self, request: HttpRequest) -> None:
        """A foreign name that resolves to this machine (DNS rebinding) makes a page's requests look like our own."""
        if not is_own_host(host_name(request.host), self._config):
            raise ControlError(403, "The Host header names another machine.")

    def _require_own_page(self, request: HttpRequest) -> None:
        if has_foreign_origin(request, self._config) or is_embedded(request):
            raise ControlError(403, "Another site's page cannot control the node.")
        if TOPIC_HEADER in request.headers:  # of a topic of this node, or of another on this machine
            raise ControlError(403, "A topic's subscription cannot control the node.")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json" and "x-cloudlet" not in request.headers:
            raise ControlError(415, "Send Content-Type: application/json (or a header X-Cloudlet).")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ControlError(400, "The body is not a JSON object.")
    return value


def _duration_s(body: Mapping[str, Any], now: float) -> float:
    """How far `{"advance_s": seconds}` or `{"set": "2026-07-01T00:00:00Z"}` moves the clock."""
    match body:
        case {"advance_s": int() | float() as duration_s} if not isinstance(duration_s, bool):
            pass
        case {"set": str() as text}:
            try:
                moment = datetime.datetime.fromisoformat(text)
            except ValueError as error:
                raise ControlError(400, f"{text!r} is not a time like 2026-07-01T00:00:00Z.") from error
            duration_s = moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp() - now
        case _:
            raise ControlError(400, 'Send {"advance_s": seconds} or {"set": "2026-07-01T00:00:00Z"}.')
    if not 0 <= duration_s <= MAX_ADVANCE_S:
        raise ControlError(400, "Time moves forward only, and at most 100 years in one call.")
    return float(duration_s)


def _answer(value: Mapping[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, orjson.dumps(value))
