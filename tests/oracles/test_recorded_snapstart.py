"""Lambda's recorded answers about SnapStart (see tests.support.lambda_replay)."""

import pytest

from tests.support.lambda_replay import FAST, Make

RUNTIMES = pytest.mark.parametrize(
    ("runtime", "handler"),
    [
        ("python3.12", "handler.handler"),
        ("python3.13", "handler.handler"),
        ("java11", "echo.Handler"),
        ("java17", "echo.Handler"),
        ("java21", "echo.Handler"),
        ("java25", "echo.Handler"),
    ],
)
"""Not those of .NET, which this program has none of."""


@RUNTIMES
def test_snapstart_lifecycle(replay: Make, runtime: str, handler: str) -> None:
    run = replay(f"TestLambdaSnapStart::test_snapstart_lifecycle[{runtime}]")
    run.check("create_function_response", run.create(Runtime=runtime, Handler=handler, MemorySize=1024, Timeout=5))
    run.check("get_function_response_latest", run.aws.get_function(FunctionName="fn"))
    run.aws.publish_version(FunctionName="fn", Description="version1")
    run.aws.get_waiter("published_version_active").wait(FunctionName="fn", Qualifier="1", WaiterConfig=FAST)
    run.check("get_function_response_version_1", run.aws.get_function(FunctionName="fn", Qualifier="1"))


@RUNTIMES
def test_snapstart_update_function_configuration(replay: Make, runtime: str, handler: str) -> None:
    run = replay(f"TestLambdaSnapStart::test_snapstart_update_function_configuration[{runtime}]")
    run.check("create_function_response", run.create(Runtime=runtime, Handler=handler, MemorySize=1024, Timeout=5))
    updated = run.aws.update_function_configuration(FunctionName="fn", SnapStart={"ApplyOn": "PublishedVersions"})
    run.check("update_function_response", updated)
