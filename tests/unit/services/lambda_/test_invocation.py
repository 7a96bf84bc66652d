"""Invoke."""

import base64
import json
from typing import Any

import pytest

from cloudlet.compute import lineage
from cloudlet.compute.function import (
    ComputeError,
    FunctionVersion,
    Invocation,
    InvocationResult,
    RuntimeMissing,
    SandboxFailure,
    TooManyRequests,
)
from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.role import REFUSED, RoleRefused
from cloudlet.wire.http import HttpRequest
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


@pytest.fixture
async def function(world: World) -> World:
    await world.create(Publish=True, Environment={"Variables": {"KEY": "value"}}, Timeout=7, MemorySize=256)
    return world


async def refusal(world: World, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await world.call("Invoke", **{"FunctionName": "fn", **params})
    return caught.value


async def test_compute_is_given_the_version_and_the_event(function: World) -> None:
    context = function.context(request_id="request")
    context.trace_id = "Root=1-2-3"
    answer = await function.dispatcher.call(context, "lambda", "Invoke", {"FunctionName": "fn", "Payload": b'{"a":1}'})
    assert {name: answer[name] for name in ("StatusCode", "Payload", "ExecutedVersion")} == {
        "StatusCode": 200,
        "Payload": b'{"a":1}',
        "ExecutedVersion": "$LATEST",
    }
    [(version, invocation)] = function.compute.ran
    assert (version.name, version.version, version.runtime, version.handler) == (
        "fn",
        "$LATEST",
        "python3.12",
        "index.handler",
    )
    assert (version.timeout_s, version.memory_mb, version.environment) == (7, 256, {"KEY": "value"})
    assert version.log_group == "/aws/lambda/fn"
    trace_id, _ = lineage.entered("Root=1-2-3", ARN)
    assert invocation == Invocation("request", b'{"a":1}', ARN, trace_id=trace_id)


async def test_no_event_is_an_empty_one(function: World) -> None:
    await function.call("Invoke", FunctionName="fn")
    assert function.compute.ran[0][1].payload == b"{}"


@pytest.mark.parametrize(
    ("params", "arn", "version"),
    [
        ({}, ARN, "$LATEST"),
        ({"Qualifier": "$LATEST"}, f"{ARN}:$LATEST", "$LATEST"),
        ({"Qualifier": "1"}, f"{ARN}:1", "1"),
        ({"FunctionName": f"{ARN}:live"}, f"{ARN}:live", "1"),
        ({"FunctionName": "fn", "Qualifier": "live"}, f"{ARN}:live", "1"),
    ],
)
async def test_the_function_sees_what_the_caller_called_it(
    function: World, params: dict[str, str], arn: str, version: str
) -> None:
    await function.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1")
    answer = await function.call("Invoke", **{"FunctionName": "fn", **params})
    assert answer["ExecutedVersion"] == version
    assert function.compute.ran[0][1].invoked_function_arn == arn


async def test_an_error_of_the_function_is_an_answer(function: World) -> None:
    function.compute.answer = lambda _function, _invocation: InvocationResult(b'{"errorType": "X"}', "Unhandled")
    answer = await function.call("Invoke", FunctionName="fn")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")


async def test_the_tail_of_the_log_comes_when_it_is_asked_for(function: World) -> None:
    function.compute.answer = lambda _function, _invocation: InvocationResult(b"null", log_tail=b"END\n")
    assert "LogResult" not in await function.call("Invoke", FunctionName="fn", LogType="None")
    answer = await function.call("Invoke", FunctionName="fn", LogType="Tail")
    assert base64.b64decode(answer["LogResult"]) == b"END\n"
    assert [invocation.tail_log for _, invocation in function.compute.ran] == [False, True]


async def test_a_dry_run_runs_nothing(function: World) -> None:
    assert await function.call("Invoke", FunctionName="fn", InvocationType="DryRun") == {"StatusCode": 204}
    assert not function.compute.ran
    assert (await refusal(function, FunctionName="other", InvocationType="DryRun")).code == "ResourceNotFoundException"


async def test_a_client_context_is_handed_on_as_json(function: World) -> None:
    text = json.dumps({"custom": {"foo": "bar"}})
    await function.call("Invoke", FunctionName="fn", ClientContext=base64.b64encode(text.encode()).decode())
    assert function.compute.ran[0][1].client_context == text


@pytest.mark.parametrize(
    "context", ["{}", "e30", base64.b64encode(b"[1]").decode(), base64.b64encode(b"\xff").decode()]
)
async def test_a_client_context_must_be_an_object_in_base64(function: World, context: str) -> None:
    error = await refusal(function, ClientContext=context)
    assert error.code == "InvalidRequestContentException"
    assert error.message == "Client context must be a valid Base64-encoded JSON object."


async def test_a_client_context_has_3583_bytes(function: World) -> None:
    fits = base64.b64encode(b'{"a":"' + b"x" * (limits.CLIENT_CONTEXT_BYTES // 4 * 3 - 8) + b'"}').decode()
    assert len(fits) <= limits.CLIENT_CONTEXT_BYTES < len(fits) + 4
    await function.call("Invoke", FunctionName="fn", ClientContext=fits)
    assert (await refusal(function, ClientContext=fits + "AAAA")).code == "InvalidRequestContentException"


async def test_what_is_not_built_is_refused_by_name(function: World) -> None:
    for name in ("TenantId", "DurableExecutionName"):
        assert name in (await refusal(function, **{name: "x"})).message


async def test_an_event_must_be_json(function: World) -> None:
    error = await refusal(function, Payload=b"hello")
    assert error.code == "InvalidRequestContentException"
    assert error.message.startswith("Could not parse request body into json: Could not parse payload into json: ")


@pytest.mark.parametrize(
    ("kind", "limit", "message"),
    [
        (
            "RequestResponse",
            6291456,
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        ),
        (
            "Event",
            1048576,
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
    ],
)
async def test_an_event_has_6_mb_and_1_mb_when_it_is_queued(
    function: World, kind: str, limit: int, message: str
) -> None:
    await function.call("Invoke", FunctionName="fn", InvocationType=kind, Payload=b'"' + b"x" * (limit - 2) + b'"')
    error = await refusal(function, InvocationType=kind, Payload=b'"' + b"x" * (limit - 1) + b'"')
    assert (error.code, error.status, error.message) == ("RequestEntityTooLargeException", 413, message)


async def test_the_edge_refuses_what_is_too_large_in_the_same_words(world: World) -> None:
    limit = world.service.body_limits["Invoke"]
    assert limit.max_bytes == 6291456
    request = HttpRequest("POST", "/", "", {"x-amz-invocation-type": "Event"})
    assert limit.error(7_000_000, request).message == (
        "7000000 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    )
    limit = world.service.body_limits["CreateFunction"]
    assert limit.error(1, request).message == (
        "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    )


@pytest.mark.parametrize(
    ("error", "code", "message", "kind"),
    [
        (TooManyRequests("ConcurrentInvocationLimitExceeded"), "TooManyRequestsException", "Rate Exceeded.", "User"),
        (RuntimeMissing("none"), "InvalidRuntimeException", "none", "Service"),
        (SandboxFailure("broken"), "ServiceException", "broken", "Service"),
        (RoleRefused(REFUSED), "AccessDeniedException", REFUSED, "User"),
    ],
)
async def test_what_compute_cannot_do(function: World, error: ComputeError, code: str, message: str, kind: str) -> None:
    def answer(_function: FunctionVersion, _invocation: Invocation) -> InvocationResult:
        raise error

    function.compute.answer = answer
    refused = await refusal(function)
    assert (refused.code, refused.message, refused.fields["Type"]) == (code, message, kind)
    if isinstance(error, TooManyRequests):
        assert refused.fields["Reason"] == "ConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize(
    ("params", "missing"),
    [({}, f"{ARN[:-2]}other:$LATEST"), ({"Qualifier": "1"}, f"{ARN[:-2]}other:1")],
)
async def test_a_function_that_is_not_there(world: World, params: dict[str, str], missing: str) -> None:
    error = await refusal(world, FunctionName="other", **params)
    assert (error.code, error.message) == ("ResourceNotFoundException", f"Function not found: {missing}")


async def test_an_alias_that_is_not_there(function: World) -> None:
    assert (await refusal(function, Qualifier="noalias")).message == f"Function not found: {ARN}:noalias"


async def test_the_old_way_to_queue_an_event(function: World) -> None:
    assert await function.call("InvokeAsync", FunctionName="fn", InvokeArgs=b"{}") == {"Status": 202}
    await function.engine.idle()
    assert len(function.compute.ran) == 1
