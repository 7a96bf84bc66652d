"""A launcher that the tests of a module share."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.sandboxes import Bench, everybodys_folder, root_launcher


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def module_bench() -> AsyncIterator[Bench]:
    with everybodys_folder() as folder:
        launcher, runtime = root_launcher(folder / "state")
        await launcher.start()
        yield Bench(launcher, folder, runtime, is_root=True)
        await launcher.close()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(module_bench: Bench) -> AsyncIterator[Bench]:
    """Functions that a test has started end with it."""
    yield module_bench
    await module_bench.close_functions()
