"""Lambda's recorded answers about function URLs (see tests.support.lambda_replay)."""

import pytest

from tests.support.lambda_replay import RECORDED, Make

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")


def test_url_config_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaUrl::test_url_config_lifecycle")
    run.create_simply()
    aws, fn = run.aws, {"FunctionName": "fn"}
    run.check("url_creation", aws.create_function_url_config(**fn, AuthType="NONE"))
    run.fails("failed_duplication", aws.create_function_url_config, **fn, AuthType="NONE")
    run.check("get_url_config", aws.get_function_url_config(**fn))
    run.check("updated_url_config", aws.update_function_url_config(**fn, AuthType="AWS_IAM"))
    aws.delete_function_url_config(**fn)
    run.fails("failed_getter", aws.get_function_url_config, **fn)
