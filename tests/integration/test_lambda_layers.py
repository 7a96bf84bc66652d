"""Layers over HTTP: what functions see of them, and who may use them."""

import io
import json
import urllib.request
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient, fresh_account

READS = """
import os, sys
def handler(event, context):
    import shared
    return {
        "shared": shared.content,
        "files": sorted(os.listdir("/opt")),
        "text": open("/opt/data/text").read(),
        "writable": os.access("/opt", os.W_OK),
    }
"""


def package(files: dict[str, str]) -> bytes:
    """A zip package in which everything may be executed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def layer(aws: Any, name: str, files: dict[str, str], **params: Any) -> str:
    made = aws.publish_layer_version(LayerName=name, Content={"ZipFile": package(files)}, **params)
    return str(made["LayerVersionArn"])


def test_later_layers_lie_over_earlier_ones(client: MakeClient) -> None:
    aws = client("lambda")
    arns = [
        layer(aws, "low", {"python/shared.py": "content = 'low'", "data/text": "low", "data/more": "more"}),
        layer(aws, "high", {"data/text": "high", "bin/tool": "#!/bin/sh\n"}),
    ]
    create_function(aws, "fn", READS, Layers=arns)
    answer = json.loads(aws.invoke(FunctionName="fn")["Payload"].read())
    assert answer == {"shared": "low", "files": ["bin", "data", "python"], "text": "high", "writable": False}
    aws.update_function_configuration(FunctionName="fn", Layers=list(reversed(arns)))
    aws.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig={"Delay": 0.05})
    assert json.loads(aws.invoke(FunctionName="fn")["Payload"].read())["text"] == "low"


def test_a_deleted_layer_stays_with_the_functions_that_have_it(client: MakeClient) -> None:
    aws = client("lambda")
    arn = layer(aws, "gone", {"python/shared.py": "content = 'kept'", "data/text": "t"})
    create_function(aws, "fn", READS, Layers=[arn])
    aws.delete_layer_version(LayerName="gone", VersionNumber=1)
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.get_layer_version(LayerName="gone", VersionNumber=1)
    assert json.loads(aws.invoke(FunctionName="fn")["Payload"].read())["shared"] == "kept"
    again = aws.publish_layer_version(LayerName="gone", Content={"ZipFile": package({"x": "x"})})
    assert again["Version"] == 2


def test_a_layer_can_be_downloaded(client: MakeClient) -> None:
    aws = client("lambda")
    content = package({"data/text": "text"})
    made = aws.publish_layer_version(LayerName="one", Content={"ZipFile": content})
    with urllib.request.urlopen(made["Content"]["Location"]) as answer:
        assert answer.read() == content


def test_another_accounts_layer_needs_its_permission(client: MakeClient) -> None:
    aws, friend, stranger = client("lambda"), fresh_account(), fresh_account()
    arn = layer(aws, "shared", {"python/shared.py": "content = 'theirs'", "data/text": "t"})
    aws.add_layer_version_permission(
        LayerName="shared", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal=friend
    )
    theirs = client("lambda", account=friend)
    create_function(theirs, "fn", READS, Layers=[arn])
    assert json.loads(theirs.invoke(FunctionName="fn")["Payload"].read())["shared"] == "theirs"
    with pytest.raises(ClientError) as refused:
        create_function(client("lambda", account=stranger), "fn", READS, Layers=[arn])
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"lambda:GetLayerVersion on resource: {arn}" in refused.value.response["Error"]["Message"]


def test_another_accounts_layers_cannot_be_listed(client: MakeClient) -> None:
    aws, stranger = client("lambda"), client("lambda", account=fresh_account())
    arn = layer(aws, "shared", {"a": "b"})
    aws.add_layer_version_permission(
        LayerName="shared", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal="*"
    )
    assert stranger.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    name = arn.rpartition(":")[0]
    assert len(aws.list_layer_versions(LayerName=name)["LayerVersions"]) == 1
    with pytest.raises(ClientError) as refused:
        stranger.list_layer_versions(LayerName=name)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"lambda:ListLayerVersions on resource: {name}" in refused.value.response["Error"]["Message"]


def test_code_and_layers_are_limited_together(client: MakeClient) -> None:
    aws = client("lambda")
    arns = [layer(aws, name, {"big": "0" * 131_100_000}) for name in ("a", "b")]
    with pytest.raises(ClientError, match="Function code combined with layers exceeds the maximum allowed size"):
        create_function(aws, "fn", READS, Layers=arns)
    create_function(aws, "fn", READS, Layers=arns[:1])
    with pytest.raises(ClientError, match="Function code combined with layers exceeds the maximum allowed size"):
        aws.update_function_configuration(FunctionName="fn", Layers=arns)


def test_lists_are_filtered(client: MakeClient) -> None:
    aws = client("lambda")
    layer(aws, "both", {"x": "1"}, CompatibleRuntimes=["python3.12"])
    layer(aws, "both", {"x": "2"}, CompatibleRuntimes=["nodejs20.x"])
    layer(aws, "other", {"x": "3"}, CompatibleRuntimes=["nodejs20.x"])
    found = aws.list_layers(CompatibleRuntime="python3.12")["Layers"]
    assert [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for each in found] == [("both", 1)]
    assert [each["LayerName"] for each in aws.list_layers()["Layers"]] == ["both", "other"]
    versions = aws.list_layer_versions(LayerName="both", CompatibleRuntime="nodejs20.x")["LayerVersions"]
    assert [each["Version"] for each in versions] == [2]


def test_a_page_of_a_filtered_list_is_full(client: MakeClient) -> None:
    aws = client("lambda")
    for name in ("a", "b", "c"):
        for number, runtime in enumerate(["python3.12", "nodejs20.x", "python3.12", "nodejs20.x"]):
            layer(aws, name, {"x": f"{name}{number}"}, CompatibleRuntimes=[runtime if name != "b" else "nodejs20.x"])
    wanted: dict[str, Any] = {"CompatibleRuntime": "python3.12", "PaginationConfig": {"PageSize": 1}}
    pages = aws.get_paginator("list_layers").paginate(**wanted)
    assert [[each["LayerName"] for each in page["Layers"]] for page in pages] == [["a"], ["c"]]
    pages = aws.get_paginator("list_layer_versions").paginate(LayerName="a", **wanted)
    assert [[each["Version"] for each in page["LayerVersions"]] for page in pages] == [[3], [1]]


def test_a_bootstrap_may_come_from_a_layer(client: MakeClient) -> None:
    aws = client("lambda")
    bootstrap = """#!/bin/sh
exec /usr/bin/env python3 - <<'END'
import os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as event:
        request = event.headers["Lambda-Runtime-Aws-Request-Id"]
        event.read()
    urllib.request.urlopen(base + request + "/response", b'"from a layer"').read()
END
"""
    arn = layer(aws, "runtime", {"bootstrap": bootstrap})
    create_function(aws, "fn", "", Runtime="provided.al2023", Layers=[arn])
    assert json.loads(aws.invoke(FunctionName="fn")["Payload"].read()) == "from a layer"
