"""Lambda's recorded answers to what is done with layers (see tests.support.lambda_replay)."""

from typing import Any

import pytest

from tests.support.lambda_replay import RECORDED, Make, Replay, package

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")
LAYER = package("content = 'layer'\n", "python/shared.py")


def publish(run: Replay, name: str = "layer", **params: Any) -> Any:
    return run.aws.publish_layer_version(LayerName=name, Content={"ZipFile": LAYER}, **params)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_layer_compatibilities(replay: Make, index: int) -> None:
    name = f"TestLambdaLayer::test_layer_compatibilities[runtimes{index}]"
    run = replay(name)
    recorded = RECORDED[name]["publish_result"]
    run.check(
        "publish_result",
        publish(
            run,
            CompatibleRuntimes=recorded["CompatibleRuntimes"],
            CompatibleArchitectures=recorded["CompatibleArchitectures"],
        ),
    )


def test_layer_function_exceptions(replay: Make) -> None:
    run = replay("TestLambdaLayer::test_layer_function_exceptions")
    given: dict[str, Any] = {"CompatibleRuntimes": [], "CompatibleArchitectures": ["x86_64"]}
    first = run.check("publish_result", publish(run, **given))
    second = run.check("publish_result_2", publish(run, **given))
    third = run.check("publish_result_3", publish(run, **given))
    run.create_simply()
    run.check("get_fn_result", run.aws.get_function(FunctionName="fn"))
    arns = [each["LayerVersionArn"] for each in (first, second, third)]

    def configure(layers: list[str]) -> Any:
        return run.aws.update_function_configuration(FunctionName="fn", Layers=layers)

    run.fails("two_layer_versions_single_function_exc", configure, layers=arns[:2])
    run.fails("three_layer_versions_single_function_exc", configure, layers=arns)
    run.fails("two_identical_layer_versions_single_function_exc", configure, layers=[arns[0], arns[0]])
    run.fails("add_nonexistent_layer_version_exc", configure, layers=[arns[0].removesuffix("1") + "9"])
    nobody = first["LayerArn"].rpartition(":")[0] + ":doesnotexist:1"
    run.fails("add_nonexistent_layer_exc", configure, layers=[nobody])
    run.fails("add_layer_arn_without_version_exc", configure, layers=[first["LayerArn"]])
    other = arns[0].replace("us-east-1", "eu-central-1")
    run.fails("create_function_with_layer_in_different_region", run.create, name="other", Layers=[other])


def test_layer_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaLayer::test_layer_lifecycle")
    run.create_simply()
    run.check("get_fn_result", run.aws.get_function(FunctionName="fn"))
    run.check("get_fn_config_result", run.aws.get_function_configuration(FunctionName="fn"))
    given: dict[str, Any] = {
        "CompatibleRuntimes": ["python3.12"],
        "CompatibleArchitectures": ["x86_64"],
        "Description": "a description",
        "LicenseInfo": "a license",
    }
    first = run.check("publish_result", publish(run, **given))
    run.check("publish_result_2", publish(run, **given))
    run.check("get_layer_by_arn_version", run.aws.get_layer_version_by_arn(Arn=first["LayerVersionArn"]))
    run.check("get_layer_ver_result", run.aws.get_layer_version(LayerName="layer", VersionNumber=1))
    changed = run.aws.update_function_configuration(FunctionName="fn", Layers=[first["LayerVersionArn"]])
    run.check("update_fn_config", changed)
    run.updated()
    run.check("get_fn_config", run.aws.get_function_configuration(FunctionName="fn"))
    run.check("list_layer_versions_predelete", run.aws.list_layer_versions(LayerName="layer"))
    run.check("delete_layer_1", run.aws.delete_layer_version(LayerName="layer", VersionNumber=1))
    run.check("get_fn_config_postdelete", run.aws.get_function_configuration(FunctionName="fn"))
    run.check("delete_layer_2", run.aws.delete_layer_version(LayerName="layer", VersionNumber=2))
    run.check("list_layer_versions_postdelete", run.aws.list_layer_versions(LayerName="layer"))
    run.check("publish_result_3", publish(run, **given))


def permit(run: Replay, sid: str = "s1", **params: Any) -> Any:
    given: dict[str, Any] = {
        "LayerName": "layer",
        "VersionNumber": 1,
        "Action": "lambda:GetLayerVersion",
        "Principal": "*",
        **params,
    }
    return run.aws.add_layer_version_permission(StatementId=sid, **given)


def test_layer_policy_exceptions(replay: Make) -> None:
    run = replay("TestLambdaLayer::test_layer_policy_exceptions")
    architectures: dict[str, Any] = {"CompatibleArchitectures": ["x86_64"]}
    run.check("publish_result", publish(run, CompatibleRuntimes=["python3.12"], **architectures))
    aws, here, nobody, later = (
        run.aws,
        {"LayerName": "layer", "VersionNumber": 1},
        {"LayerName": "layer-doesnotexist", "VersionNumber": 1},
        {"LayerName": "layer", "VersionNumber": 2},
    )
    run.fails("layer_permission_nopolicy_get", aws.get_layer_version_policy, **here)
    run.check("add_layer_permission_result", permit(run))
    run.fails("layer_permission_action_invalid", permit, run=run, sid="s2", Action="*")
    run.fails("layer_permission_duplicate_statement", permit, run=run)
    run.fails("layer_permission_wrong_revision", permit, run=run, sid="s3", RevisionId="wrong")
    for what, place in (("layername", nobody), ("layerversion", later)):
        run.fails(f"layer_permission_{what}_doesnotexist_get", aws.get_layer_version_policy, **place)
        run.fails(f"layer_permission_{what}_doesnotexist_add", permit, run=run, **place)
        remove = aws.remove_layer_version_permission
        run.fails(f"layer_permission_{what}_doesnotexist_remove", remove, StatementId="s1", **place)
    remove = aws.remove_layer_version_permission
    run.fails("layer_permission_statementid_doesnotexist_remove", remove, StatementId="doesnotexist", **here)
    run.fails("layer_permission_wrong_revision_remove", remove, StatementId="s1", RevisionId="wrong", **here)


def test_layer_policy_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaLayer::test_layer_policy_lifecycle")
    here = {"LayerName": "layer", "VersionNumber": 1}
    run.check("publish_result", publish(run, CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"]))
    run.check("add_policy_s1", permit(run))
    run.check("get_layer_version_policy", run.aws.get_layer_version_policy(**here))
    run.check("add_policy_s2", permit(run, "s2"))
    run.check("get_layer_version_policy_postadd2", run.aws.get_layer_version_policy(**here))
    run.check("remove_s2", run.aws.remove_layer_version_permission(StatementId="s2", **here))
    run.check("get_layer_version_policy_postdeletes2", run.aws.get_layer_version_policy(**here))
