"""What answers at function URLs: checks who calls, runs the function, and speaks HTTP for it.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html, urls-auth.html
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final

import orjson

from cloudlet.compute import lineage
from cloudlet.compute.function import ComputeError, Invocation, TooManyRequests
from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Gate, Platform
from cloudlet.services.lambda_ import limits, url_config, url_cors, url_event
from cloudlet.services.lambda_.engines import Compute
from cloudlet.services.lambda_.routes import Route, Routes
from cloudlet.services.lambda_.streaming import Streamed
from cloudlet.services.lambda_.url_config import AWS_IAM, RESPONSE_STREAM, UrlConfig
from cloudlet.services.lambda_.url_event import MalformedAnswer, UrlAnswer
from cloudlet.wire.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

PRELUDE_TYPE: Final = "application/vnd.awslambda.http-integration-response"
PRELUDE_END: Final = bytes(8)
MAX_PRELUDE_BYTES: Final = 64 * 1024
FORBIDDEN: Final = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


class StreamBroken(Exception):
    """A function failed in the middle of its response: what is left is to hang up."""


class UrlEndpoint:
    """Serves the hosts of function URLs."""

    def __init__(self, platform: Platform, compute: Compute, routes: Routes) -> None:
        self._platform = platform
        self._compute = compute
        self._routes = routes
        self.gate: Gate | None = None
        """Who checks callers; the node sets it."""

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to `<id>.lambda-url.<region>.<domain>`."""
        url_id = request.host.partition(".")[0]
        config = await self._platform.store.read(lambda reader: url_config.find_by_id(reader, url_id))
        if config is None:
            return _refusal(404, None, "ResourceNotFoundException")
        cors: Mapping[str, Any] = orjson.loads(config.cors)
        if (answer := url_cors.preflight(cors, request)) is not None:
            return answer
        if len(request.body) > limits.SYNCHRONOUS_PAYLOAD_BYTES:
            return _refusal(413, "Request payload size exceeded the limit.", "RequestTooLargeException")
        request_id = self._platform.ids.uuid()
        try:
            caller = await self._admitted(config, request, request_id)
            answer = await self._run(config, request, caller, request_id)
        except AccessDenied:
            answer = _refusal(403, FORBIDDEN, "AccessDeniedException")
        except TooManyRequests:
            answer = _refusal(429, "Rate Exceeded.", "TooManyRequestsException")
        except (ComputeError, ServiceError) as error:
            logger.info("a function URL could not run its function", extra={"reason": str(error)})
            answer = _broken()
        answer.headers = url_cors.applied(cors, request, answer.headers)
        answer.headers["x-amzn-RequestId"] = request_id
        return answer

    async def _admitted(self, config: UrlConfig, request: HttpRequest, request_id: str) -> Principal | None:
        """Who calls; None where nobody had to sign. Raises AccessDenied."""
        if self.gate is None:
            raise AccessDenied(FORBIDDEN)
        caller = None
        if config.auth_type == AWS_IAM:
            try:
                caller = await self.gate.authenticate(request)
            except ServiceError as error:
                raise AccessDenied(FORBIDDEN) from error
        principal = caller or Principal.anonymous(config.account)
        params = {"FunctionName": config.ref.arn, "FunctionUrlAuthType": config.auth_type}
        if config.ref.qualifier:
            params["Qualifier"] = config.ref.qualifier
        # Since October 2025 AWS asks for both.
        for operation, more in (("InvokeFunctionUrl", {}), ("Invoke", {"InvokedViaFunctionUrl": "true"})):
            context = RequestContext(
                principal, config.region, request_id, "lambda", operation, source_ip=request.source_ip
            )
            await self.gate.authorize(context, params | more)
        return caller

    async def _run(
        self, config: UrlConfig, request: HttpRequest, caller: Principal | None, request_id: str
    ) -> HttpResponse:
        context = RequestContext(Principal.root(config.account), config.region, request_id, operation="Invoke")
        route = await self._routes.find(context, config.ref.qualified_arn, "")
        now, trace_id = self._platform.clock.now(), request.headers.get("x-amzn-trace-id", "") or self._trace_id()
        # AWS stops no loops through URLs, but those behind them.
        chain, _ = lineage.entered(trace_id, route.function.function_arn)
        invocation = Invocation(
            request_id,
            url_event.event_of(config, request, caller, request_id, now, trace_id),
            route.invoked_arn,
            trace_id=chain,
        )
        if config.invoke_mode == RESPONSE_STREAM:
            return await self._stream(route, invocation)
        result = await self._compute.invoke(route.pick(self._platform.ids), invocation)
        if result.function_error:
            return _broken()
        return _whole(result.payload, is_head=request.method == "HEAD")

    async def _stream(self, route: Route, invocation: Invocation) -> HttpResponse:
        streamed = await Streamed.begin(self._compute, route.pick(self._platform.ids), invocation)
        if not streamed.stream.has_begun:
            result = await streamed.result()
            return _broken() if result.function_error else _whole(result.payload, is_head=False)
        chunks = streamed.chunks()
        head = await anext(chunks, b"")
        if not head and (await streamed.result()).function_error:
            return _broken()  # nothing has been said yet: it can still be an answer
        content_type = streamed.stream.content_type
        if content_type.partition(";")[0].strip() != PRELUDE_TYPE:
            return HttpResponse(
                200, {"content-type": content_type or "application/octet-stream"}, _rest(streamed, head, chunks)
            )
        while PRELUDE_END not in head and len(head) <= MAX_PRELUDE_BYTES and (chunk := await anext(chunks, b"")):
            head += chunk
        prelude, _, begun = head.partition(PRELUDE_END)
        try:
            status, headers, cookies = url_event.head_of(orjson.loads(prelude))
        except (MalformedAnswer, orjson.JSONDecodeError, AttributeError):
            await chunks.aclose()
            return _broken()
        return HttpResponse(status, headers, _rest(streamed, begun, chunks), cookies)

    def _trace_id(self) -> str:
        random = self._platform.ids.hex(24)
        return f"Root=1-{int(self._platform.clock.wall()):08x}-{random}"


async def _rest(streamed: Streamed, begun: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The body of a streamed response. Raises StreamBroken when the function fails before its end."""
    async with aclosing(chunks):
        if begun:
            yield begun
        async for chunk in chunks:
            yield chunk
    result = await streamed.result()
    if result.function_error:
        raise StreamBroken(result.payload.decode(errors="replace"))


def _whole(payload: bytes, *, is_head: bool) -> HttpResponse:
    try:
        answer: UrlAnswer = url_event.answer_of(payload)
    except MalformedAnswer as error:
        logger.info("a function's answer cannot be given at its URL", extra={"reason": str(error)})
        return _broken()
    return HttpResponse(answer.status, dict(answer.headers), b"" if is_head else answer.body, answer.cookies)


def _broken() -> HttpResponse:
    return HttpResponse(502, {"content-type": "application/json"}, b"Internal Server Error")


def _refusal(status: int, message: str | None, error_type: str) -> HttpResponse:
    headers = {"content-type": "application/json", "x-amzn-errortype": error_type}
    return HttpResponse(status, headers, orjson.dumps({"Message": message}))
