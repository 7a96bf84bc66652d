"""Lambda's recorded answers to what is done with functions (see tests.support.lambda_replay)."""

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.images import Layout, tar
from tests.support.lambda_replay import ECHO, FAST, RECORDED, Make, Replay, package
from tests.support.registry import Registry, token_of

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")


# Functions


def test_function_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaFunction::test_function_lifecycle")
    run.check("create_response", run.create_simply(MemorySize=256, Timeout=5))
    run.check("get_function_response", run.aws.get_function(FunctionName="fn"))
    updated = run.aws.update_function_configuration(
        FunctionName="fn",
        Runtime="python3.11",
        Description="Changed-Description",
        MemorySize=512,
        Timeout=10,
        Environment={"Variables": {"ENV_A": "a"}},
    )
    run.check("update_func_conf_response", updated)
    run.updated()
    run.check("get_function_response_postupdate", run.aws.get_function(FunctionName="fn"))
    run.check("update_code_response", run.aws.update_function_code(FunctionName="fn", ZipFile=package("new")))
    run.updated()
    run.check("get_function_response_postcodeupdate", run.aws.get_function(FunctionName="fn"))
    run.check("delete_response", run.aws.delete_function(FunctionName="fn"))
    run.fails("delete_postdelete", run.aws.delete_function, FunctionName="fn")


@pytest.mark.parametrize(
    "operation",
    [
        "delete_function",
        "get_function",
        "get_function_code_signing_config",
        "get_function_concurrency",
        "get_function_configuration",
        "get_function_event_invoke_config",
        "get_function_url_config",
        "invoke",
    ],
)
def test_get_function_wrong_region(replay: Make, operation: str) -> None:
    run = replay(f"TestLambdaFunction::test_get_function_wrong_region[{operation}]")
    arn = f"{run.arn}fn".replace("us-east-1", "eu-central-1")
    with pytest.raises(ClientError) as caught:
        getattr(run.aws, operation)(FunctionName=arn)
    recorded = json.dumps(caught.value.response).replace("eu-central-1", "<wrong-region>")
    run.check("wrong_region_exception", json.loads(recorded))


@pytest.mark.parametrize(
    "operation", ["get_function", "get_function_configuration", "get_function_event_invoke_config"]
)
def test_ops_on_nonexisting_version(replay: Make, operation: str) -> None:
    run = replay(f"TestLambdaFunction::test_ops_on_nonexisting_version[{operation}]")
    run.create_simply("i-exist")
    run.fails("version_not_found_exception", getattr(run.aws, operation), FunctionName="i-exist", Qualifier="1221")


def test_lambda_code_location_s3_errors(replay: Make) -> None:
    run = replay("TestLambdaFunction::test_lambda_code_location_s3_errors")
    run.leave_out("create-error-wrong-key", "update-error-wrong-key")  # there are no buckets yet
    place = {"S3Bucket": "some-random-non-existent-bucket", "S3Key": "code.zip"}
    with pytest.raises(ClientError) as caught:
        run.create(wait=False, Code=place)
    run.check("create-error-wrong-bucket", caught.value.response)
    run.create()
    run.fails("update-error-wrong-bucket", run.aws.update_function_code, FunctionName="fn", **place)


def test_lambda_concurrent_code_updates(replay: Make) -> None:
    run = replay("TestLambdaFunction::test_lambda_concurrent_code_updates")
    run.check("create-function-response", run.create(Handler="handler.handler"))

    def update_again_and_again() -> None:  # one may be over before the next is asked for
        for number in range(100):
            run.aws.update_function_code(FunctionName="fn", ZipFile=package(f"number = {number}"))

    run.fails("update-during-in-progress-update-exc", update_again_and_again)


def test_update_lambda_exceptions(replay: Make) -> None:
    run = replay("TestLambdaFunction::test_update_lambda_exceptions")
    run.create()
    update = run.aws.update_function_configuration
    run.fails("invalid_role_arn_exc", update, FunctionName="fn", Role="r1")
    run.fails("invalid_runtime_exc", update, FunctionName="fn", Runtime="non-existent-runtime")
    run.fails("uppercase_runtime_exc", update, FunctionName="fn", Runtime="PYTHON3.9")


def test_invalid_vpc_config_subnet(replay: Make) -> None:
    run = replay("TestLambdaFunction::test_invalid_vpc_config_subnet")
    run.leave_out("create-response-non-existent-subnet-id")  # there are no subnets yet
    with pytest.raises(ClientError) as caught:
        run.create(wait=False, VpcConfig={"SubnetIds": ["bad-format"], "SecurityGroupIds": ["sg-1"]})
    run.check("create-response-invalid-format-subnet-id", caught.value.response)


@pytest.mark.parametrize(
    "runtime", ["dotnetcore3.1", "go1.x", "java8", "nodejs12.x", "nodejs14.x", "provided", "python3.7", "ruby2.7"]
)
def test_create_deprecated_function_runtime(replay: Make, runtime: str) -> None:
    test = "test_create_deprecated_function_runtime_with_validation_enabled"
    run = replay(f"TestRuntimeValidation::{test}[{runtime}]")
    with pytest.raises(ClientError) as caught:
        run.create(wait=False, Runtime=runtime)
    run.check("deprecation_error", caught.value.response)


# Sizes and settings


def test_oversized_zipped_create_lambda(replay: Make) -> None:
    run = replay("TestLambdaSizeLimits::test_oversized_zipped_create_lambda")
    with pytest.raises(ClientError) as caught:
        run.create(wait=False, Code={"ZipFile": package("#" * 52_428_800, method=zipfile.ZIP_STORED)})
    run.check("invalid_param_exc", caught.value.response)


def test_oversized_unzipped_lambda(replay: Make) -> None:
    run = replay("TestLambdaSizeLimits::test_oversized_unzipped_lambda")
    with pytest.raises(ClientError) as caught:
        run.create(wait=False, Code={"ZipFile": package("#" * 262_144_000)})
    run.check("invalid_param_exc", caught.value.response)


def test_lambda_envvars_near_limit_succeeds(replay: Make) -> None:
    run = replay("TestLambdaSizeLimits::test_lambda_envvars_near_limit_succeeds")
    variables = {"LARGE_VAR": "x" * (4096 - 7 - len("LARGE_VAR"))}
    run.check("successful_create_fn_result", run.create_simply(Environment={"Variables": variables}))


def test_account_settings(replay: Make) -> None:
    run = replay("TestLambdaAccountSettings::test_account_settings")
    settings = run.aws.get_account_settings()
    for member in ("AccountLimit", "AccountUsage"):
        settings[member] = sorted(settings[member])
    run.check("acc_settings_modded", settings)


def test_account_settings_total_code_size(replay: Make) -> None:
    run = replay("TestLambdaAccountSettings::test_account_settings_total_code_size")
    empty = package("", method=zipfile.ZIP_STORED)
    code = package("#" * (276 - len(empty)), method=zipfile.ZIP_STORED)
    sizes = [0]

    def grown() -> int:
        sizes.append(run.aws.get_account_settings()["AccountUsage"]["TotalCodeSize"])
        return sizes[-1] - sizes[-2]

    run.create(Code={"ZipFile": code})
    run.check("total_code_size_diff_create_function", grown())
    run.aws.update_function_code(FunctionName="fn", ZipFile=code, Publish=True)
    run.check("total_code_size_diff_update_function", grown())
    layer = {"LayerName": "layer", "Content": {"ZipFile": package("#" * (169 - len(empty)), method=zipfile.ZIP_STORED)}}
    run.aws.publish_layer_version(**layer)
    run.check("total_code_size_diff_publish_layer", grown())
    run.aws.publish_layer_version(**layer)
    run.check("total_code_size_diff_publish_layer_version", grown())


def test_function_code_signing_config(replay: Make) -> None:
    run = replay("TestCodeSigningConfig::test_function_code_signing_config")
    aws, account = run.aws, run.arn.split(":")[4]
    publishers = {"SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{account}:/signing-profiles/test"]}
    made = aws.create_code_signing_config(
        Description="Testing CodeSigning Config",
        AllowedPublishers=publishers,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )
    run.check("create_code_signing_config", made)
    config = {"CodeSigningConfigArn": made["CodeSigningConfig"]["CodeSigningConfigArn"]}
    updated = aws.update_code_signing_config(**config, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"})
    run.check("update_code_signing_config", updated)
    got = aws.get_code_signing_config(**config)
    run.check("get_code_signing_config", got)
    run.create()
    run.check("put_function_code_signing_config", aws.put_function_code_signing_config(FunctionName="fn", **config))
    run.check("get_function_code_signing_config", aws.get_function_code_signing_config(FunctionName="fn"))
    [listed] = aws.list_code_signing_configs()["CodeSigningConfigs"]
    run.check("list_code_signing_configs", listed)
    run.check("list_functions_by_code_signing_config", aws.list_functions_by_code_signing_config(**config))
    run.check("delete_function_code_signing_config", aws.delete_function_code_signing_config(FunctionName="fn"))
    run.check("delete_code_signing_config", aws.delete_code_signing_config(**config))


# Versions and aliases


def test_publish_version_on_create(replay: Make) -> None:
    run = replay("TestLambdaVersions::test_publish_version_on_create")
    run.check("create_response", run.create(Publish=True))
    run.aws.get_waiter("published_version_active").wait(FunctionName="fn", Qualifier="1", WaiterConfig=FAST)
    run.check("get_function_result", run.aws.get_function(FunctionName="fn"))
    run.check("get_function_version_result", run.aws.get_function(FunctionName="fn", Qualifier="1"))
    run.check("get_function_latest_result", run.aws.get_function(FunctionName="fn", Qualifier="$LATEST"))
    run.check("list_versions_result", run.aws.list_versions_by_function(FunctionName="fn"))
    again = run.aws.publish_version(FunctionName="fn", Description="Repeated version description :)")
    run.check("repeated_publish_response", again)
    run.check("list_versions_result_after_publish", run.aws.list_versions_by_function(FunctionName="fn"))


def test_publish_with_wrong_sha256(replay: Make) -> None:
    run = replay("TestLambdaVersions::test_publish_with_wrong_sha256")
    run.check("create_response", run.create())
    got = run.check("get_fn_response", run.aws.get_function(FunctionName="fn"))
    publish = run.aws.publish_version
    run.fails("publish_wrong_sha256_exc", publish, FunctionName="fn", CodeSha256="somenonexistentsha256")
    run.check("publish_result", publish(FunctionName="fn", CodeSha256=got["Configuration"]["CodeSha256"]))


def test_publish_with_wrong_revisionid(replay: Make) -> None:
    run = replay("TestLambdaVersions::test_publish_with_wrong_revisionid")
    run.check("create_response", run.create(Runtime="python3.9"))
    got = run.check("get_fn_response", run.aws.get_function(FunctionName="fn"))
    publish = run.aws.publish_version
    run.fails("publish_wrong_revisionid_exc", publish, FunctionName="fn", RevisionId="doesntexist")
    run.check("publish_result", publish(FunctionName="fn", RevisionId=got["Configuration"]["RevisionId"]))


def _two_versions(run: Replay, *, publish: bool) -> None:
    run.check("create_response", run.create(Environment={"Variables": {"testenv": "staging"}}, Publish=publish))
    run.aws.get_waiter("function_active_v2").wait(FunctionName="fn", WaiterConfig=FAST)
    run.check("publish_v1", run.aws.publish_version(FunctionName="fn"))
    run.aws.update_function_configuration(FunctionName="fn", Environment={"Variables": {"testenv": "prod"}})
    run.updated()
    run.check("publish_v2", run.aws.publish_version(FunctionName="fn"))


def test_alias_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaAlias::test_alias_lifecycle")
    _two_versions(run, publish=False)
    aws, fn = run.aws, {"FunctionName": "fn"}
    weights = {"AdditionalVersionWeights": {"2": 0.2}}
    made = aws.create_alias(
        **fn, Name="aliasname1_1", FunctionVersion="1", Description="custom-alias", RoutingConfig=weights
    )
    run.check("create_alias_1_1", made)
    run.check("get_alias_1_1", aws.get_alias(**fn, Name="aliasname1_1"))
    run.check("get_function_alias_1_1", aws.get_function(**fn, Qualifier="aliasname1_1"))
    run.check("get_function_byarn_alias_1_1", aws.get_function(FunctionName=made["AliasArn"]))
    run.fails("get_function_alias_notfound_exc", aws.get_function, **fn, Qualifier="aliasdoesnotexist")
    missing = made["AliasArn"].replace("aliasname1_1", "aliasdoesnotexist")
    run.fails("get_function_alias_byarn_notfound_exc", aws.get_function, FunctionName=missing)
    for step, version, description in (("1_2", "1", "custom-alias"), ("1_3", "1", None), ("2", "2", "custom-alias")):
        given = {"Description": description} if description else {}
        alias = aws.create_alias(**fn, Name=f"aliasname{step}", FunctionVersion=version, **given)
        run.check(f"create_alias_{step}", alias)
        run.check(f"get_alias_{step}", aws.get_alias(**fn, Name=f"aliasname{step}"))
    pages = aws.get_paginator("list_aliases").paginate(**fn, PaginationConfig={"PageSize": 1})
    run.check("list_aliases_for_fnname", pages.build_full_result())
    updated = aws.update_alias(**fn, Name="aliasname1_1", RoutingConfig={"AdditionalVersionWeights": {}})
    run.check("update_alias_1_1", updated)
    run.check("get_alias_1_1_after_update", aws.get_alias(**fn, Name="aliasname1_1"))
    run.check("list_aliases_for_fnname_after_update", aws.list_aliases(**fn))
    run.check("update_alias_1_2", aws.update_alias(**fn, Name="aliasname1_2"))
    run.check("get_alias_1_2_after_update", aws.get_alias(**fn, Name="aliasname1_2"))
    run.check("list_aliases_for_fnname_after_update_2", aws.list_aliases(**fn))
    run.check("list_aliases_for_version", aws.list_aliases(**fn, FunctionVersion="1"))
    run.check("delete_alias_response", aws.delete_alias(**fn, Name="aliasname1_1"))
    run.check("list_aliases_for_fnname_afterdelete", aws.list_aliases(**fn))


def test_non_existent_alias_deletion(replay: Make) -> None:
    run = replay("TestLambdaAlias::test_non_existent_alias_deletion")
    run.check("create_response", run.create(Environment={"Variables": {"testenv": "staging"}}))
    run.check("delete_alias_response", run.aws.delete_alias(FunctionName="fn", Name="non-existent"))


def test_notfound_and_invalid_routingconfigs(replay: Make) -> None:
    run = replay("TestLambdaAlias::test_notfound_and_invalid_routingconfigs")
    _two_versions(run, publish=True)

    def create(name: str = "custom", version: str = "1", weights: Any = None, function: str = "fn") -> Any:
        routing = {} if weights is None else {"RoutingConfig": {"AdditionalVersionWeights": weights}}
        return run.aws.create_alias(FunctionName=function, Name=name, FunctionVersion=version, **routing)

    run.fails("routing_config_exc_toomany", create, weights={"1": 0.8, "2": 0.2})
    run.fails("routing_config_exc_toohigh", create, weights={"2": 2})
    run.fails("routing_config_exc_subzero", create, weights={"2": -1})
    run.fails("routing_config_exc_sameversion", create, weights={"1": 0.5})
    run.fails("target_version_doesnotexist", create, version="10", weights={"2": 0.5})
    run.fails("routing_config_exc_version_doesnotexist", create, weights={"10": 0.5})
    run.fails("target_version_exc_version_latest", create, version="$LATEST", weights={"1": 0.5})
    run.fails("routing_config_exc_version_latest", create, weights={"$LATEST": 0.5})
    run.check("create-alias-latest", create("custom-latest", "$LATEST"))
    run.fails("routing_config_exc_fn_doesnotexist", create, function="fn-unknown", weights={"2": 0.5})
    run.check("create_alias_empty_routingconfig", create("custom-empty-routingconfig", weights={}))
    run.check("create_alias_response", create(weights={"2": 0.5}))
    run.fails("routing_config_exc_already_exist", create, weights={"2": 0.5})
    run.fails("alias_does_not_exist_esc", run.aws.get_alias, FunctionName="fn", Name="non-existent")


VERSIONED = """
def handler(event, context):
    return {
        "version_id": "version%d",
        "version_from_ctx": context.function_version,
        "invoked_arn": context.invoked_function_arn,
    }
"""


def test_lambda_alias_moving(replay: Make) -> None:
    run = replay("TestLambdaAliases::test_lambda_alias_moving")
    made = run.create(code=VERSIONED % 1, Handler="handler.handler", Description="No version :(")
    run.check("create_response", made)
    run.aws.publish_version(FunctionName="fn", Description="First version description :)")
    alias = run.aws.create_alias(FunctionName="fn", FunctionVersion="1", Name="alias1")
    run.check("create_alias_response", alias)
    run.check("invocation_result_qualifier_v1", run.invoke(Qualifier="alias1"))
    run.check("invocation_result_qualifier_v1_arn", run.invoke(alias["AliasArn"]))
    code = package(VERSIONED % 2, "handler.py")
    run.check("update_lambda_response", run.aws.update_function_code(FunctionName="fn", ZipFile=code))
    run.updated()
    run.check("invocation_result_qualifier_v1_after_update", run.invoke(Qualifier="alias1"))
    second = run.aws.publish_version(FunctionName="fn", Description="Second version description :)")
    run.check("second_publish_response", second)
    run.check("invocation_result_qualifier_v1_after_publish", run.invoke(Qualifier="alias1"))
    run.check("update_alias_response", run.aws.update_alias(FunctionName="fn", Name="alias1", FunctionVersion="2"))
    run.check("invocation_result_qualifier_v2", run.invoke(Qualifier="alias1"))
    run.fails("invocation_exc_not_existent", run.invoke, Qualifier="non-existent-alias")


def test_function_revisions_basic(replay: Make) -> None:
    run = replay("TestLambdaRevisions::test_function_revisions_basic")
    code = package(ECHO)
    created = run.create_simply(Handler="index.handler", Code={"ZipFile": code})
    run.check("create_function_response_rev1", created)

    def revision(step: str) -> str:
        got = run.check(step, run.aws.get_function(FunctionName="fn"))
        found: str = got["Configuration"]["RevisionId"]
        return found

    second = revision("get_function_response_rev2")
    update = run.aws.update_function_code
    run.fails("update_function_revision_exception", update, FunctionName="fn", ZipFile=code, RevisionId="wrong")
    updated = update(FunctionName="fn", ZipFile=code, RevisionId=second)
    run.check("update_function_code_response_rev3", updated)
    run.updated()
    fourth = revision("get_function_response_rev4")
    configure = run.aws.update_function_configuration
    change = {"FunctionName": "fn", "Runtime": "python3.8"}
    run.fails("update_function_configuration_revision_exception", configure, **change, RevisionId="wrong")
    configured = configure(**change, RevisionId=fourth)
    run.check("update_function_configuration_response_rev5", configured)
    run.updated()
    revision("get_function_response_rev6")


# Permissions, tags, concurrency


def _permission(service: str, sid: str | None = None, **params: Any) -> dict[str, Any]:
    return {
        "FunctionName": "fn",
        "Action": "lambda:InvokeFunction",
        "StatementId": sid or service,
        "Principal": f"{service}.amazonaws.com",
        **params,
    }


BUCKET = "arn:aws:s3:::test-bucket"


def test_add_lambda_permission_aws(replay: Make) -> None:
    run = replay("TestLambdaPermissions::test_add_lambda_permission_aws")
    run.check("create_lambda", run.create_simply())
    run.check("add_permission", run.aws.add_permission(**_permission("s3", SourceArn=BUCKET)))
    run.check("get_policy", run.aws.get_policy(FunctionName="fn"))


def test_create_multiple_lambda_permissions(replay: Make) -> None:
    run = replay("TestLambdaPermissions::test_create_multiple_lambda_permissions")
    run.create_simply()
    run.check("add_permission_response_1", run.aws.add_permission(**_permission("logs")))
    run.check("add_permission_response_2", run.aws.add_permission(**_permission("kinesis")))
    run.check("policy_after_2_add", run.aws.get_policy(FunctionName="fn"))


def test_remove_multi_permissions(replay: Make) -> None:
    run = replay("TestLambdaPermissions::test_remove_multi_permissions")
    run.create_simply()
    run.check("add_permission_1", run.aws.add_permission(**_permission("s3")))
    run.check("add_permission_2", run.aws.add_permission(**_permission("sqs", SourceArn=BUCKET)))
    run.check("policy_after_2_add", run.aws.get_policy(FunctionName="fn"))
    remove = run.aws.remove_permission
    run.fails("remove_permission_exception_nonexisting_sid", remove, FunctionName="fn", StatementId="non-existent")
    remove(FunctionName="fn", StatementId="sqs")
    run.check("policy_after_removal", run.aws.get_policy(FunctionName="fn"))
    policy = run.check("policy_after_removal_attempt", run.aws.get_policy(FunctionName="fn"))
    remove(FunctionName="fn", StatementId="s3", RevisionId=policy["RevisionId"])
    run.fails("get_policy_exception_removed_all", run.aws.get_policy, FunctionName="fn")


def test_lambda_permission_revisions(replay: Make) -> None:
    run = replay("TestLambdaPermissions::test_lambda_permission_revisions")
    run.create_simply(Runtime="python3.8")
    run.aws.publish_version(FunctionName="fn")
    run.aws.update_function_configuration(FunctionName="fn", Runtime="python3.9")
    run.updated()
    add = run.aws.add_permission
    for sid in ("s3", "s3_2"):
        add(**_permission("s3", sid, SourceArn=BUCKET))
    wrong = _permission("s3", "s3_3", SourceArn=BUCKET, RevisionId="wrong")
    run.fails("add_permission_revision_id_doesnotmatch", add, **wrong)
    remove = {"FunctionName": "fn", "StatementId": "s3", "RevisionId": "wrong"}
    run.fails("remove_permission_fn_revision_id_doesnotmatch", run.aws.remove_permission, **remove)
    add(**_permission("s3", "s3_2", SourceArn=BUCKET, Qualifier="1"))
    one = {"FunctionName": "fn", "Qualifier": "1"}
    run.check("get_policy_after_publish_version", run.aws.get_policy(FunctionName="fn"))
    policy = run.check("get_policy_v1_after_publish_version", run.aws.get_policy(**one))
    run.check("get_function_fn8", run.aws.get_function(FunctionName="fn"))
    run.check("get_function_fn8_v1", run.aws.get_function(**one))
    add(**_permission("s3", "s3_3", SourceArn=BUCKET, Qualifier="1", RevisionId=policy["RevisionId"]))
    run.check("get_policy_v1_after_add_permission9", run.aws.get_policy(**one))
    run.check("get_function_fn9", run.aws.get_function(FunctionName="fn"))
    run.check("get_function_fn9_v1", run.aws.get_function(**one))


@pytest.mark.parametrize("name", ["test_tag_lifecycle", "test_tag_lifecycle[lambda_function]"])
def test_tag_lifecycle(replay: Make, name: str) -> None:
    run = replay(f"TestLambdaTag::{name}")
    arn = run.create_simply()["CreateFunctionResponse"]["FunctionArn"]
    for step, change in (
        ("tag_single", {"A": "tag-a"}),
        ("tag_multiple", {"B": "tag-b", "C": "tag-c"}),
        ("tag_overlap", {"C": "tag-c-newsuffix", "D": "tag-d"}),
        ("untag_single", ["A"]),
        ("untag_multiple", ["B", "C"]),
        ("untag_nonexisting", ["F"]),
        ("untag_existing_and_nonexisting", ["D", "F"]),
    ):
        if isinstance(change, dict):
            answer = run.aws.tag_resource(Resource=arn, Tags=change)
        else:
            answer = run.aws.untag_resource(Resource=arn, TagKeys=change)
        run.check(f"{step}_response", answer)
        run.check(f"{step}_response_listtags", run.aws.list_tags(Resource=arn))


def test_tag_nonexisting_resource(replay: Make) -> None:
    run = replay("TestLambdaTag::test_tag_nonexisting_resource")
    arn = run.create_simply()["CreateFunctionResponse"]["FunctionArn"]
    run.check("pre_delete_get_function", run.aws.get_function(FunctionName=arn))
    run.aws.delete_function(FunctionName=arn)
    run.fails("not_found_exception_tag", run.aws.tag_resource, Resource=arn, Tags={"A": "B"})
    run.fails("not_found_exception_untag", run.aws.untag_resource, Resource=arn, TagKeys=["A"])
    run.fails("not_found_exception_list", run.aws.list_tags, Resource=arn)


def test_tag_versions(replay: Make) -> None:
    run = replay("TestLambdaTags::test_tag_versions")
    made = run.create(Publish=True)
    tag = run.aws.tag_resource
    run.fails("tag_resource_exception", tag, Resource=f"{made['FunctionArn']}:1", Tags={"key": "value"})
    run.fails("tag_resource_latest_exception", tag, Resource=f"{made['FunctionArn']}:$LATEST", Tags={"key": "value"})


def test_function_concurrency_limits(replay: Make) -> None:
    run = replay("TestLambdaReservedConcurrency::test_function_concurrency_limits")
    run.create_simply()
    limit = run.aws.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    put = run.aws.put_function_concurrency
    for step, amount in (("account_limit_exceeded", limit + 1), ("below_unreserved_min_value", limit)):
        with pytest.raises(ClientError) as caught:
            put(FunctionName="fn", ReservedConcurrentExecutions=amount)
        text = json.dumps(caught.value.response).replace("[100]", "[<min_unreserved_concurrency>]")
        run.check(f"put_function_concurrency_{step}", json.loads(text))


def test_lambda_concurrency_update(replay: Make) -> None:
    run = replay("TestLambdaConcurrency::test_lambda_concurrency_update")
    run.create_simply()
    put = run.aws.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=3)
    run.check("put_function_concurrency", put)
    run.check("get_function_concurrency_updated", run.aws.get_function_concurrency(FunctionName="fn"))
    run.check("get_function_concurrency_info", run.aws.get_function(FunctionName="fn"))
    run.aws.delete_function_concurrency(FunctionName="fn")
    run.check("get_function_concurrency_deleted", run.aws.get_function_concurrency(FunctionName="fn"))


TYPE = "AWS_LAMBDA_INITIALIZATION_TYPE"

# Invocations


def test_basic_invoke(replay: Make) -> None:
    run = replay("TestLambdaFeatures::test_basic_invoke")
    run.check("lambda_create_fn", run.create("fn-1", Runtime="python3.9"))
    run.check("lambda_create_fn_2", run.create("fn-2", Runtime="python3.9"))
    run.check("lambda_get_fn", run.aws.get_function(FunctionName="fn-1"))
    run.check("lambda_get_fn_2", run.aws.get_function(FunctionName="fn-2"))
    run.check("lambda_invoke_result", run.invoke("fn-1", {}))


@pytest.mark.parametrize("runtime", ["python3.10", "python3.9"])
@pytest.mark.parametrize("test", ["dry_run", "request_response"])
def test_invocation_type(replay: Make, runtime: str, test: str) -> None:
    run = replay(f"TestLambdaFeatures::test_invocation_type_{test}[{runtime}]")
    run.create_simply(Runtime=runtime)
    kind = "DryRun" if test == "dry_run" else "RequestResponse"
    run.check("invoke-result", run.invoke(payload={}, InvocationType=kind))


def test_invocation_with_logs(replay: Make) -> None:
    run = replay("TestLambdaFeatures::test_invocation_with_logs[python3.10]")
    run.create_simply(Runtime="python3.10")
    answer = run.check("invoke", run.invoke(payload={}, LogType="Tail"))
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines(keepends=True)
    run.check("logs", {"logs": lines})


@pytest.mark.parametrize(
    ("label", "payload"),
    [("body", b"n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt"), ("message", b"\x99\xeb,j\x07\xa1zYh")],
)
def test_lambda_invoke_payload_encoding_error(replay: Make, label: str, payload: bytes) -> None:
    escaped = str(payload)[2:-1]
    run = replay(f"TestLambdaErrors::test_lambda_invoke_payload_encoding_error[{label}-{escaped}]")
    run.create_simply()
    run.fails(f"invoke_function_invalid_payload_{label}", run.aws.invoke, FunctionName="fn", Payload=payload)


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("test_lambda_handler_exit", "import sys\n\ndef handler(event, context):\n    sys.exit(0)\n"),
        ("test_lambda_runtime_exit", "import sys\n\nsys.exit(0)\n\ndef handler(event, context):\n    pass\n"),
    ],
)
def test_lambda_exit(replay: Make, test: str, code: str) -> None:
    run = replay(f"TestLambdaErrors::{test}")
    run.create_simply(code=code)
    run.check("invocation_error", run.invoke())


def test_lambda_runtime_wrapper_not_found(replay: Make) -> None:
    run = replay("TestLambdaErrors::test_lambda_runtime_wrapper_not_found")
    run.create_simply(Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/idontexist.sh"}})
    run.check("invocation_error", run.invoke())


SLEEPING = "import time\n\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n"


def test_lambda_invoke_no_timeout(replay: Make) -> None:
    run = replay("TestLambdaBehavior::test_lambda_invoke_no_timeout")
    run.check("create-result", run.create_simply(code=SLEEPING, Timeout=2))
    run.check("invoke-result", run.invoke(payload={"sleep": 0}))


REUSING = """
import pathlib, time
number = 0

def handler(event, context):
    global number
    if "write-file" in event:
        pathlib.Path("/tmp/file").write_text(event["write-file"])
    if event.get("read-file"):
        return {"content": pathlib.Path("/tmp/file").read_text()}
    if "set-number" in event:
        number = event["set-number"]
    if event.get("read-number"):
        return {"number": number}
    time.sleep(event.get("sleep", 0))
"""


def test_lambda_invoke_timed_out_environment_reuse(replay: Make) -> None:
    run = replay("TestLambdaBehavior::test_lambda_invoke_timed_out_environment_reuse")
    run.check("create-result", run.create_simply(code=REUSING, Timeout=1))
    run.check("invoke-result-file-write", run.invoke(payload={"write-file": "some-content"}))
    run.check("invoke-result-file-read", run.invoke(payload={"read-file": True}))
    run.check("invoke-result-set-number", run.invoke(payload={"set-number": 42}))
    run.check("invoke-result-read-number", run.invoke(payload={"read-number": True}))
    run.leave_out("invoke-result-timed-out")  # AWS has changed its text since
    assert run.invoke(payload={"sleep": 2})["FunctionError"] == "Unhandled"
    run.check("invoke-result-file-read-after-timeout", run.invoke(payload={"read-file": True}))
    run.check("invoke-result-read-number-after-timeout", run.invoke(payload={"read-number": True}))


def test_lambda_concurrency_block(replay: Make) -> None:
    run = replay("TestLambdaConcurrency::test_lambda_concurrency_block")
    run.create_simply()
    run.check("v1_result", run.aws.publish_version(FunctionName="fn"))
    run.check("invoke_latest_before_block", run.invoke(payload={"hello": "world"}))
    put = run.aws.put_provisioned_concurrency_config
    made = put(FunctionName="fn", Qualifier="1", ProvisionedConcurrentExecutions=1)
    run.check("provisioned_concurrency_result", made)
    wait_for_provisioned(run, "1")
    reserved = run.aws.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=1)
    run.check("reserved_concurrency_result", reserved)
    run.fails("invoke_latest_first_exc", run.invoke)
    run.fails("invoke_latest_second_exc", run.invoke)
    run.check("invoke_v1_after_block", run.invoke(payload={"hello": "world"}, Qualifier="1"))


def wait_for_provisioned(run: Replay, qualifier: str) -> Any:
    """What is provisioned, once that is no longer in progress."""
    get = run.aws.get_provisioned_concurrency_config
    while (got := get(FunctionName="fn", Qualifier=qualifier))["Status"] == "IN_PROGRESS":
        pass
    return got


SLOW_INIT = "import time\ntime.sleep(1)\n\ndef handler(event, context):\n    return event\n"


def test_lambda_provisioned_concurrency_scheduling(replay: Make) -> None:
    run = replay("TestLambdaConcurrency::test_lambda_provisioned_concurrency_scheduling")
    run.create_simply("fn", "import os\n\ndef handler(event, context):\n    return os.environ['" + TYPE + "']\n")
    run.aws.publish_version(FunctionName="fn")
    put = {"FunctionName": "fn", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    run.aws.put_provisioned_concurrency_config(**put)
    run.check("get_provisioned_postwait", wait_for_provisioned(run, "1"))
    assert json.load(run.invoke()["Payload"]) == "on-demand"
    assert json.load(run.invoke(Qualifier="1")["Payload"]) == "provisioned-concurrency"


def test_provisioned_concurrency_init_failure(replay: Make) -> None:
    run = replay("TestLambdaConcurrency::test_provisioned_concurrency_init_failure")
    run.create_simply("fn", "import time\ntime.sleep(1)\nraise Exception('no')\n")
    run.aws.publish_version(FunctionName="fn")
    put = {"FunctionName": "fn", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    run.check("put_provisioned", run.aws.put_provisioned_concurrency_config(**put))
    get = run.aws.get_provisioned_concurrency_config(FunctionName="fn", Qualifier="1")
    run.check("get_provisioned_prewait", get)
    run.check("get_provisioned_postwait", wait_for_provisioned(run, "1"))


def test_provisioned_concurrency_on_alias(replay: Make) -> None:
    run = replay("TestLambdaConcurrency::test_provisioned_concurrency_on_alias")
    run.create_simply("fn", SLOW_INIT)
    run.aws.publish_version(FunctionName="fn")
    run.aws.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    put = {"FunctionName": "fn", "Qualifier": "live", "ProvisionedConcurrentExecutions": 5}
    run.check("put_provisioned_5", run.aws.put_provisioned_concurrency_config(**put))
    get = run.aws.get_provisioned_concurrency_config(FunctionName="fn", Qualifier="live")
    run.check("get_provisioned_prewait", get)
    run.check("get_provisioned_postwait", wait_for_provisioned(run, "live"))


@pytest.mark.parametrize("runtime", ["python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"])
def test_uncaught_exception_invoke(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_uncaught_exception_invoke[{runtime}]")
    code = "def handler(event, context):\n    raise Exception('Failed: ' + event['error_msg'])\n"
    run.check(
        "create_function_result", run.create(code=code, Runtime=runtime, Handler="handler.handler", MemorySize=1024)
    )
    run.check("error_result", run.invoke(payload={"error_msg": "some_error_msg"}))


@pytest.mark.parametrize("runtime", ["python3.9", "python3.12", "python3.14"])
def test_runtime_wrapper_create(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_runtime_wrapper_invoke[{runtime}]")
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/environment_wrapper"}
    made = run.create(Runtime=runtime, Handler="handler.handler", MemorySize=1024, Environment={"Variables": variables})
    run.check("create_function_result", made)


def test_request_id_async_invoke(replay: Make) -> None:
    run = replay("TestRequestIdHandling::test_request_id_async_invoke_with_retry")
    run.leave_out("end_messages")  # made with a number of retries that cannot be set yet
    run.create_simply()
    run.check("invoke_result", run.invoke(payload={}, InvocationType="Event"))


VARIANT = """
import os

def handler(event, context):
    return {
        "function_version": context.function_version,
        "request_id": context.aws_request_id,
        "function_variant": os.environ["FUNCTION_VARIANT"],
        "request_prefix": event["request_prefix"],
    }
"""


def test_function_update_during_invoke(replay: Make) -> None:
    run = replay("TestLambdaVersions::test_function_update_during_invoke")
    run.create_simply(code=VARIANT, Environment={"Variables": {"FUNCTION_VARIANT": "variant-1"}})
    run.check("invoke_response_before", run.invoke(payload={"request_prefix": "1-sleep"}))


# Container images


def test_lambda_image_crud(replay: Make, lambda_endpoint: str, tmp_path: Path) -> None:
    run = replay("TestLambdaImages::test_lambda_image_crud")
    layout, ecr = Layout(tmp_path / "layout"), run.client("ecr")
    registry = Registry(lambda_endpoint, token_of(ecr))
    for number in (1, 2):
        ecr.create_repository(repositoryName=f"repo{number}")
        registry.push(f"repo{number}", "latest", layout, layout.image(f"v{number}", [tar([("a", str(number))])]))
    uris = {number: f"{run.role.split(':')[4]}.dkr.ecr.us-east-1.amazonaws.com/repo{number}" for number in (1, 2)}

    def shown(answer: Any) -> Any:
        """With what the recording has in place of the names of its repositories."""
        text = json.dumps({name: value for name, value in answer.items() if name != "ResponseMetadata"})
        replaced = json.loads(text.replace(uris[1], "<repo_uri>").replace(uris[2], "<repo_uri_2>"))
        return {**replaced, "ResponseMetadata": answer["ResponseMetadata"]}

    made = run.aws.create_function(
        FunctionName="fn", Role=run.role, PackageType="Image", Code={"ImageUri": f"{uris[1]}:latest"},
        Environment={"Variables": {"CUSTOM_ENV": "test"}},
    )  # fmt: skip
    run.check("create-image-response", made)
    run.aws.get_waiter("function_active_v2").wait(FunctionName="fn", WaiterConfig=FAST)
    run.check("get-function-code-response", shown(run.aws.get_function(FunctionName="fn")))
    run.check("get-function-config-response", run.aws.get_function_configuration(FunctionName="fn"))
    run.fails("image-to-zipfile-error", run.aws.update_function_code, FunctionName="fn", ZipFile=package("x"))
    changed = run.aws.update_function_code(FunctionName="fn", ImageUri=f"{uris[2]}:latest")
    run.check("update-function-code-response", changed)
    run.updated()
    run.check("get-function-code-response-after-update", shown(run.aws.get_function(FunctionName="fn")))
    run.check("get-function-config-response-after-update", run.aws.get_function_configuration(FunctionName="fn"))
