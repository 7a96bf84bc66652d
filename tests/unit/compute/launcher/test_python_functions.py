"""Python functions in sandboxes: what they find, and that the zygote's head start cannot be noticed."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.runtimes import Runtimes
from tests.support.sandboxes import PREPARED, RUN_SOURCE, Bench, FunctionError, InitError

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECORDED = Path(__file__).parents[5] / "shared/oracles/recorded/lambda.json"
VERSION = "python{}.{}".format(*sys.version_info[:2])


async def run_once(bench: Bench, source: str, **changes: Any) -> Any:
    function = await bench.start(**changes)
    return await function.run(source)


class TestHandler:
    async def test_it_gets_the_event_and_answers(self, bench: Bench) -> None:
        function = await bench.start("def handler(event, context): return {'got': event, 'id': context.aws_request_id}")
        assert await function.invoke({"a": [1, "ä"]}) == {"got": {"a": [1, "ä"]}, "id": "1"}
        assert await function.invoke(None) == {"got": None, "id": "1"}

    async def test_its_errors_are_reported_and_it_lives_on(self, bench: Bench) -> None:
        function = await bench.start(
            """
            def handler(event, context):
                if event:
                    raise ValueError("no")
                return "yes"
            """
        )
        with pytest.raises(FunctionError) as error:
            await function.invoke(1)
        assert error.value.args[0] == {
            "errorMessage": "no",
            "errorType": "ValueError",
            "requestId": "1",
            "stackTrace": ['  File "/var/task/function.py", line 4, in handler\n    raise ValueError("no")\n'],
        }
        assert await function.invoke(0) == "yes"

    @pytest.mark.parametrize(
        ("source", "handler", "kind", "message"),
        [
            ("import missing_module", "function.handler", "Runtime.ImportModuleError",
             "Unable to import module 'function': No module named 'missing_module'"),
            ("def handler(e, c): pass", "function.other", "Runtime.HandlerNotFound",
             "Handler 'other' missing on module 'function'"),
            ("def handler(e, c:", "function.handler", "Runtime.UserCodeSyntaxError", None),
            ("", "nodots", "Runtime.MalformedHandlerName", None),
            ("raise RuntimeError('at import')", "function.handler", "RuntimeError", "at import"),
        ],
    )  # fmt: skip
    async def test_an_init_that_fails_is_reported(
        self, bench: Bench, source: str, handler: str, kind: str, message: str | None
    ) -> None:
        code = bench.package({"function.py": source})
        function = await bench.start_spec(bench.spec(code, handler))
        with pytest.raises(InitError) as error:
            await function.answer()
        assert error.value.args[0]["errorType"] == kind
        assert message is None or error.value.args[0]["errorMessage"] == message
        assert (await function.sandbox.exited).code == 1

    @pytest.mark.parametrize("statement", ["sys.exit(7)", "os._exit(7)", "exit(7)"])
    async def test_it_may_end_itself(self, bench: Bench, statement: str) -> None:
        function = await bench.start(f"import os, sys\ndef handler(event, context): {statement}")
        with pytest.raises(EOFError) as end:
            await function.invoke()
        assert end.value.args[0].code == 7

    async def test_its_prints_arrive_with_its_last_words(self, bench: Bench) -> None:
        function = await bench.start(
            "print('hello')\ndef handler(event, context):\n    print('bye')\n    raise SystemExit"
        )
        with pytest.raises(EOFError):
            await function.invoke()
        await function.close()
        assert function.output == b"hello\nbye\n"

    async def test_log_lines_take_the_framed_pipe(self, bench: Bench) -> None:
        function = await bench.start(
            "import logging\ndef handler(event, context): logging.getLogger().warning('careful')"
        )
        await function.invoke()
        assert function.sandbox.telemetry is not None
        frame = os.read(function.sandbox.telemetry, 65536)
        assert frame[:4] == bytes.fromhex("a55a0003")
        assert int.from_bytes(frame[4:8], "big") == len(frame) - 16
        assert frame[16:].decode().endswith("\t1\tcareful\n")

    async def test_log_lines_are_json_when_asked_for(self, bench: Bench) -> None:
        function = await bench.start(
            "import logging\ndef handler(event, context): logging.getLogger().info('careful')",
            environment={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
        )
        await function.invoke()
        assert function.sandbox.telemetry is not None
        line = json.loads(os.read(function.sandbox.telemetry, 65536)[16:])
        assert (line["level"], line["message"], line["requestId"]) == ("INFO", "careful", "1")


class TestSurroundings:
    async def test_modules_are_looked_for_where_aws_does(self, bench: Bench) -> None:
        path = await run_once(bench, "import sys; answer = sys.path")
        assert path[:4] == ["/var/task", f"/opt/python/lib/{VERSION}/site-packages", "/opt/python", "/var/runtime"]
        assert not any("rapid" in entry for entry in path)

    async def test_a_fresh_interpreter_looks_in_the_same_places(self, bench: Bench) -> None:
        source = "import sys; answer = [sys.path, sys.argv, sys.executable]"
        usual = await run_once(bench, source)
        fresh = await run_once(bench, source, environment={"PYTHONHASHSEED": "0"})
        assert fresh == usual

    async def test_the_platforms_own_modules_are_out_of_sight(self, bench: Bench) -> None:
        assert await run_once(bench, "import sys; answer = [m for m in sys.modules if 'agent' in m.split('.')]") == []
        assert await run_once(bench, "import __main__; answer = [__main__.__file__, hasattr(__main__, 'main')]") == [
            "/var/runtime/bootstrap.py",
            False,
        ]

    async def test_packages_of_this_machine_are_out_of_sight(self, bench: Bench) -> None:
        source = """
            import importlib.util, subprocess, sys
            here = [n for n in ("pip", "pytest", "mypy", "cloudlet") if importlib.util.find_spec(n)]
            code = "import importlib.util; print([n for n in ('pip', 'pytest') if importlib.util.find_spec(n)])"
            answer = [here, subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout]
        """
        assert await run_once(bench, source) == [[], "[]\n"]

    async def test_the_interpreter_is_where_aws_has_it(self, bench: Bench) -> None:
        source = f"""
            import subprocess, sys
            answer = [subprocess.run([p, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                     capture_output=True, text=True).stdout.strip()
                      for p in ("python3", "/var/lang/bin/{VERSION}", sys.executable)]
        """
        assert await run_once(bench, source) == [VERSION.removeprefix("python")] * 3

    async def test_spawned_workers_work(self, bench: Bench) -> None:
        function = await bench.start(
            """
            import multiprocessing
            def double(pipe, n):
                pipe.send(2 * n)
            def handler(event, context):
                spawn = multiprocessing.get_context("spawn")
                ours, theirs = spawn.Pipe()
                workers = [spawn.Process(target=double, args=(theirs, n)) for n in (1, 2, 3)]
                for worker in workers:
                    worker.start()
                answer = sorted(ours.recv() for _ in workers)
                for worker in workers:
                    worker.join()
                return answer
            """
        )
        assert await function.invoke() == [2, 4, 6]

    async def test_time_is_utc(self, bench: Bench) -> None:
        assert await run_once(bench, "import time; answer = time.strftime('%z', time.localtime(0))") == "+0000"
        source = "import time; answer = time.strftime('%z', time.localtime(0))"
        assert await run_once(bench, source, environment={"TZ": "XYZ-5"}) == "+0500"

    async def test_no_two_sandboxes_draw_the_same_numbers(self, bench: Bench) -> None:
        source = """
            import os, random, secrets, ssl, tempfile, uuid
            answer = [random.random(), secrets.token_hex(), ssl.RAND_bytes(8).hex(), str(uuid.uuid4()),
                      os.urandom(8).hex(), tempfile.mktemp(), random.Random().random(), str(uuid.uuid1())]
        """
        functions = [await bench.start() for _ in range(4)]
        drawn = await asyncio.gather(*[function.run(source) for function in functions])
        for column in zip(*drawn, strict=True):
            assert len(set(column)) == len(functions)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not beside this repository")
class TestRecordedOnAws:
    def recorded(self, name: str, answer: str) -> Any:
        return json.loads(RECORDED.read_text())[f"TestLambdaBehavior::{name}"]["answers"][answer]["Payload"]

    async def test_paths_and_user(self, bench: Bench) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can show files as root's")
        expected = self.recorded("test_runtime_introspection_x86", "invoke_runtime_x86_introspection")
        source = """
            import getpass, os, pathlib, platform, stat, subprocess
            paths = {}
            for name in ("/var/task", "/opt", "/tmp", "/lambda-entrypoint.sh"):
                path, status = pathlib.Path(name), os.stat(name)
                key = name.replace("/", "_")
                paths[key + "_mode"] = stat.filemode(status.st_mode)
                paths[key + "_uid"], paths[key + "_gid"] = status.st_uid, status.st_gid
                paths[key + "_owner"] = path.owner()
            answer = {"paths": paths, "user_login_name": getpass.getuser(), "pwd": subprocess.getoutput("pwd"),
                      "user_whoami": subprocess.getoutput("whoami"), "platform_system": platform.system()}
        """
        answer = await run_once(bench, source)
        assert answer == {name: expected[name] for name in answer}

    async def test_limits(self, bench: Bench) -> None:
        expected = self.recorded("test_runtime_ulimits", "invoke_runtime_ulimits")
        names = list(expected)
        answer = await run_once(
            bench, f"import resource; answer = {{n: resource.getrlimit(getattr(resource, n)) for n in {names}}}"
        )
        if answer["RLIMIT_CORE"] == [1, 1]:  # this host would be sent the core
            expected["RLIMIT_CORE"] = [1, 1]
        assert answer == expected


class TestBoto:
    async def test_it_is_there(self, bench: Bench) -> None:
        source = """
            import boto3
            session = boto3.DEFAULT_SESSION
            client = boto3.client("sqs")
            answer = [session, boto3.__file__, client.meta.endpoint_url, client.meta.region_name,
                      boto3.Session().get_credentials().access_key]
        """
        session, file, endpoint, region, key = await run_once(bench, source)
        assert session is None
        assert file == "/var/runtime/boto3/__init__.py"
        assert (endpoint, region, key) == ("http://127.0.0.1:4566", "us-east-1", "AKIAEXAMPLE")

    async def test_it_reaches_the_platform(self, bench: Bench) -> None:
        function = await bench.start()
        asked: asyncio.Queue[bytes] = asyncio.Queue()

        async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.put_nowait(await reader.readuntil(b"\r\n\r\n"))
            body = b"<R><GetCallerIdentityResult><Account>42</Account></GetCallerIdentityResult></R>"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(platform, sock=function.sandbox.platform)
        answer = await function.run("import boto3; answer = boto3.client('sts').get_caller_identity()['Account']")
        assert answer == "42"
        request = await asked.get()
        assert b"Host: 127.0.0.1:4566" in request
        assert b"Credential=AKIAEXAMPLE/" in request
        server.close()

    async def test_a_functions_own_version_is_used(self, bench: Bench) -> None:
        files = {
            "botocore/__init__.py": "__version__ = 'own'",
            "boto3/__init__.py": "import botocore\n__version__ = 'own ' + botocore.__version__",
            "urllib3.py": "mine = True",
        }
        source = """
            import boto3, botocore, jmespath, sys, urllib3
            answer = [boto3.__version__, boto3.__file__, jmespath.__file__, urllib3.mine,
                      sorted(n for n in sys.modules if n.startswith("botocore"))]
        """
        assert await run_once(bench, source, files=files) == [
            "own own",
            "/var/task/boto3/__init__.py",
            "/var/runtime/jmespath/__init__.py",
            True,
            ["botocore"],
        ]

    async def test_a_layers_own_version_is_used(self, bench: Bench) -> None:
        layer = bench.package({"python/boto3/__init__.py": "__version__ = 'of the layer'"})
        source = "import boto3; answer = boto3.__version__"
        assert await run_once(bench, source, layers=(layer,)) == "of the layer"

    async def test_one_package_of_the_family_is_enough(self, bench: Bench) -> None:
        files = {"urllib3/__init__.py": "from urllib3_real import *"}
        source = "import sys; answer = [m for m in ('boto3', 'botocore', 'urllib3', 'six') if m in sys.modules]"
        assert await run_once(bench, source, files=files) == []

    async def test_sessions_are_apart_and_of_the_functions_own_settings(self, bench: Bench) -> None:
        source = """
            import boto3, os
            os.environ["AWS_DEFAULT_REGION"] = "eu-south-1"
            first, second = boto3.Session(), boto3.Session(region_name="eu-north-1")
            answer = [first._session is second._session, first.client("sns").meta.region_name,
                      second.client("sns").meta.region_name, boto3.client("sns").meta.region_name,
                      first.client("sqs")._request_signer._credentials.token]
        """
        changes: dict[str, Any] = {"environment": {"AWS_SESSION_TOKEN": "of the role"}}
        answer = await run_once(bench, source, **changes)
        assert answer == [False, "eu-south-1", "eu-north-1", "eu-south-1", "of the role"]

    async def test_handlers_that_a_function_adds_for_all_sessions_are_in_its_first(self, bench: Bench) -> None:
        source = """
            import boto3
            from botocore import handlers
            seen = []
            handlers.BUILTIN_HANDLERS.append(("creating-client-class.sqs", lambda **_: seen.append(1)))
            boto3.client("sqs")
            answer = seen
        """
        assert await run_once(bench, source) == [1]

    async def test_a_functions_own_descriptions_of_services_are_found(self, bench: Bench) -> None:
        model = {
            "version": "2.0", "operations": {}, "shapes": {},
            "metadata": {"apiVersion": "2020-01-01", "endpointPrefix": "mine", "protocol": "json", "serviceId": "Mine",
                         "signatureVersion": "v4", "serviceFullName": "Mine", "jsonVersion": "1.1"},
        }  # fmt: skip
        rules = {"version": "1.0", "parameters": {}, "rules": []}
        files = {
            "models/mine/2020-01-01/service-2.json": json.dumps(model),
            "models/mine/2020-01-01/endpoint-rule-set-1.json": json.dumps(rules),
        }
        changes: dict[str, Any] = {"environment": {"AWS_DATA_PATH": "/var/task/models"}}
        source = "import boto3; answer = [boto3.client(n).meta.service_model.service_name for n in ('mine', 's3')]"
        assert await run_once(bench, source, files=files, **changes) == ["mine", "s3"]

    async def test_descriptions_of_services_that_were_not_warmed_are_found(self, bench: Bench) -> None:
        source = "import boto3; answer = boto3.client('kinesis').meta.service_model.service_name"
        assert await run_once(bench, source) == "kinesis"


FRESH = "import sys; answer = 'boto3' not in sys.modules"


class TestFreshInterpreter:
    async def test_usually_there_is_none(self, bench: Bench) -> None:
        assert await run_once(bench, FRESH) is False

    async def test_a_module_with_the_name_of_an_imported_one(self, bench: Bench) -> None:
        files = {"queue.py": "mine = 1", "email/__init__.py": "mine = 2"}
        assert await run_once(bench, "import queue, email; answer = queue.mine + email.mine", files=files) == 3

    async def test_a_folder_without_modules_is_no_module(self, bench: Bench) -> None:
        assert await run_once(bench, FRESH, files={"email/template.txt": "", "json.txt": ""}) is False

    @pytest.mark.parametrize(
        ("name", "value", "source", "expected"),
        [
            ("PYTHONHASHSEED", "0", "answer = hash('x')", None),
            ("PYTHONOPTIMIZE", "1", "import sys; answer = sys.flags.optimize", 1),
            ("PYTHONWARNINGS", "error", "import sys; answer = sys.warnoptions", ["error"]),
            ("LD_LIBRARY_PATH", "/opt/mine", "import os; answer = os.environ['LD_LIBRARY_PATH']", "/opt/mine"),
            ("MALLOC_ARENA_MAX", "2", FRESH, True),
        ],
    )
    async def test_variables_that_are_read_at_the_start(
        self, bench: Bench, name: str, value: str, source: str, expected: Any
    ) -> None:
        answers = [await run_once(bench, source, environment={name: value}) for _ in range(2)]
        assert answers[0] == answers[1]
        assert expected is None or answers[0] == expected
        assert await run_once(bench, FRESH, environment={name: value}) is True

    @pytest.mark.parametrize("name", ["PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"])
    async def test_variables_that_need_none(self, bench: Bench, name: str) -> None:
        assert await run_once(bench, FRESH, environment={name: "1"}) is False

    async def test_more_places_to_look_in(self, bench: Bench) -> None:
        files = {"more/extra_module.py": "value = 5"}
        source = "import extra_module, sys; answer = [extra_module.value, 'boto3' in sys.modules]"
        changes: dict[str, Any] = {"environment": {"PYTHONPATH": "/var/task/more:/var/runtime"}}
        assert await run_once(bench, source, files=files, **changes) == [5, True]


class TestWrapper:
    async def test_it_runs_the_runtime(self, bench: Bench) -> None:
        files = {"wrapper": '#!/bin/sh\nexport SEEN="$*"\nexec "$@"\n'}
        environment = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
        source = "import os; answer = os.environ['SEEN']"
        expected = f"/var/lang/bin/{VERSION} /var/runtime/bootstrap.py"
        assert await run_once(bench, source, files=files, environment=environment) == expected

    async def test_it_can_add_options_as_aws_shows(self, bench: Bench) -> None:
        wrapper = '#!/bin/bash\nargs=("$@")\nexec "${args[0]}" -X dev "${args[@]:1}"\n'
        environment = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
        source = "import sys; answer = sys.flags.dev_mode"
        assert await run_once(bench, source, files={"wrapper": wrapper}, environment=environment) is True

    async def test_one_that_is_not_there(self, bench: Bench) -> None:
        function = await bench.start(environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/idontexist"})
        assert (await function.sandbox.exited).code == 127


class TestEveryVersion:
    @pytest.mark.parametrize("name", Runtimes(PREPARED).interpreters("python"))
    async def test_a_function_runs_on_it(self, bench: Bench, name: str) -> None:
        code = bench.package({"function.py": RUN_SOURCE})
        function = await bench.start_spec(bench.spec(code, runtime=name))
        source = "import boto3, sys; boto3.client('s3'); answer = 'python%d.%d' % sys.version_info[:2]"
        assert await function.run(source) == name
        fresh = await bench.start_spec(bench.spec(code, runtime=name, environment={"PYTHONHASHSEED": "1"}))
        assert await fresh.run("import sys; answer = 'python%d.%d' % sys.version_info[:2]") == name
