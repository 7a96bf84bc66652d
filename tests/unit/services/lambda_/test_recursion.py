"""Functions that come back too often in one chain of events are stopped, unless they may."""

import pytest

from cloudlet.compute import lineage
from cloudlet.errors import ServiceError
from cloudlet.services.lambda_.recursion import INVOCATIONS, STOPPED
from tests.support.lambda_world import ACCOUNT, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


def trace_after(invocations: int) -> str:
    """The header that a function sends when it has run so often in one chain."""
    trace = "Root=1-2-3"
    for _ in range(invocations):
        trace, _ = lineage.entered(trace, ARN)
    return trace


async def invoke(world: World, trace: str, kind: str = "RequestResponse") -> None:
    context = world.context()
    context.trace_id = trace
    await world.dispatcher.call(context, "lambda", "Invoke", {"FunctionName": "fn", "InvocationType": kind})


async def test_the_last_invocation_of_a_loop_runs_and_the_next_does_not(world: World) -> None:
    await world.create()
    await invoke(world, trace_after(INVOCATIONS - 1))
    with pytest.raises(ServiceError) as caught:
        await invoke(world, trace_after(INVOCATIONS))
    assert (caught.value.code, caught.value.status) == ("RecursiveInvocationException", 400)
    assert caught.value.message == STOPPED
    assert len(world.compute.ran) == 1
    await world.metrics.flush()
    assert [each.name for each in world.measured].count("RecursiveInvocationsDropped") >= 1


async def test_another_function_may_run_in_the_same_chain(world: World) -> None:
    await world.create("other")
    context = world.context()
    context.trace_id = trace_after(INVOCATIONS + 5)
    await world.dispatcher.call(context, "lambda", "Invoke", {"FunctionName": "other"})
    assert len(world.compute.ran) == 1


async def test_a_function_that_may_loop_does(world: World) -> None:
    await world.create()
    assert await world.call("GetFunctionRecursionConfig", FunctionName="fn") == {"RecursiveLoop": "Terminate"}
    with pytest.raises(ServiceError):
        await invoke(world, trace_after(INVOCATIONS))
    allow = {"FunctionName": "fn", "RecursiveLoop": "Allow"}
    assert await world.call("PutFunctionRecursionConfig", **allow) == {"RecursiveLoop": "Allow"}
    assert await world.call("GetFunctionRecursionConfig", FunctionName="fn") == {"RecursiveLoop": "Allow"}
    await invoke(world, trace_after(INVOCATIONS + 3))
    assert len(world.compute.ran) == 1


async def test_an_event_of_a_loop_is_kept_and_not_run(world: World) -> None:
    await world.create()
    await invoke(world, trace_after(INVOCATIONS), "Event")
    await world.engine.idle()
    assert world.compute.ran == []
    [status] = [each for each in await world.engine.status() if each.kind == "lambda-async"]
    assert status.kept == 1


async def test_the_setting_is_gone_with_the_function(world: World) -> None:
    await world.create()
    await world.call("PutFunctionRecursionConfig", FunctionName="fn", RecursiveLoop="Allow")
    await world.call("DeleteFunction", FunctionName="fn")
    for operation, params in (("Get", {}), ("Put", {"RecursiveLoop": "Allow"})):
        with pytest.raises(ServiceError) as caught:
            await world.call(f"{operation}FunctionRecursionConfig", FunctionName="fn", **params)
        assert caught.value.code == "ResourceNotFoundException"
    await world.create()
    assert await world.call("GetFunctionRecursionConfig", FunctionName="fn") == {"RecursiveLoop": "Terminate"}
