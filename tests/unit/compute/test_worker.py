"""What a worker does before an environment starts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Never

import pytest

from cloudlet.compute.environment_launches import LAUNCHES_AT_ONCE
from cloudlet.compute.function import FunctionImage, SandboxFailure
from tests.support.compute_world import ComputeWorld, error_of, function_version, invocation


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


CUSTOM = function_version(runtime="provided.al2023")


async def test_a_custom_runtime_without_a_bootstrap_is_told_as_on_aws(world: ComputeWorld, tmp_path: Path) -> None:
    world.code.path = tmp_path
    given = invocation()
    result = await world.front_end.invoke(CUSTOM, given)
    assert error_of(result) == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": f"RequestId: {given.request_id} Error: "
        "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    }
    assert world.launcher.launched == []
    assert [line.partition("\t")[2] for line in world.logs.messages if line.startswith("INIT_REPORT")] == [
        "Phase: init\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n",
        "Phase: invoke\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n",
    ]
    assert world.logs.messages[-1].endswith("Status: error\tError Type: Runtime.InvalidEntrypoint\n")


async def test_a_bootstrap_that_is_not_executable_is_told_as_on_aws(world: ComputeWorld, tmp_path: Path) -> None:
    world.code.path = tmp_path
    (tmp_path / "bootstrap").touch(0o444)
    result = await world.front_end.invoke(CUSTOM, invocation())
    assert error_of(result)["errorMessage"].endswith("Error: fork/exec /var/task/bootstrap: permission denied")


async def test_a_bootstrap_of_another_machine_is_told_as_on_aws(world: ComputeWorld, tmp_path: Path) -> None:
    world.code.path = tmp_path
    (tmp_path / "bootstrap").write_bytes(b"\x7fELF of no machine at all")
    (tmp_path / "bootstrap").chmod(0o555)
    error = error_of(await world.invoke(CUSTOM))
    assert error["errorMessage"].endswith("Error: fork/exec /var/task/bootstrap: exec format error")


async def test_a_custom_runtime_says_its_name(world: ComputeWorld, tmp_path: Path) -> None:
    world.code.path = tmp_path
    world.worker._runtime_version = lambda _: ""
    (tmp_path / "bootstrap").write_text("#!/bin/sh\n")
    (tmp_path / "bootstrap").chmod(0o555)
    call = world.invoke(CUSTOM)
    await world.serving()
    assert (await call).payload == b'"ok"'
    assert world.logs.messages[0].startswith("INIT_START Runtime Version: provided:al2023\t")


async def test_an_image_that_has_to_be_unpacked_holds_up_no_other_function(world: ComputeWorld) -> None:
    class Slow:
        """Images whose layers come when they are told to."""

        def __init__(self) -> None:
            self.asked = 0
            self.may_fail = asyncio.Event()

        async def prepare(self, digest: str) -> Never:
            self.asked += 1
            await self.may_fail.wait()
            raise SandboxFailure(f"{digest} is gone")

    images = Slow()
    world.worker._images = images  # type: ignore[assignment]
    waiting = [
        world.invoke(function_version("slow", image=FunctionImage(reference=""), runtime="", handler=""))
        for _ in range(LAUNCHES_AT_ONCE)
    ]
    while images.asked < LAUNCHES_AT_ONCE:
        await asyncio.sleep(0)
    call = world.invoke(function_version())
    await world.serving()
    assert (await call).payload == b'"ok"'
    images.may_fail.set()
    assert all("is gone" in str(error) for error in await asyncio.gather(*waiting, return_exceptions=True))
