"""Functions that run a copy of a project's folder."""

import pytest

from cloudlet.errors import ServiceError
from tests.support.lambda_world import ACCOUNT, World, zip_of

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"
FIRST, SECOND = "a" * 32, "b" * 32


@pytest.fixture
async def working(world: World) -> World:
    for name in (FIRST, SECOND):
        (world.config.data / "development" / name).mkdir(parents=True)
    await world.create(Publish=True)
    return world


async def ran(world: World, **params: str) -> tuple[str, str]:
    """What runs the next invocation: its code and its environment id."""
    await world.call("Invoke", FunctionName="fn", **params)
    function, _ = world.compute.ran[-1]
    return function.code_digest, function.environment_id


async def test_the_next_invocation_runs_the_copy(working: World) -> None:
    package = await ran(working)
    await working.service.develop(ARN, FIRST)
    first = await ran(working)
    assert first[0] == f"development:{FIRST}"
    await working.service.develop(ARN, SECOND)
    second = await ran(working)
    assert second[0] == f"development:{SECOND}"
    assert len({package[1], first[1], second[1]}) == 3
    await working.service.develop(ARN, "")
    assert await ran(working) == package


async def test_published_versions_stay_what_they_are(working: World) -> None:
    published = await ran(working, Qualifier="1")
    await working.service.develop(ARN, FIRST)
    assert await ran(working, Qualifier="1") == published


async def test_a_deployment_ends_it(working: World) -> None:
    await working.service.develop(ARN, FIRST)
    await ran(working)
    await working.call("UpdateFunctionCode", FunctionName="fn", ZipFile=zip_of(index_py="handler = 1"))
    assert len((await ran(working))[0]) == 64


async def test_a_changed_configuration_does_not(working: World) -> None:
    await working.service.develop(ARN, FIRST)
    before = await ran(working)
    await working.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    after = await ran(working)
    assert after[0] == before[0]
    assert after[1] != before[1]


async def test_environments_of_the_copy_before_are_drained_and_those_of_this_one_kept(working: World) -> None:
    await working.service.develop(ARN, FIRST)
    _, first = await ran(working)
    working.compute.retired_one.clear()
    await working.service.develop(ARN, SECOND)
    _, second = await ran(working)
    await working.compute.retired_one.wait()
    _, kept = working.compute.retired[-1]
    assert first not in kept
    await working.call("TagResource", Resource=ARN, Tags={"a": "b"})
    await working.call("PutFunctionRecursionConfig", FunctionName="fn", RecursiveLoop="Allow")
    while second not in working.compute.retired[-1][1]:
        working.compute.retired_one.clear()
        await working.compute.retired_one.wait()


@pytest.mark.parametrize(
    ("arn", "copy", "code"),
    [
        (ARN, "c" * 32, "InvalidParameterValueException"),
        (ARN, "../../etc", "InvalidParameterValueException"),
        (f"{ARN}-2", FIRST, "ResourceNotFoundException"),
        ("fn", FIRST, "InvalidParameterValueException"),
    ],
)
async def test_what_is_not_there_is_refused(working: World, arn: str, copy: str, code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await working.service.develop(arn, copy)
    assert caught.value.code == code
