"""Invoke: checked, then run at once or queued.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson

from cloudlet.compute import function as compute
from cloudlet.compute import snap_start
from cloudlet.compute.function import Invocation, InvocationResult
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Result
from cloudlet.services.lambda_ import limits, payload, streaming
from cloudlet.services.lambda_.asynchronous import Asynchronous
from cloudlet.services.lambda_.configuration import refuse_unbuilt
from cloudlet.services.lambda_.engines import Compute
from cloudlet.services.lambda_.errors import (
    InvalidRequestContent,
    InvalidRuntime,
    LambdaError,
    RequestEntityTooLarge,
    RoleNotAssumable,
    ServiceFailure,
    SnapStartError,
    SnapStartRegenerationFailure,
    SnapStartTimeout,
    TooManyRequests,
)
from cloudlet.services.lambda_.role import RoleRefused
from cloudlet.services.lambda_.routes import Route, Routes
from cloudlet.services.lambda_.streaming import Streamed

_JSON: Final = {"HTTPHeaders": {"Content-Type": "application/json"}}
"""What Lambda calls a function's answer, though it is a blob to the model."""


class Invoker:
    """Runs functions for callers."""

    def __init__(self, platform: Platform, compute_engine: Compute, routes: Routes, asynchronous: Asynchronous) -> None:
        self._ids = platform.ids
        self._compute = compute_engine
        self._routes = routes
        self._asynchronous = asynchronous

    async def invoke(self, context: RequestContext, params: Mapping[str, Any]) -> Result:
        """Raises what Invoke raises on AWS."""
        if "TenantId" in params or "DurableExecutionName" in params:
            refuse_unbuilt(params)
        kind: str = params.get("InvocationType") or "RequestResponse"
        route, invocation = await self._checked(context, params, kind)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            await self._asynchronous.queue(route, invocation)
            return {"StatusCode": 202}
        return await self._run(route, invocation)

    async def stream(self, context: RequestContext, params: Mapping[str, Any]) -> Result:
        """The answer of InvokeWithResponseStream. Raises what it raises on AWS before the first byte."""
        if "TenantId" in params:
            refuse_unbuilt(params)
        route, invocation = await self._checked(context, params, "RequestResponse")
        if params.get("InvocationType") == "DryRun":
            return {"StatusCode": 204, "EventStream": _nothing()}
        streamed, version = await self.begin(route, invocation)
        return {
            "StatusCode": 200,
            "ExecutedVersion": version,
            "EventStream": streaming.events(streamed),
        }

    async def _checked(self, context: RequestContext, params: Mapping[str, Any], kind: str) -> tuple[Route, Invocation]:
        """What a request asks for: `kind` is what its payload may be as large as. Raises what is wrong with it."""
        event: bytes = params.get("Payload") or b""
        client_context = params.get("ClientContext") or ""
        if client_context:
            client_context = read_client_context(client_context)
        check_size(event, kind)
        route = await self._routes.find(context, params["FunctionName"], params.get("Qualifier") or "")
        payload.check(event)
        invocation = Invocation(
            request_id=context.request_id,
            payload=event or b"{}",
            invoked_function_arn=route.invoked_arn,
            client_context=client_context,
            trace_id=context.trace_id,
            tail_log=params.get("LogType") == "Tail",
        )
        return route, invocation

    async def begin(self, route: Route, invocation: Invocation) -> tuple[Streamed, str]:
        """Run an invocation whose response is passed on as it comes; with the version that runs."""
        route.enter(invocation)
        function = route.pick(self._ids)
        try:
            return await Streamed.begin(self._compute, function, invocation), function.version
        except compute.ComputeError as error:
            raise api_error(error) from error

    async def _run(self, route: Route, invocation: Invocation) -> Result:
        route.enter(invocation)
        function = route.pick(self._ids)
        try:
            result = await self._compute.invoke(function, invocation)
        except compute.ComputeError as error:
            raise api_error(error) from error
        return _answer(result, function.version, tail_log=invocation.tail_log)


async def _nothing() -> AsyncIterator[dict[str, Any]]:
    """The event stream of a dry run."""
    events: tuple[dict[str, Any], ...] = ()
    for event in events:
        yield event


def _answer(result: InvocationResult, version: str, *, tail_log: bool) -> Result:
    answer: dict[str, Any] = {
        "StatusCode": 200,
        "Payload": result.payload,
        "ExecutedVersion": version,
        "ResponseMetadata": _JSON,
    }
    if result.function_error:
        answer["FunctionError"] = result.function_error
    if tail_log:
        answer["LogResult"] = base64.b64encode(result.log_tail).decode()
    return answer


def api_error(error: compute.ComputeError) -> LambdaError:
    """The API's word for what compute could not do."""
    if isinstance(error, compute.TooManyRequests):
        after_s = None if error.retry_after_s is None else str(error.retry_after_s)
        return TooManyRequests(str(error), Reason=error.reason, retryAfterSeconds=after_s)
    if isinstance(error, compute.RuntimeMissing):
        return InvalidRuntime(str(error))
    if isinstance(error, snap_start.RestoreTimedOut):
        return SnapStartTimeout(str(error))
    if isinstance(error, snap_start.RestoreFailed):
        return SnapStartError(str(error))
    if isinstance(error, snap_start.SnapshotFailed):
        return SnapStartRegenerationFailure(
            f"Lambda couldn't regenerate the SnapStart snapshot for the function. {error}"
        )
    if isinstance(error, RoleRefused):
        return RoleNotAssumable(str(error))
    return ServiceFailure(str(error))


def check_size(event: bytes, kind: str) -> None:
    """Raises RequestEntityTooLarge for a payload over the limit of its kind of invocation."""
    limit = limits.ASYNCHRONOUS_PAYLOAD_BYTES if kind == "Event" else limits.SYNCHRONOUS_PAYLOAD_BYTES
    if len(event) > limit:
        raise too_large(len(event), kind)


def too_large(size_bytes: int, kind: str) -> RequestEntityTooLarge:
    """The error for a payload over the limit of its kind of invocation."""
    if kind == "Event":
        return RequestEntityTooLarge(
            f"{size_bytes} byte payload is too large for the Event invocation type "
            f"(limit {limits.ASYNCHRONOUS_PAYLOAD_BYTES} bytes)"
        )
    return RequestEntityTooLarge(
        f"Request must be smaller than {limits.SYNCHRONOUS_PAYLOAD_BYTES} bytes for the InvokeFunction operation"
    )


def read_client_context(encoded: str) -> str:
    """The JSON text of a client context. Raises InvalidRequestContent."""
    if len(encoded) > limits.CLIENT_CONTEXT_BYTES:
        raise InvalidRequestContent(f"Client context must be at most {limits.CLIENT_CONTEXT_BYTES} bytes of base64.")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        if not isinstance(orjson.loads(text), dict):
            raise ValueError
    except (binascii.Error, ValueError):
        raise InvalidRequestContent("Client context must be a valid Base64-encoded JSON object.") from None
    return text
