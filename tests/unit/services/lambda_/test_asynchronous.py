"""Events: queued, run, tried again."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult, SandboxFailure, TooManyRequests
from cloudlet.services.lambda_ import destination, event_invoke_tables
from cloudlet.services.lambda_.asynchronous import KIND, decode, encode
from cloudlet.services.lambda_.function import changed
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.version import find
from cloudlet.store.base import Transaction
from tests.support.lambda_world import World

ERROR = InvocationResult(b'{"errorMessage": "no"}', "Unhandled")


@pytest.fixture
async def function(world: World) -> World:
    await world.create(Publish=True)
    return world


async def queue(world: World, **params: object) -> None:
    given = {"FunctionName": "fn", "InvocationType": "Event", "Payload": b'{"a":1}', **params}
    assert await world.call("Invoke", **given) == {"StatusCode": 202}


async def waiting(world: World) -> int:
    return sum(status.waiting + status.in_flight for status in await world.engine.status())


def failing(*errors: Exception | InvocationResult) -> Callable[[FunctionVersion, Invocation], InvocationResult]:
    """What fails so many times and then does not."""
    left = list(errors)

    def answer(_function: FunctionVersion, invocation: Invocation) -> InvocationResult:
        error = left.pop(0) if left else InvocationResult(invocation.payload)
        if isinstance(error, Exception):
            raise error
        return error

    return answer


async def test_an_event_runs_as_it_was_sent(function: World) -> None:
    context = function.context(request_id="request")
    context.trace_id = "Root=1"
    params = {"FunctionName": "fn", "Qualifier": "1", "InvocationType": "Event", "Payload": b'"\xc3\xa4\\n"'}
    await function.dispatcher.call(context, "lambda", "Invoke", {**params, "ClientContext": "e30="})
    await function.engine.idle()
    [(version, invocation)] = function.compute.ran
    assert version.version == "1"
    assert (invocation.request_id, invocation.payload) == ("request", b'"\xc3\xa4\\n"')
    assert invocation.client_context == "{}"
    assert invocation.trace_id.startswith("Root=1;Lineage=1:")
    assert invocation.invoked_function_arn.endswith(":function:fn:1")
    assert await waiting(function) == 0


async def test_an_event_is_done_when_its_lines_are_on_disk(function: World) -> None:
    function.logged.clear()
    await queue(function)
    await function.compute.ran_one.wait()
    assert await waiting(function) == 1
    function.logged.set()
    await function.engine.idle()
    assert await waiting(function) == 0


async def test_an_error_of_the_function_is_tried_twice_more_after_1_and_2_minutes(function: World) -> None:
    function.compute.answer = failing(ERROR, ERROR, ERROR)
    await queue(function)
    await function.engine.idle()
    for runs, wait_s in ((1, 59), (2, 118)):  # the first retry has been made when the clock was at 60, and is at 61
        assert len(function.compute.ran) == runs
        await function.clock.advance(wait_s)
        await function.engine.idle()
        assert len(function.compute.ran) == runs
        await function.clock.advance(2)
        await function.engine.idle()
    assert len(function.compute.ran) == 3
    assert await waiting(function) == 0
    assert len({invocation.request_id for _, invocation in function.compute.ran}) == 1


async def test_both_retries_are_made_while_time_moves_once(function: World) -> None:
    function.compute.answer = failing(ERROR, ERROR, ERROR)
    await queue(function)
    await function.clock.advance(1800)
    assert len(function.compute.ran) == 3
    assert [one.state for one in await function.engine.by_hand.list()] == ["dead"]


async def test_what_succeeds_the_second_time_is_done(function: World) -> None:
    function.compute.answer = failing(ERROR)
    await queue(function)
    await function.engine.idle()
    await function.clock.advance(61)
    await function.engine.idle()
    assert len(function.compute.ran) == 2
    assert await waiting(function) == 0


@pytest.mark.parametrize("error", [TooManyRequests("any"), SandboxFailure("any")])
async def test_throttles_and_errors_of_the_platform_are_no_tries(function: World, error: Exception) -> None:
    function.compute.answer = failing(*[error] * 5, ERROR, ERROR)
    await queue(function)
    await function.engine.idle()
    for _ in range(8):
        await function.clock.advance(300)
        await function.engine.idle()
    assert len(function.compute.ran) == 5 + 3
    assert await waiting(function) == 0


async def test_an_event_is_dead_after_6_hours(function: World, caplog: pytest.LogCaptureFixture) -> None:
    function.compute.answer = failing(*[TooManyRequests("any")] * 1000)
    await queue(function)
    await function.engine.idle()
    await function.clock.advance(6 * 3600 - 400)
    await function.engine.idle()
    assert await waiting(function) == 1
    with caplog.at_level(logging.WARNING, "cloudlet.delivery"):
        await function.clock.advance(800)
        await function.engine.idle()
    assert await waiting(function) == 0
    assert "is dead and kept: EventAgeExceeded" in caplog.text


async def test_the_events_of_a_function_that_is_gone_are_done(function: World) -> None:
    function.compute.answer = failing(ERROR)
    await queue(function)
    await function.engine.idle()
    await function.call("DeleteFunction", FunctionName="fn")
    await function.clock.advance(61)
    await function.engine.idle()
    assert len(function.compute.ran) == 1
    assert await waiting(function) == 0


async def test_a_retry_runs_what_the_function_is_by_then(function: World) -> None:
    function.compute.answer = failing(ERROR)
    await queue(function)
    await function.engine.idle()
    await function.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    await function.settled()
    await function.clock.advance(61)
    await function.engine.idle()
    assert [version.timeout_s for version, _ in function.compute.ran] == [3, 9]


def test_an_invocation_comes_back_as_it_went() -> None:
    sent = Invocation("id", b'{"a": "\n"}\n\x00', "arn", client_context='{"b": 1}', trace_id="Root", tail_log=True)
    came = Invocation("id", sent.payload, "arn", client_context='{"b": 1}', trace_id="Root", is_event=True)
    assert decode(encode(sent)) == came
    assert KIND == "lambda-async"


async def test_the_events_of_a_function_that_cannot_run_any_more_are_handed_on(function: World) -> None:
    ref = FunctionRef.parse((await function.call("GetFunctionConfiguration", FunctionName="fn"))["FunctionArn"])
    config = ("$LATEST", None, None, "", "arn:aws:sqs:us-east-1:111111111111:told", 0)
    await function.store.transact(lambda tx: event_invoke_tables.put(tx, ref, config))
    function.compute.answer = failing(TooManyRequests("any"))
    await queue(function)
    await function.engine.idle()

    def break_it(tx: Transaction) -> None:
        version = find(tx, ref)
        replace(version, state="Failed", state_reason_code="InvalidRuntime", serving="").put(tx)
        changed(tx, ref)

    await function.store.transact(break_it)
    await function.clock.advance(7 * 3600)
    await function.engine.idle()
    waits = {status.kind: status.waiting + status.in_flight for status in await function.engine.status()}
    assert (waits[KIND], waits[destination.KIND]) == (0, 1)
