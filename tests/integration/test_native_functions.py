"""Functions that are programs, on the official libraries of Go and Rust: custom runtimes."""

import json
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute.function import RuntimeMissing
from tests.support.compute_engine import Engine
from tests.support.compute_world import error_of
from tests.support.native_functions import LANGUAGES
from tests.support.sandboxes import everybodys_folder, root_launcher

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[Engine]:
    with everybodys_folder() as folder:
        launcher, _runtime = root_launcher(folder / "state")
        async with Engine(launcher, folder, "provided.al2023") as engine:
            await launcher.prepare("provided.al2023")
            yield engine


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_program_answers(engine: Engine, language: str, runtime: str) -> None:
    function = engine.function(LANGUAGES[language](), handler="any", runtime=runtime, timeout_s=10)
    for name in ("Ada", "Grace"):
        result = await engine.run(function, json.dumps({"name": name}).encode())
        assert result.function_error == "", result.payload
        seen = orjson.loads(result.payload)
        assert (seen["hello"], seen["version"], len(seen["request"])) == (name, "$LATEST", 36)
    assert f"from {language}\n" in engine.logs.messages


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_errors_are_errors(engine: Engine, language: str) -> None:
    function = engine.function(LANGUAGES[language](), handler="any", timeout_s=10)
    for _ in range(2):
        error = error_of(await engine.run(function, b'{"error_msg":"no"}'))
        assert error["errorMessage"] == {"go": "Error: no", "rust": 'Error: "no"'}[language]
        assert error["errorType"]


@pytest.mark.parametrize("runtime", ["dotnet8", "dotnet10"])
async def test_dotnet_says_how_it_can_be_run(engine: Engine, runtime: str) -> None:
    function = engine.function({"bootstrap": ""}, runtime=runtime, handler="any")
    with pytest.raises(RuntimeMissing, match=rf"publish .* for provided\.al2023, .*: cloudlet runtimes add {runtime}"):
        await engine.run(function)
