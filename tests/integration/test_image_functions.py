"""Functions that are container images, from every place that they may come from."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from cloudlet.compute.images import engine
from cloudlet.compute.images.manifest import OCI_INDEX, OCI_MANIFEST
from cloudlet.config import Config
from tests.integration.test_permissions import Role, allow, role
from tests.support.extension_scripts import PRELUDE
from tests.support.functions import ROLE, create_function, package
from tests.support.images import Layout, program, run, tar
from tests.support.nodes import RUNTIMES, Clients, MakeClient, NodeInThread, fresh_account, running
from tests.support.python_image import ENTRYPOINT, python_image
from tests.support.registry import Registry, token_of

__all__ = ["role"]

HELLO = """
import os

print("loaded")

def handler(event, context):
    return {
        "hello": event.get("name"), "cwd": os.getcwd(), "uid": os.getuid(), "variables": dict(os.environ),
        "arguments": open("/proc/self/cmdline").read().split(chr(0))[:-1],
    }

def other(event, context):
    return "the other handler"
"""
WAIT = {"Delay": 0, "MaxAttempts": 100_000}
Json = dict[str, Any]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def functions(client: MakeClient) -> Any:
    return client("lambda")


@pytest.fixture
def ecr(client: MakeClient) -> Any:
    return client("ecr")


@pytest.fixture
def registry(endpoint: str, ecr: Any) -> Registry:
    ecr.create_repository(repositoryName="app")
    return Registry(endpoint, token_of(ecr))


@pytest.fixture
def uri(account: str) -> Callable[[str], str]:
    """An image of the repository, as AWS names it."""
    return lambda selector: f"{account}.dkr.ecr.us-east-1.amazonaws.com/app{selector}"


def create(functions: Any, uri: str, name: str = "fn", **settings: Any) -> Any:
    made = functions.create_function(
        FunctionName=name, **{"Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": uri}, **settings}
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=WAIT)
    return made


def updated(functions: Any, name: str = "fn") -> None:
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=WAIT)


def invoke(functions: Any, event: Any = None, name: str = "fn") -> Any:
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event or {}))
    return json.loads(answer["Payload"].read())


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_one_runs_its_own_client_as_it_says(functions: Any, layout: Layout) -> None:
    python_image(layout, "v1", HELLO, Env=["OF_IMAGE=yes", "OF_BOTH=image", "PATH=/usr/bin"])
    create(functions, layout.reference("v1"), Environment={"Variables": {"OF_BOTH": "function"}})
    answer = invoke(functions, {"name": "you"})
    assert (answer["hello"], answer["cwd"], answer["uid"]) == ("you", "/function", 993)
    assert answer["arguments"] == [*ENTRYPOINT, "app.handler"]
    variables = answer["variables"]
    assert (variables["OF_IMAGE"], variables["OF_BOTH"], variables["PATH"]) == ("yes", "function", "/usr/bin")
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_Image"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "fn"
    assert variables["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
    assert "_HANDLER" not in variables


def test_its_configuration_puts_others_in_place_of_what_the_image_says(functions: Any, layout: Layout) -> None:
    python_image(layout, "v1", HELLO)
    config = {"Command": ["app.other"]}
    made = create(functions, layout.reference("v1"), ImageConfig=config)
    assert made["ImageConfigResponse"] == {"ImageConfig": config}
    assert invoke(functions) == "the other handler"
    entry_point = ["/usr/bin/python3", "-B", "-m", "awslambdaric"]
    functions.update_function_configuration(
        FunctionName="fn",
        ImageConfig={"EntryPoint": entry_point, "Command": ["app.handler"], "WorkingDirectory": "/usr"},
        Environment={"Variables": {"PYTHONPATH": "/function"}},
    )
    updated(functions)
    answer = invoke(functions)
    assert (answer["arguments"], answer["cwd"]) == ([*entry_point, "app.handler"], "/usr")
    got = functions.update_function_configuration(FunctionName="fn", ImageConfig={})
    assert "ImageConfigResponse" not in got


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ({"EntryPoint": ["/no/such"]}, "Runtime.InvalidEntrypoint", "fork/exec /no/such: no such file or directory"),
        ({"EntryPoint": ["/function/app.py"]}, "Runtime.InvalidEntrypoint",
         "fork/exec /function/app.py: permission denied"),
        ({"EntryPoint": ["/function/broken"]}, "Runtime.InvalidEntrypoint",
         "fork/exec /function/broken: exec format error"),
        ({"EntryPoint": ["nothing"]}, "Runtime.InvalidEntrypoint",
         'exec: "nothing": executable file not found in $PATH'),
        ({"WorkingDirectory": "/nowhere"}, "Runtime.InvalidWorkingDir",
         "the working directory doesn't exist: /nowhere"),
        ({"WorkingDirectory": "here"}, "Runtime.InvalidWorkingDir",
         "the working directory 'here' is invalid, it needs to be an absolute path"),
        ({"EntryPoint": ["/usr/bin/python3", "-c", "exit(3)"]}, "Runtime.ExitError",
         "Runtime exited with error: exit status 3"),
    ],
    ids=["missing", "not executable", "no program", "not in the path", "no folder", "relative", "exits"],
)  # fmt: skip
def test_what_cannot_be_started_is_told_as_on_aws(
    functions: Any, layout: Layout, config: Json, error: str, text: str
) -> None:
    python_image(layout, "v1", HELLO, ("function/broken!", "no program"))
    create(functions, layout.reference("v1"), ImageConfig=config)
    answer = invoke(functions)
    assert answer["errorType"] == error
    assert answer["errorMessage"].endswith(f"Error: {text}")


def test_a_program_without_a_path_is_looked_for(functions: Any, layout: Layout) -> None:
    python_image(layout, "v1", HELLO, Entrypoint=["python3", "-m", "awslambdaric"], Env=["PATH=/no:/usr/bin"])
    create(functions, layout.reference("v1"))
    assert invoke(functions)["arguments"][0] == "/usr/bin/python3"


def test_what_is_in_tmp_outlasts_a_crash(functions: Any, layout: Layout) -> None:
    source = """
import os

def handler(event, context):
    if event.get("name") == "crash":
        open("/tmp/kept", "w").write("kept")
        os._exit(1)
    return open("/tmp/kept").read()
"""
    python_image(layout, "v1", source)
    create(functions, layout.reference("v1"))
    assert invoke(functions, {"name": "crash"})["errorType"] == "Runtime.ExitError"
    assert invoke(functions) == "kept"


def test_upper_layers_hide_what_is_below(functions: Any, layout: Layout) -> None:
    source = """
import os

def handler(event, context):
    return [sorted(os.listdir("/data")), sorted(os.listdir("/gone")), open("/data/kept").read(), os.path.exists("/x")]
"""
    below = [("data/gone", "1"), ("data/kept", "old"), ("gone/a", "1"), ("gone/b/c", "1"), ("x", "1")]
    above = [("data/.wh.gone", ""), ("data/kept", "new"), ("gone/.wh..wh..opq", ""), ("gone/d", "1"), (".wh.x", "")]
    python_image(layout, "v1", source, *below)
    manifest = json.loads(layout.content(python_image(layout, "v2", source, *below)))
    base = [layout.content(layer["digest"]) for layer in manifest["layers"]]
    layout.image(
        "v3", [*base, tar(above)], compression="", Entrypoint=ENTRYPOINT, Cmd=["app.handler"], WorkingDir="/function"
    )
    create(functions, layout.reference("v3"))
    assert invoke(functions) == [["kept"], ["d"], "new", False]


def test_extensions_of_the_image_are_started(client: MakeClient, functions: Any, layout: Layout) -> None:
    body = 'register("INVOKE")\nwhile True:\n    say("heard", next_event()["eventType"])\n'
    extension = PRELUDE.replace("/var/lang/bin/python3", "/usr/bin/python3") + body
    python_image(layout, "v1", HELLO, ("opt/extensions/watcher!", extension))
    create(functions, layout.reference("v1"))
    assert invoke(functions, {"name": "you"})["hello"] == "you"
    logs = client("logs")
    while not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/fn")["logGroups"]:
        pass
    while not logs.filter_log_events(logGroupName="/aws/lambda/fn", filterPattern='"watcher heard INVOKE"')["events"]:
        pass


class TestFromTheNodesRegistry:
    def test_a_tag_means_what_it_meant(
        self, functions: Any, layout: Layout, registry: Registry, uri: Callable[[str], str]
    ) -> None:
        first = python_image(layout, "v1", HELLO)
        registry.push("app", "v1", layout, first)
        made = create(functions, uri(":v1"))
        assert (made["PackageType"], made["CodeSize"], made["CodeSha256"]) == ("Image", 0, first.partition(":")[2])
        assert not {"Runtime", "Handler", "Layers", "RuntimeVersionConfig"} & made.keys()
        second = python_image(layout, "v2", HELLO.replace("the other", "another"))
        registry.push("app", "v1", layout, second)
        assert invoke(functions, {"name": "you"})["hello"] == "you"
        code = functions.get_function(FunctionName="fn")["Code"]
        assert code == {
            "RepositoryType": "ECR", "ImageUri": uri(":v1"), "ResolvedImageUri": uri(f"@{first}"),
        }  # fmt: skip
        functions.publish_version(FunctionName="fn")
        changed = functions.update_function_code(FunctionName="fn", ImageUri=uri(":v1"))
        assert changed["CodeSha256"] == second.partition(":")[2]
        updated(functions)
        functions.update_function_configuration(FunctionName="fn", ImageConfig={"Command": ["app.other"]})
        updated(functions)
        assert invoke(functions) == "another handler"
        assert invoke(functions, {"name": "you"}, "fn:1")["hello"] == "you"

    def test_one_is_named_by_digest_and_by_the_nodes_address(
        self, functions: Any, endpoint: str, layout: Layout, registry: Registry, uri: Callable[[str], str]
    ) -> None:
        digest = python_image(layout, "v1", HELLO)
        registry.push("app", "v1", layout, digest)
        create(functions, uri(f"@{digest}"), "by-digest")
        create(functions, f"{urlsplit(endpoint).netloc}/app:v1", "by-address")
        for name in ("by-digest", "by-address"):
            assert invoke(functions, {"name": "you"}, name)["hello"] == "you"

    def test_of_an_index_it_is_this_machines(
        self, functions: Any, layout: Layout, registry: Registry, uri: Callable[[str], str]
    ) -> None:
        digest = python_image(layout, "v1", HELLO)
        registry.push("app", digest, layout, digest)
        entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(layout.content(digest))}
        registry.manifest("app", "all", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        assert create(functions, uri(":all"))["CodeSha256"] == digest.partition(":")[2]
        assert invoke(functions, {"name": "you"})["hello"] == "you"

    def test_it_goes_on_when_its_repository_is_gone(
        self, functions: Any, ecr: Any, layout: Layout, registry: Registry, uri: Callable[[str], str]
    ) -> None:
        registry.push("app", "v1", layout, python_image(layout, "v1", HELLO))
        create(functions, uri(":v1"))
        ecr.delete_repository(repositoryName="app", force=True)
        assert invoke(functions, {"name": "you"})["hello"] == "you"

    def test_lambda_lets_itself_in_where_who_creates_may_do_so(
        self, functions: Any, ecr: Any, account: str, layout: Layout, registry: Registry,
        uri: Callable[[str], str], role: Role,
    ) -> None:  # fmt: skip
        registry.push("app", "v1", layout, python_image(layout, "v1", HELLO))
        mine = role.client("lambda")
        request = {"FunctionName": "fn", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": uri(":v1")}}
        role.grant(allow(["lambda:*", "iam:PassRole"]))
        assert refusal(mine.create_function, **request) == (
            "AccessDeniedException",
            "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
        )
        role.grant(allow(["lambda:*", "iam:PassRole", "ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"]))
        mine.create_function(**request)
        policy = json.loads(ecr.get_repository_policy(repositoryName="app")["policyText"])
        [statement] = policy["Statement"]
        assert statement["Sid"] == "LambdaECRImageRetrievalPolicy"
        assert statement["Condition"] == {
            "StringLike": {"aws:sourceArn": f"arn:aws:lambda:us-east-1:{account}:function:*"}
        }
        role.grant(allow(["lambda:*", "iam:PassRole"]))
        mine.update_function_code(FunctionName="fn", ImageUri=uri(":v1"))

    def test_another_account_needs_the_repositorys_policy(
        self, client: MakeClient, ecr: Any, layout: Layout, registry: Registry, uri: Callable[[str], str]
    ) -> None:
        registry.push("app", "v1", layout, python_image(layout, "v1", HELLO))
        other = fresh_account()
        theirs = client("lambda", account=other)
        request = {
            "FunctionName": "fn", "Role": f"arn:aws:iam::{other}:role/test", "PackageType": "Image",
            "Code": {"ImageUri": uri(":v1")},
        }  # fmt: skip
        assert refusal(theirs.create_function, **request)[0] == "AccessDeniedException"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": {"StringLike": {"aws:sourceArn": f"arn:aws:lambda:us-east-1:{other}:function:*"}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        ecr.set_repository_policy(repositoryName="app", policyText=document)
        create(theirs, uri(":v1"), Role=request["Role"])
        assert invoke(theirs, {"name": "you"})["hello"] == "you"


class TestFromOutside:
    @pytest.fixture
    def outside(self, tmp_path: Path, layout: Layout) -> Iterator[tuple[str, Any]]:
        """Another node, whose registry this one knows nothing of; a login for it is where `docker login` puts it."""
        with running(NodeInThread(Config(port=0, data=tmp_path / "outside"))) as node:
            clients = Clients(fresh_account())
            ecr = clients.make(node.endpoint, "ecr")
            ecr.create_repository(repositoryName="app")
            host = urlsplit(node.endpoint).netloc
            Registry(node.endpoint, token_of(ecr)).push("app", "v1", layout, python_image(layout, "v1", HELLO))
            yield host, ecr
            clients.close()

    def nodes_client(self, tmp_path: Path, clients: Clients, **settings: Any) -> Iterator[Any]:
        config = Config(port=0, data=tmp_path / "node", runtimes=RUNTIMES, **settings)
        with running(NodeInThread(config)) as node:
            yield clients.make(node.endpoint, "lambda")

    def test_one_is_brought_by_a_login(self, tmp_path: Path, clients: Clients, outside: tuple[str, Any]) -> None:
        host, ecr = outside
        logins = tmp_path / "logins.json"
        logins.write_text("{}")
        for functions in self.nodes_client(tmp_path, clients, registry_logins=logins):
            request = {
                "FunctionName": "fn", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": f"{host}/app:v1"},
            }  # fmt: skip
            code, text = refusal(functions.create_function, **request)
            assert (code, text) == (
                "AccessDeniedException", f"{host}/app may not be read: the registry answers 401."
            )  # fmt: skip
            logins.write_text(json.dumps({"auths": {host: {"auth": token_of(ecr)}}}))
            create(functions, f"{host}/app:v1")
            assert invoke(functions, {"name": "you"})["hello"] == "you"
            resolved = functions.get_function(FunctionName="fn")["Code"]["ResolvedImageUri"]
            assert resolved.startswith(f"{host}/app@sha256:")

    def test_one_that_is_gone_before_it_is_brought_fails(
        self, tmp_path: Path, clients: Clients, outside: tuple[str, Any]
    ) -> None:
        host, ecr = outside
        logins = tmp_path / "logins.json"
        logins.write_text(json.dumps({"auths": {host: {"auth": token_of(ecr)}}}))
        for functions in self.nodes_client(tmp_path, clients, registry_logins=logins):
            for part in (tmp_path / "outside").glob("images/*/*"):
                if part.stat().st_size > 1024 * 1024:
                    part.unlink()
            functions.create_function(
                FunctionName="fn", Role=ROLE, PackageType="Image", Code={"ImageUri": f"{host}/app:v1"}
            )
            while (got := functions.get_function_configuration(FunctionName="fn"))["State"] == "Pending":
                pass
            assert (got["State"], got["StateReasonCode"]) == ("Failed", "ImageDeleted")
            assert got["StateReason"] == f"{host}/app has no such image."

    def test_a_registry_that_does_not_answer_holds_up_nobody_else(self, functions: Any) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent, ThreadPoolExecutor(20) as threads:
            uri = f"127.0.0.1:{silent.getsockname()[1]}/app:v1"

            def ask(number: int) -> tuple[str, str]:
                return refusal(
                    functions.create_function,
                    FunctionName=f"fn{number}", Role=ROLE, PackageType="Image", Code={"ImageUri": uri},
                )  # fmt: skip

            asking = [threads.submit(ask, number) for number in range(20)]
            waiting = [silent.accept()[0] for _ in range(10)]
            create_function(functions, "zip", "def handler(event, context):\n    return 1\n")
            assert invoke(functions, {}, "zip") == 1
            assert not any(one.done() for one in asking)
            silent.close()
            for connection in waiting:
                connection.close()
            for one in asking:
                code, text = one.result()
                assert code == "InvalidParameterValueException"
                assert f"Source image {uri} is not valid. 127.0.0.1 does not answer" in text

    def test_a_registry_that_gives_a_byte_now_and_then_is_given_up(
        self, functions: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "RESOLVE_LIMIT_S", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as dripping, ThreadPoolExecutor(1) as thread:
            uri = f"127.0.0.1:{dripping.getsockname()[1]}/app:v1"
            asking = thread.submit(
                refusal,
                functions.create_function,
                FunctionName="fn", Role=ROLE, PackageType="Image", Code={"ImageUri": uri},
            )  # fmt: skip
            with dripping.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                code, text = asking.result()
            assert code == "InvalidParameterValueException"
            assert "has not come within" in text

    def test_the_nodes_settings_say_what_may_be_taken(
        self, tmp_path: Path, clients: Clients, layout: Layout, outside: tuple[str, Any]
    ) -> None:
        host, _ = outside
        settings = {"image_registries": "registry.example", "image_folder": tmp_path / "allowed"}
        for functions in self.nodes_client(tmp_path, clients, **settings):
            request = {"FunctionName": "fn", "Role": ROLE, "PackageType": "Image"}
            for uri, setting in ((f"{host}/app:v1", "image_registries"), (layout.reference("v1"), "image_folder")):
                code, text = refusal(functions.create_function, **request, Code={"ImageUri": uri})
                assert code == "AccessDeniedException"
                assert setting in text
            shutil.move(layout.folder, tmp_path / "allowed")
            create(functions, f"oci:{tmp_path}/allowed:v1")
            assert invoke(functions, {"name": "you"})["hello"] == "you"


def test_an_archive_of_docker_save_is_one_too(functions: Any, layout: Layout, tmp_path: Path) -> None:
    python_image(layout, "v1", HELLO)
    archive = tmp_path / "image.tar"
    run(program("skopeo"), "copy", layout.reference("v1"), f"docker-archive:{archive}:app:v1")
    create(functions, f"docker-archive:{archive}:app:v1")
    assert invoke(functions, {"name": "you"})["hello"] == "you"


def test_what_is_not_what_it_says_makes_the_function_fail(
    functions: Any, registry: Registry, layout: Layout, uri: Callable[[str], str]
) -> None:
    """The digest of the packed layer is right; what is in it is not what the configuration names."""
    digest = layout.image("v1", [tar([("a", "1")])], compression="")
    manifest = json.loads(layout.content(digest))
    config = json.loads(layout.content(manifest["config"]["digest"]))
    config["rootfs"]["diff_ids"] = [f"sha256:{'0' * 64}"]
    manifest["config"] = layout.blob(json.dumps(config).encode(), manifest["config"]["mediaType"])
    lying = layout.manifest("v2", json.dumps(manifest).encode(), manifest["mediaType"])
    registry.push("app", "v2", layout, lying)
    functions.create_function(FunctionName="fn", Role=ROLE, PackageType="Image", Code={"ImageUri": uri(":v2")})
    while (got := functions.get_function_configuration(FunctionName="fn"))["State"] == "Pending":
        pass
    assert (got["State"], got["StateReasonCode"]) == ("Failed", "InvalidImage")


def test_its_parts_go_with_the_last_function(
    node: NodeInThread, functions: Any, ecr: Any, layout: Layout, registry: Registry, uri: Callable[[str], str]
) -> None:
    registry.push("app", "v1", layout, python_image(layout, "v1", HELLO + "# of this test"))
    layer = json.loads(layout.content(python_image(layout, "v1", HELLO + "# of this test")))["layers"][1]["digest"]
    for name in ("one", "two"):
        create(functions, uri(":v1"), name)
    ecr.delete_repository(repositoryName="app", force=True)
    parts = node.node.images.store
    functions.delete_function(FunctionName="one")
    assert invoke(functions, {"name": "you"}, "two")["hello"] == "you"
    assert node.call(parts.has(layer.partition(":")[2]))
    functions.delete_function(FunctionName="two")
    while node.call(parts.has(layer.partition(":")[2])):
        pass


class TestRefusals:
    def test_what_images_do_not_have(self, functions: Any, layout: Layout) -> None:
        python_image(layout, "v1", HELLO)
        request = {
            "FunctionName": "fn", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": layout.reference("v1")},
        }  # fmt: skip
        text = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        for more in ({"Handler": "app.handler"}, {"Runtime": "python3.12"}):
            assert refusal(functions.create_function, **request, **more) == ("InvalidParameterValueException", text)
        create(functions, layout.reference("v1"))
        assert refusal(functions.update_function_configuration, FunctionName="fn", Handler="a.b")[1] == text

    @pytest.mark.parametrize(
        "config", [{"Command": ["a\0b"]}, {"WorkingDirectory": "/\0"}, {"Command": ["a" * 40_000]}],
        ids=["nul in an argument", "nul in a folder", "too large"],
    )  # fmt: skip
    def test_settings_that_cannot_be(self, functions: Any, layout: Layout, config: Json) -> None:
        python_image(layout, "v1", HELLO)
        request = {
            "FunctionName": "fn", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": layout.reference("v1")},
        }  # fmt: skip
        code, text = refusal(functions.create_function, **request, ImageConfig=config)
        assert code == "InvalidParameterValueException"
        assert text.startswith("ImageConfig must")

    def test_what_is_for_packages_only(self, functions: Any, layout: Layout) -> None:
        python_image(layout, "v1", HELLO)
        create(functions, layout.reference("v1"))
        signing = functions.create_code_signing_config(
            AllowedPublishers={
                "SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/1"]
            }
        )["CodeSigningConfig"]["CodeSigningConfigArn"]
        assert refusal(
            functions.put_function_code_signing_config, FunctionName="fn", CodeSigningConfigArn=signing
        ) == (
            "InvalidParameterValueException",
            "Code signing is not supported for functions created with container images.",
        )  # fmt: skip
        manage = functions.put_runtime_management_config
        assert (
            refusal(manage, FunctionName="fn", UpdateRuntimeOn="FunctionUpdate")[0] == "InvalidParameterValueException"
        )
        manage(FunctionName="fn", UpdateRuntimeOn="Auto")

    def test_packages_and_images_are_not_mixed_up(self, functions: Any, layout: Layout) -> None:
        python_image(layout, "v1", HELLO)
        create(functions, layout.reference("v1"))
        assert refusal(functions.update_function_code, FunctionName="fn", ZipFile=package("x"))[1] == (
            "Please provide ImageUri when updating a function with packageType Image."
        )
        create_function(functions, "zip", "def handler(event, context): pass")
        assert refusal(functions.update_function_code, FunctionName="zip", ImageUri="a/b:c")[1] == (
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
        config = {"Command": ["a"]}
        assert (
            "ImageConfig" in refusal(functions.update_function_configuration, FunctionName="zip", ImageConfig=config)[1]
        )
        assert (
            refusal(
                functions.create_function, FunctionName="f2", Role=ROLE, PackageType="Image", Code={"ZipFile": b"x"}
            )[1]
            == "Please provide ImageUri when creating a function with packageType Image."
        )

    def test_images_that_are_not_there(
        self, functions: Any, registry: Registry, uri: Callable[[str], str], layout: Layout, tmp_path: Path
    ) -> None:
        registry.image("app", "no-image", b"x")
        layout.image("other", [tar([("a", "1")])], architecture="s390x")
        python_image(layout, "damaged", HELLO)
        broken = next((tmp_path / "layout" / "blobs" / "sha256").glob("*"))
        for wrong, text in {
            uri(":none"): "Source image {} does not exist. Provide a valid source image.",
            uri(":none").replace("app", "apps"): "Source image {} does not exist. Provide a valid source image.",
            uri("").replace("us-east-1", "eu-west-1"): "Source image {} is not valid. Provide a valid source image.",
            "UPPER/case": "Source image {} is not valid. Provide a valid source image.",
            f"oci:{tmp_path}/none:v1": "Source image {} does not exist. Provide a valid source image.",
            layout.reference("none"): "Source image {} does not exist. Provide a valid source image.",
            layout.reference("other"):
                "Source image {} cannot run on this machine. The image is for linux/s390x, not for linux/amd64.",
        }.items():  # fmt: skip
            error = refusal(
                functions.create_function, FunctionName="fn", Role=ROLE, PackageType="Image", Code={"ImageUri": wrong}
            )
            assert error == ("InvalidParameterValueException", text.format(wrong)), wrong
        assert broken.exists()
