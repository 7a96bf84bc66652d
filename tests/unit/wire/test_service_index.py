import pytest

from cloudlet.wire import make_service_index
from cloudlet.wire.service_index import PATH, ServiceIndex

INDEX = ServiceIndex()


def test_the_index_is_that_of_the_installed_botocore() -> None:
    assert PATH.read_bytes() == make_service_index.build(), "run scripts/make-service-index"


@pytest.mark.parametrize(
    ("name", "services"),
    [
        ("lambda", "lambda"),
        ("states", "stepfunctions"),
        ("monitoring", "cloudwatch"),
        ("rds", "rds"),
        ("es", "es"),
        ("iam", "iam"),
    ],
)
def test_the_service_that_bears_a_signing_name_comes_first(name: str, services: str) -> None:
    assert INDEX.signed_as(name)[0] == services


@pytest.mark.parametrize("label", ["states", "stepfunctions"])
def test_hosts_use_aws_s_names_and_botocore_s(label: str) -> None:
    assert list(INDEX.with_endpoint(label)) == ["stepfunctions"]


def test_targets_are_known_also_by_their_names_in_rpc_paths() -> None:
    assert list(INDEX.with_target_prefix("DynamoDB_20120810")) == ["dynamodb"]
    assert list(INDEX.with_target_prefix("GraniteServiceVersion20100801")) == ["cloudwatch"]


def test_actions_are_known_with_and_without_a_version() -> None:
    assert list(INDEX.with_action("AssumeRole", "2011-06-15")) == ["sts"]
    assert list(INDEX.with_action("SendMessage")) == ["sqs"]
    assert INDEX.with_action("CreateDBInstance", "2014-10-31")[0] == "rds"
    assert list(INDEX.with_action("CreateQueue", "2011-06-15")) == []


def test_what_is_unknown_leads_nowhere() -> None:
    assert not INDEX.signed_as("?")
    assert not INDEX.with_endpoint("?")
    assert not INDEX.with_target_prefix("?")
    assert not INDEX.with_action("?")
    assert "lambda" in INDEX
    assert "?" not in INDEX
