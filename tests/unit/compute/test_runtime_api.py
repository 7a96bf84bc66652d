"""The Runtime API, by what goes over the wire."""

import asyncio
import base64
from collections.abc import AsyncIterator

import orjson
import pytest

from cloudlet.compute import runtime_api, runtime_connection
from cloudlet.compute.api_messages import ApiRequest, answer
from cloudlet.compute.extension import Poller
from cloudlet.compute.reports import MAX_RESPONSE_BYTES
from cloudlet.compute.runtime_api import ANSWERED, READY, RUNNING, RuntimeApi, invocation_event
from tests.support.compute_world import ScriptedRuntime, ScriptedSandbox, sandbox_spec

REQUEST = "8a6f0b5c-5a0e-4b52-8c5e-1a2b3c4d5e6f"
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:greet"


class Heard:
    """What the environment is told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self._more = asyncio.Event()

    def _add(self, *event: object) -> None:
        self.events.append(event)
        self._more.set()

    def runtime_ready(self) -> None:
        self._add("ready")

    def runtime_answered(self, payload: bytes, is_error: bool) -> None:
        self._add("answered", payload, is_error)

    def runtime_answer_too_large(self) -> None:
        self._add("too large")

    def extension_calls(self, request: ApiRequest, poller: Poller) -> None:
        poller.answer(answer("200 OK", orjson.dumps([request.method, request.path, dict(request.headers)])))

    def runtime_init_failed(self, payload: bytes, error_type: str) -> None:
        self._add("init failed", payload, error_type)

    def disconnected(self) -> None:
        self._add("disconnected")

    async def wait_for(self, kind: str) -> tuple[object, ...]:
        """The first event of this kind."""
        while True:
            for event in self.events:
                if event[0] == kind:
                    return event
            self._more.clear()
            await self._more.wait()


class Served:
    """A Runtime API with a runtime that is connected to it."""

    def __init__(self, api: RuntimeApi, heard: Heard, sandbox: ScriptedSandbox, runtime: ScriptedRuntime) -> None:
        self.api = api
        self.heard = heard
        self.sandbox = sandbox
        self.runtime = runtime

    async def handed(self, payload: bytes = b"{}", **more: str) -> tuple[dict[str, str], bytes]:
        """Hand over an invocation; what the runtime gets."""
        self.runtime.poll()
        while self.api.state != READY or not self.api._polling:
            await asyncio.sleep(0)
        self.api.deliver(REQUEST, invocation_event(REQUEST, payload, 1700000003000, ARN, **more))
        _, headers, body = await self.runtime.answer()
        return headers, body


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    heard = Heard()
    api = RuntimeApi(heard, heard.disconnected)
    sandbox = ScriptedSandbox(sandbox_spec())
    await api.serve(sandbox.runtime_api)
    yield Served(api, heard, sandbox, await sandbox.connect())
    api.close()
    sandbox.close()
    for runtime in sandbox.runtimes:
        await runtime.closed()


async def test_a_runtime_gets_its_invocation_with_all_that_context_needs(served: Served) -> None:
    headers, body = await served.handed(
        b'{"a":1}', trace_id="Root=1-2-3", client_context='{"custom":{}}', cognito_identity='{"cognitoIdentityId":"i"}'
    )
    assert body == b'{"a":1}'
    assert headers == {
        "content-type": "application/json",
        "lambda-runtime-aws-request-id": REQUEST,
        "lambda-runtime-deadline-ms": "1700000003000",
        "lambda-runtime-invoked-function-arn": ARN,
        "lambda-runtime-trace-id": "Root=1-2-3",
        "lambda-runtime-client-context": '{"custom":{}}',
        "lambda-runtime-cognito-identity": '{"cognitoIdentityId":"i"}',
        "content-length": "7",
    }


async def test_headers_without_a_value_are_left_out(served: Served) -> None:
    headers, _ = await served.handed()
    assert not {name for name in headers if "context" in name or "cognito" in name or "trace" in name}


async def test_line_breaks_in_json_do_not_break_the_headers(served: Served) -> None:
    headers, _ = await served.handed(client_context='{\r\n"a": "b"\r\n}')
    assert headers["lambda-runtime-client-context"] == '{  "a": "b"  }'


async def test_a_runtime_that_polls_is_ready(served: Served) -> None:
    served.runtime.poll()
    await served.heard.wait_for("ready")
    assert served.api.state == READY


async def test_a_result_is_accepted(served: Served) -> None:
    await served.handed()
    status, _, body = await served.runtime.call("POST", f"/runtime/invocation/{REQUEST}/response", b'"done"')
    assert (status, body) == (202, b'{"status":"OK"}\n')
    assert served.heard.events[-1] == ("answered", b'"done"', False)
    assert served.api.state == ANSWERED


async def test_an_error_is_accepted(served: Served) -> None:
    await served.handed()
    error = b'{"errorMessage":"no","errorType":"ValueError"}'
    status, _, _ = await served.runtime.call("POST", f"/runtime/invocation/{REQUEST}/error", error)
    assert status == 202
    assert served.heard.events[-1] == ("answered", error, True)


async def test_an_errors_cause_is_not_for_the_caller(served: Served) -> None:
    await served.handed()
    error = orjson.dumps({"errorMessage": "no", "errorType": "E", "stackTrace": [], "cause": {"exceptions": []}})
    content_type = {"Content-Type": "application/vnd.aws.lambda.error.cause+json"}
    await served.runtime.call("POST", f"/runtime/invocation/{REQUEST}/error", error, content_type)
    assert orjson.loads(str(served.heard.events[-1][1], "utf-8")) == {  # type: ignore[call-overload]
        "errorMessage": "no",
        "errorType": "E",
        "stackTrace": [],
    }


async def test_the_next_invocation_follows_on_the_same_connection(served: Served) -> None:
    for number in range(3):
        await served.handed(str(number).encode())
        await served.runtime.respond(REQUEST, b"")
    assert [event[0] for event in served.heard.events] == ["ready", "answered"] * 3


async def test_a_connection_for_each_call_is_fine(served: Served) -> None:
    await served.handed()
    served.runtime.close()
    other = await served.sandbox.connect()
    status, _, _ = await other.call("POST", f"/runtime/invocation/{REQUEST}/response", b"1", {"Connection": "close"})
    assert status == 202
    assert ("answered", b"1", False) in served.heard.events


NEXT = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n"


@pytest.mark.parametrize(
    "request_text",
    [
        f"{NEXT}\r\n",
        f"{NEXT}Connection: close\r\n\r\n",
        f"{NEXT}CONNECTION: close\r\n\r\n",
        f"{NEXT}Content-Length: 2\r\n\r\n{{}}",
        f"{NEXT}Content-Length: 4\r\n\r\n\r\n\r\n",
        f"{NEXT}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
async def test_every_way_to_ask_for_the_next_is_understood(served: Served, request_text: str, is_whole: bool) -> None:
    for part in [request_text] if is_whole else request_text:
        served.runtime.send(part.encode())
        await asyncio.sleep(0)
    await served.heard.wait_for("ready")
    served.api.deliver(REQUEST, invocation_event(REQUEST, b"{}", 0, ARN))
    status, headers, _ = await served.runtime.answer()
    assert (status, headers["lambda-runtime-aws-request-id"]) == (200, REQUEST)
    is_last = "close" in request_text or "1.0" in request_text
    if is_last:
        await served.heard.wait_for("disconnected")
    runtime = await served.sandbox.connect() if is_last else served.runtime
    assert await runtime.respond(REQUEST, b"1") == 202
    assert [event for event in served.heard.events if event[0] != "disconnected"] == [
        ("ready",),
        ("answered", b"1", False),
    ]


async def test_an_invocation_waits_for_a_runtime_that_has_lost_its_connection(served: Served) -> None:
    served.runtime.poll()
    await served.heard.wait_for("ready")
    served.runtime.close()
    await served.heard.wait_for("disconnected")
    served.api.deliver(REQUEST, invocation_event(REQUEST, b"{}", 0, ARN))
    headers, _ = await (await served.sandbox.connect()).next()
    assert headers["lambda-runtime-aws-request-id"] == REQUEST
    assert served.api.state == RUNNING


async def test_a_runtime_that_asks_again_gets_the_same_invocation(served: Served) -> None:
    await served.handed(b'"same"')
    assert (await served.runtime.next())[1] == b'"same"'


async def test_a_wrong_request_id_is_refused(served: Served) -> None:
    await served.handed()
    status, _, body = await served.runtime.call("POST", "/runtime/invocation/other/response", b"1")
    assert status == 400
    assert orjson.loads(body) == {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
    assert await served.runtime.respond(REQUEST, b"1") == 202


async def test_a_second_result_is_refused(served: Served) -> None:
    await served.handed()
    await served.runtime.respond(REQUEST, b"1")
    status, _, body = await served.runtime.call("POST", f"/runtime/invocation/{REQUEST}/response", b"2")
    assert status == 403
    assert orjson.loads(body) == {
        "errorMessage": "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. "
        "Error: State transition is not allowed",
        "errorType": "InvalidStateTransition",
    }
    assert served.heard.events[-1] == ("answered", b"1", False)


async def test_a_result_before_any_invocation_is_refused(served: Served) -> None:
    assert await served.runtime.respond(REQUEST, b"1") == 400


async def test_an_init_error_is_accepted_once(served: Served) -> None:
    error = b'{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}'
    headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"}
    status, _, _ = await served.runtime.call("POST", "/runtime/init/error", error, headers)
    assert status == 202
    assert served.heard.events == [("init failed", error, "Runtime.ImportModuleError")]
    status, _, body = await served.runtime.call("POST", "/runtime/init/error", error, headers)
    assert (status, orjson.loads(body)["errorType"]) == (403, "InvalidStateTransition")
    assert (await served.runtime.call("GET", "/runtime/invocation/next"))[0] == 403


async def test_an_init_error_after_the_init_phase_is_refused(served: Served) -> None:
    await served.handed()
    status, _, _ = await served.runtime.call("POST", "/runtime/init/error", b"{}")
    assert status == 403


async def test_a_result_at_the_limit_is_taken(served: Served) -> None:
    await served.handed()
    assert await served.runtime.respond(REQUEST, b"x" * MAX_RESPONSE_BYTES) == 202
    assert len(served.heard.events[-1][1]) == MAX_RESPONSE_BYTES  # type: ignore[arg-type]


async def test_a_result_over_the_limit_is_refused(served: Served) -> None:
    await served.handed()
    path = f"/runtime/invocation/{REQUEST}/response"
    status, _, body = await served.runtime.call("POST", path, b"x" * (MAX_RESPONSE_BYTES + 1))
    assert status == 413
    assert orjson.loads(body) == {
        "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "RequestEntityTooLarge",
    }
    assert served.heard.events[-1] == ("too large",)


def chunked(*chunks: bytes, trailers: str = "") -> bytes:
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join([*parts, b"0\r\n", trailers.encode(), b"\r\n"])


def stream_head(*lines: str) -> bytes:
    head = [f"POST /2018-06-01/runtime/invocation/{REQUEST}/response HTTP/1.1", "Host: api", *lines]
    return "\r\n".join([*head, "Transfer-Encoding: chunked", "", ""]).encode()


async def test_a_streamed_result_is_put_together(served: Served) -> None:
    await served.handed()
    served.runtime.send(stream_head("Lambda-Runtime-Function-Response-Mode: streaming"))
    served.runtime.send(chunked(b"one ", b"two ", b"three"))
    assert (await served.runtime.answer())[0] == 202
    assert served.heard.events[-1] == ("answered", b"one two three", False)


async def test_a_stream_that_fails_says_so_in_its_trailers(served: Served) -> None:
    await served.handed()
    error = b'{"errorType":"E","errorMessage":"broke off"}'
    trailers = (
        f"Lambda-Runtime-Function-Error-Type: E\r\nLambda-Runtime-Function-Error-Body: "
        f"{base64.b64encode(error).decode()}\r\n"
    )
    names = "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
    served.runtime.send(stream_head("Lambda-Runtime-Function-Response-Mode: streaming", names))
    served.runtime.send(chunked(b"one", trailers=trailers))
    assert (await served.runtime.answer())[0] == 202
    assert served.heard.events[-1] == ("answered", error, True)


async def test_a_stream_that_fails_without_a_readable_reason_is_an_error_all_the_same(served: Served) -> None:
    await served.handed()
    served.runtime.send(stream_head("Lambda-Runtime-Function-Response-Mode: streaming"))
    trailers = "Lambda-Runtime-Function-Error-Type: E\r\nLambda-Runtime-Function-Error-Body: ~~\r\n"
    served.runtime.send(chunked(b"one", trailers=trailers))
    await served.runtime.answer()
    assert served.heard.events[-1] == ("answered", b'{"errorType":"E","errorMessage":""}', True)


async def test_an_unknown_response_mode_is_refused(served: Served) -> None:
    await served.handed()
    mode = {"Lambda-Runtime-Function-Response-Mode": "telepathy"}
    status, _, body = await served.runtime.call("POST", f"/runtime/invocation/{REQUEST}/response", b"1", mode)
    assert (status, orjson.loads(body)["errorType"]) == (400, "InvalidFunctionResponseMode")
    assert b"Runtime.InvalidResponseModeHeader" in served.heard.events[-1][1]  # type: ignore[operator]


async def test_a_client_that_waits_for_leave_gets_it(served: Served) -> None:
    await served.handed()
    head = f"POST /2018-06-01/runtime/invocation/{REQUEST}/response HTTP/1.1\r\nHost: api\r\n"
    served.runtime.send(f"{head}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n".encode())
    assert (await served.runtime.answer())[0] == 100
    served.runtime.send(b"true")
    assert (await served.runtime.answer())[0] == 202


async def test_requests_may_come_byte_by_byte(served: Served) -> None:
    await served.handed()
    request = stream_head() + chunked(b"slow")
    for byte in request:
        served.runtime.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await served.runtime.answer())[0] == 202
    assert served.heard.events[-1] == ("answered", b"slow", False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/runtime/invocation/next", 405),
        ("GET", f"/runtime/invocation/{REQUEST}/response", 405),
        ("GET", "/runtime/init/error", 405),
        ("GET", "/runtime/nothing", 404),
        ("GET", "/runtime/invocation/", 404),
        ("GET", "/ping", 200),
    ],
)
async def test_other_calls_are_answered_as_on_aws(served: Served, method: str, path: str, status: int) -> None:
    assert (await served.runtime.call(method, path))[0] == status


async def test_what_is_no_http_ends_the_connection(served: Served) -> None:
    served.runtime.send(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await served.runtime.answer())[0] == 400
    await served.heard.wait_for("disconnected")


async def test_endless_headers_end_the_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_connection, "MAX_HEADER_BYTES", 10_000)
    served.runtime.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n" + b"X-Filler: abcdefgh\r\n" * 10_000)
    assert (await served.runtime.answer())[0] == 400


async def test_closing_hangs_up(served: Served) -> None:
    served.runtime.poll()
    await served.heard.wait_for("ready")
    served.api.close()
    served.api.close()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await served.runtime.answer()


POLL_AGAIN = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"


async def test_an_event_is_not_given_again_and_again_to_who_does_not_read_it(served: Served) -> None:
    event = b'"' + b"x" * 100_000 + b'"'
    await served.handed(event)
    other = await served.sandbox.connect()
    other.send(POLL_AGAIN * 50)
    got = [await other.answer() for _ in range(2)]
    assert [(status, len(body)) for status, _, body in got] == [(200, len(event)), (400, 0)]


async def test_requests_without_a_look_at_their_answers_end_the_connection(served: Served) -> None:
    served.runtime.send(b"GET /2018-06-01/ping HTTP/1.1\r\nHost: runtime\r\n\r\n" * 200)
    statuses: list[int] = []
    while not statuses or statuses[-1] == 200:
        statuses.append((await served.runtime.answer())[0])
    assert statuses == [200] * runtime_connection.MAX_PIPELINED + [400]


async def test_nothing_is_taken_from_who_does_not_read(served: Served) -> None:
    events: list[str] = []
    [connection] = served.api._connections
    transport = connection._transport
    assert transport is not None

    class Noting:
        def pause_reading(self) -> None:
            events.append("pause")

        def resume_reading(self) -> None:
            events.append("resume")

        def is_closing(self) -> bool:
            return False

    connection._transport = Noting()  # type: ignore[assignment]
    connection.pause_writing()
    connection.pause_reading()
    connection.resume_writing()
    connection.resume_reading()
    connection._transport = transport
    assert events == ["pause", "pause", "pause", "resume"]


async def test_a_sandbox_has_a_limited_number_of_connections(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_api, "MAX_CONNECTIONS", 3)
    others = [await served.sandbox.connect() for _ in range(2)]
    one_too_many = await served.sandbox.connect()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await one_too_many.call("GET", "/ping")
    assert [(await each.call("GET", "/ping"))[0] for each in (served.runtime, *others)] == [200] * 3


async def test_requests_that_are_never_whole_take_a_limited_amount_of_memory(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_api, "MAX_HELD_BYTES", 1_000_000)
    head = b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    first, second = await served.sandbox.connect(), await served.sandbox.connect()
    first.send(head + b"x" * 600_000)
    while sum(each.held_bytes for each in served.api._connections) < 600_000:
        await asyncio.sleep(0)
    second.send(head + b"x" * 600_000)
    assert (await second.answer())[0] == 400
    first.send(b"x" * 300_000)
    assert (await first.answer())[0] == 400  # it is whole, and of no invocation
    assert sum(each.held_bytes for each in served.api._connections) < 1000


async def test_headers_are_those_of_their_own_request(served: Served) -> None:
    await served.runtime.call("GET", "/ping", headers={"Lambda-Extension-Identifier": "an earlier one"})
    served.runtime.send(b"GET /2020-01-01/extension/event/next HTTP/1.1\r\nLambda-Extension-Name: a\r\n\r\n")
    _, _, body = await served.runtime.answer()
    assert orjson.loads(body)[2] == {"lambda-extension-name": "a"}
