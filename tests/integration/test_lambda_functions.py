"""Functions over HTTP, by boto3."""

import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient

RUNTIME = "python3.11"
SOON = {"Delay": 0.02, "MaxAttempts": 3000}


def package(**files: str) -> bytes:
    """A zip with these files; `index_py` is `index.py`. All may be executed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name.replace("_py", ".py"))
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def returning(value: Any) -> bytes:
    """The package of a function that returns `value`."""
    return package(index_py=f"def handler(event, context):\n    return {value!r}\n")


@pytest.fixture
def functions(client: MakeClient) -> Any:
    return client("lambda")


@pytest.fixture
def create(functions: Any, account: str) -> Callable[..., Any]:
    def make(name: str = "fn", code: bytes = returning("old"), **params: Any) -> Any:
        given = {
            "Role": f"arn:aws:iam::{account}:role/any",
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Code": {"ZipFile": code},
            **params,
        }
        made = functions.create_function(FunctionName=name, **given)
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
        return made

    return make


def run(functions: Any, name: str = "fn", **params: Any) -> Any:
    return json.load(functions.invoke(FunctionName=name, **params)["Payload"])


def test_a_function_runs_and_an_update_is_what_runs_next(functions: Any, create: Callable[..., Any]) -> None:
    create()
    assert run(functions) == "old"
    functions.update_function_code(FunctionName="fn", ZipFile=returning("new"))
    assert run(functions) == "new"
    functions.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig=SOON)
    assert run(functions) == "new"


def test_a_function_need_not_be_waited_for(functions: Any, account: str) -> None:
    functions.create_function(
        FunctionName="fn",
        Role=f"arn:aws:iam::{account}:role/any",
        Runtime=RUNTIME,
        Handler="index.handler",
        Code={"ZipFile": returning(1)},
    )
    assert run(functions) == 1
    functions.update_function_configuration(FunctionName="fn", Environment={"Variables": {"KEY": "value"}})
    assert functions.publish_version(FunctionName="fn")["Version"] == "1"


def test_the_code_location_downloads_what_was_sent(functions: Any, create: Callable[..., Any]) -> None:
    code = returning("old")
    create(code=code)
    location = functions.get_function(FunctionName="fn")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        assert answer.read() == code
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(location.replace("signature=", "signature=0"))
    assert caught.value.code == 403
    caught.value.close()


def test_accounts_and_regions_have_functions_of_their_own(
    client: MakeClient, functions: Any, create: Callable[..., Any]
) -> None:
    create()
    for other in (client("lambda", region="eu-west-1"), client("lambda", account="999999999999")):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            other.get_function(FunctionName="fn")


def test_a_version_runs_what_it_was_published_with(functions: Any, create: Callable[..., Any]) -> None:
    create(Publish=True)
    functions.update_function_code(FunctionName="fn", ZipFile=returning("new"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig=SOON)
    assert run(functions, Qualifier="1") == "old"
    assert run(functions) == "new"


def test_an_alias_shares_its_invocations_between_two_versions(functions: Any, create: Callable[..., Any]) -> None:
    create(Publish=True)
    functions.update_function_code(FunctionName="fn", ZipFile=returning("new"), Publish=True)
    functions.get_waiter("published_version_active").wait(FunctionName="fn", Qualifier="2", WaiterConfig=SOON)
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1", RoutingConfig=routing)
    versions = {functions.invoke(FunctionName="fn:live")["ExecutedVersion"] for _ in range(64)}
    assert versions == {"1", "2"}  # by chance alone this fails once in 2**63 runs


def test_lists_are_paged(functions: Any, create: Callable[..., Any]) -> None:
    for number in range(3):
        create(f"fn{number}")
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    names = [[function["FunctionName"] for function in page["Functions"]] for page in pages]
    assert names == [["fn0", "fn1"], ["fn2"]]


def test_a_deleted_function_does_not_run(functions: Any, create: Callable[..., Any]) -> None:
    create()
    run(functions)
    assert functions.delete_function(FunctionName="fn")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        run(functions)
    create(code=returning("again"))
    assert run(functions) == "again"


def test_a_custom_runtime_runs_its_bootstrap(functions: Any, create: Callable[..., Any]) -> None:
    bootstrap = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  headers=$(mktemp)
  event=$(curl -sS -D "$headers" "$api/next")
  id=$(grep -i lambda-runtime-aws-request-id "$headers" | cut -d: -f2 | tr -d ' \\r\\n')
  curl -sS -X POST "$api/$id/response" -d "[$event]" > /dev/null
done
"""
    create(code=package(bootstrap=bootstrap), Runtime="provided.al2023")
    answer = functions.invoke(FunctionName="fn", Payload=b'{"a": 1}')
    assert json.load(answer["Payload"]) == [{"a": 1}], answer


def test_what_is_not_built_is_refused_by_name(functions: Any, create: Callable[..., Any]) -> None:
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="DurableConfig"):
        create(DurableConfig={"ExecutionTimeout": 60})
    with pytest.raises(ClientError, match="NotImplemented"):
        functions.list_capacity_providers()


def test_a_runtime_that_this_machine_lacks_is_refused_with_how_to_add_it(create: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="This machine has no runtime java21"):
        create(Runtime="java21")


def test_tools_find_the_defaults_that_they_ask_for(functions: Any, create: Callable[..., Any]) -> None:
    create()
    assert "CodeSigningConfigArn" not in functions.get_function_code_signing_config(FunctionName="fn")
    assert functions.get_runtime_management_config(FunctionName="fn")["UpdateRuntimeOn"] == "Auto"
    assert functions.list_event_source_mappings(FunctionName="fn")["EventSourceMappings"] == []
    assert functions.list_function_url_configs(FunctionName="fn")["FunctionUrlConfigs"] == []
    assert functions.list_layers()["Layers"] == []
    with pytest.raises(functions.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        functions.get_provisioned_concurrency_config(FunctionName="fn", Qualifier=_published(functions))


def _published(functions: Any) -> str:
    version: str = functions.publish_version(FunctionName="fn")["Version"]
    return version


def test_a_permission_is_for_somebody_who_is_there(client: MakeClient, account: str) -> None:
    functions, iam = client("lambda"), client("iam")
    create_function(functions, "fn", "def handler(event, context): pass")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    made = iam.create_role(RoleName="there", Path="/team/", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    def allow(principal: str) -> None:
        sid = str(len(principal))
        functions.add_permission(
            FunctionName="fn", StatementId=sid, Action="lambda:InvokeFunction", Principal=principal
        )  # fmt: skip

    mine = f"arn:aws:iam::{account}"
    nobody = [f"{mine}:role/missing", f"{mine}:role/there", f"{mine}:user/missing"]
    for principal in nobody:
        with pytest.raises(ClientError, match="The provided principal was invalid"):
            allow(principal)
    for principal in (made, f"{mine}:root", "arn:aws:iam::222222222222:role/theirs"):
        allow(principal)
