"""The edge: from an HTTP request to an operation's answer.

    read head -> route -> read body -> authenticate -> decode -> dispatcher (authorise, validate, call) -> encode

It is a bare ASGI application, twice: `public` serves the node's address, `sandboxed` the sockets inside sandboxes, from
where the node cannot be controlled and dev keys mean nothing.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

from cloudlet.config import Config
from cloudlet.errors import AccessDenied, InternalFailure, ServiceError, ServiceUnavailable, ValidationError
from cloudlet.gateway.body import BodyReader, ClientGone, gone, pieces, platform_limit
from cloudlet.gateway.connection import ANSWER, Answer, Message, Receive, Send
from cloudlet.gateway.control import PREFIX, Control
from cloudlet.gateway.cors import is_preflight, preflight, shared
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.gateway.router import Destination, Form, Router
from cloudlet.gateway.walls import has_foreign_origin, obstacle
from cloudlet.iam.authenticate import Authenticator, Target
from cloudlet.iam.principals import RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import BodyLimit, Service, StreamedRequest
from cloudlet.store.base import StoreFull, StoreUnavailable, UnstorableText
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.integrity import inflate

logger = logging.getLogger(__name__)
RawHeaders = list[tuple[bytes, bytes]]
REQUEST_ID_HEADERS = (b"x-amzn-RequestId", b"x-amz-request-id")
"""Most services use the first, S3 and its like the second."""
_REQUEST_ID_NAMES = frozenset(name.decode() for name in REQUEST_ID_HEADERS)


class Edge:
    """Answers HTTP requests. Holds no state of requests."""

    def __init__(
        self,
        config: Config,
        router: Router,
        authenticator: Authenticator,
        dispatcher: Dispatcher,
        control: Control,
        ids: Ids,
    ) -> None:
        self._config = config
        self._router = router
        self._authenticator = authenticator
        self._dispatcher = dispatcher
        self._control = control
        self._ids = ids
        self._bodies = BodyReader()
        self._usual_limit = platform_limit(config.max_body_bytes)
        self._limits: dict[tuple[str, str], BodyLimit] = {}
        self._is_open = config.is_open

    def add_limits(self, services: Iterable[Service]) -> None:
        """Hold requests to the limits that `services` set for their operations."""
        for service in services:
            self._limits.update({(service.name, name): limit for name, limit in service.body_limits.items()})

    async def public(self, scope: Message, receive: Receive, send: Send) -> None:
        """The ASGI application of the node's address."""
        await self._serve(scope, receive, send, sandboxed=False)

    async def sandboxed(self, scope: Message, receive: Receive, send: Send) -> None:
        """The ASGI application inside sandboxes."""
        await self._serve(scope, receive, send, sandboxed=True)

    async def _serve(self, scope: Message, receive: Receive, send: Send, *, sandboxed: bool) -> None:
        request_id = self._ids.uuid()
        request = read_head(scope)
        try:
            response = await self._respond(request, receive, request_id, sandboxed)
        except ClientGone:
            return
        await send_response(response, request_id, receive, send, scope.get("extensions", {}).get(ANSWER))

    async def _respond(self, request: HttpRequest, receive: Receive, request_id: str, sandboxed: bool) -> HttpResponse:
        destination: Destination | None = None
        try:
            # A function's own host is all its own: a page that it made must not be one of the node's.
            if request.raw_path.startswith(PREFIX) and not self._router.host_handler(request):
                request.body = await self._bodies.read(request, receive, self._usual_limit)
                return await self._control.handle(request, sandboxed=sandboxed)
            if handler := self._router.host_handler(request):
                request.sandboxed = sandboxed
                request.body = await self._bodies.read(request, receive, self._usual_limit)
                return await handler(request)
            if stream := self._router.stream_handler(request):
                self._require_wanted(request, sandboxed)
                return await stream(StreamedRequest(request, pieces(receive), request_id, sandboxed))
            if is_preflight(request):
                self._require_wanted(request, sandboxed)
                return preflight(request)
            route = self._router.route(request)
            if isinstance(route, Form):
                request.body = await self._bodies.read(request, receive, self._usual_limit)
                is_compressed = "gzip" in request.headers.get("content-encoding", "")
                form = inflate(request.body) if is_compressed else request.body  # what is signed is the body as it came
                destination = self._router.route_form(route, form)
                self._check_form(request, destination)
            else:
                destination = route
                limit = self._limits.get((route.service, route.operation), self._usual_limit)
                request.body = await self._bodies.read(request, receive, limit)
            response = await self._call(request, destination, request_id, sandboxed, partial(gone, receive))
            return shared(request, response)
        except ServiceError as error:
            failure = error
        except (StoreFull, StoreUnavailable) as error:
            logger.error("no store", extra={"request_id": request_id, "reason": str(error)})
            failure = ServiceUnavailable("The store cannot take the request now; try again.")
        except UnstorableText:
            # Checked by no model, and by services only where they look at it: the store is the last to see it.
            failure = ValidationError("The request contains a NUL character in a text that names something.")
        except ClientGone:
            raise
        except Exception:
            logger.exception("request failed", extra=_described(request, destination, request_id))
            failure = InternalFailure("The request processing has failed because of an unknown error.")
        answer = self._router.encode_error(request, destination, failure, request_id)
        is_unwanted = self._is_open and has_foreign_origin(request, self._config)
        return answer if is_unwanted else shared(request, answer)

    def _check_form(self, request: HttpRequest, destination: Destination) -> None:
        """Raises what is answered to a form that is too large for the operation that it names."""
        limit = self._limits.get((destination.service, destination.operation), self._usual_limit)
        if len(request.body) > limit.max_bytes:
            raise limit.error(len(request.body), request)

    async def _call(
        self,
        request: HttpRequest,
        destination: Destination,
        request_id: str,
        sandboxed: bool,
        gone: Callable[[], Awaitable[object]],
    ) -> HttpResponse:
        """Authenticate, decode, call and encode. Raises ServiceError."""
        self._require_wanted(request, sandboxed)
        model, protocol, headers = destination.model, destination.protocol, request.headers
        target = Target(model.name, model.signing_name, protocol, destination.operation)
        caller = await self._authenticator.authenticate(request, target, sandboxed=sandboxed)
        self._dispatcher.require(model.name, destination.operation)
        operation = model.operation(destination.operation)
        params = operation.decode(protocol, request, destination.labels)
        context = RequestContext(
            caller.principal,
            caller.region,
            request_id,
            source_ip=request.source_ip,
            user_agent=headers.get("user-agent", ""),
            endpoint=f"{request.scheme}://{headers.get('host', '')}",
            trace_id=headers.get("x-amzn-trace-id", ""),
            is_private=sandboxed or self._is_open,
            gone=gone,
        )
        result = await self._dispatcher.call(context, model.name, destination.operation, params)
        return operation.encode(protocol, result or {}, request_id)

    def _require_wanted(self, request: HttpRequest, sandboxed: bool) -> None:
        """Raise AccessDenied for what others than this machine's programs have sent to an open node (`walls`)."""
        if self._is_open and not sandboxed and (reason := obstacle(request, self._config)):
            raise AccessDenied(reason)


async def send_response(
    response: HttpResponse, request_id: str, receive: Receive, send: Send, answer: Answer | None = None
) -> None:
    """Send `response`, with a request id if it has none. A streamed body ends early when the client goes.

    `answer` is tried first where the body is there already.
    """
    body = response.body
    if answer is not None and isinstance(body, bytes) and not response.cookies:
        head = "".join([f"{name}: {value}\r\n" for name, value in response.headers.items()])
        if _REQUEST_ID_NAMES.isdisjoint(response.headers):
            head += f"x-amzn-RequestId: {request_id}\r\n"
        if answer(response.status, head, body):
            return
    headers: RawHeaders = [
        (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in response.headers.items()
    ]
    if response.cookies:
        headers += ((b"set-cookie", value.encode("latin-1", "replace")) for value in response.cookies)
    if not any(name in REQUEST_ID_HEADERS for name, _ in headers):
        headers.append((REQUEST_ID_HEADERS[0], request_id.encode()))
    if isinstance(body, bytes):
        if response.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    leaving = asyncio.ensure_future(gone(receive))
    try:
        async for chunk in body:
            if leaving.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except Exception:
        logger.exception("answer broke off", extra={"request_id": request_id})
        raise  # the server closes the connection: the client must see that this is not all
    finally:
        leaving.cancel()
        if isinstance(body, AsyncGenerator):
            await body.aclose()


def read_head(scope: Message) -> HttpRequest:
    """The request of an ASGI scope, without its body."""
    raw: RawHeaders = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) != len(raw):
        headers = _joined(raw)
    client = scope["client"]
    return HttpRequest(
        scope["method"],
        scope["raw_path"].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        headers,
        raw_headers=_RawHeaders(raw),
        source_ip=client[0] if client else "",
        scheme=scope["scheme"],
    )


class _RawHeaders:
    """All headers in their order, decoded when somebody asks."""

    __slots__ = ("_raw",)

    def __init__(self, raw: RawHeaders) -> None:
        self._raw = raw

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._raw)


def _joined(raw: RawHeaders) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1"), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _described(request: HttpRequest, destination: Destination | None, request_id: str) -> dict[str, Any]:
    described = {"request_id": request_id, "method": request.method, "path": request.raw_path}
    if destination is not None:
        described |= {"service": destination.service, "operation": destination.operation}
    return described
