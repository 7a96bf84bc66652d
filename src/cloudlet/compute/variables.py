"""The environment variables of an execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cloudlet.compute.function import SNAP_START, FunctionVersion, TemporaryCredentials
from cloudlet.compute.launcher.agent.network import RUNTIME_API_PORT
from cloudlet.compute.snap_start import CREDENTIALS_PATH

TASK_ROOT: Final = "/var/task"
RUNTIME_DIRECTORY: Final = "/var/runtime"
SANDBOX_ADDRESS: Final = "127.0.0.1"
"""Where a sandbox finds the Runtime API; its X-Ray daemon has the same address on AWS, and 2000 is its port."""

# A function may set these itself.
_DEFAULTS: Final = {
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": f"{SANDBOX_ADDRESS}:2000",
    "_AWS_XRAY_DAEMON_ADDRESS": SANDBOX_ADDRESS,
    "_AWS_XRAY_DAEMON_PORT": "2000",
}
# A function cannot set these, but its image can.
_FOLDERS: Final = {"LAMBDA_RUNTIME_DIR": RUNTIME_DIRECTORY, "LAMBDA_TASK_ROOT": TASK_ROOT}
# What AWS's bootstrap script of this language adds. `{release}` is the 20 of nodejs20.x, the 3.4 of ruby3.4.
_BY_LANGUAGE: Final = {
    "python": {"PYTHONPATH": RUNTIME_DIRECTORY, "LC_CTYPE": "C.UTF-8", "PWD": TASK_ROOT, "SHLVL": "0"},
    "nodejs": {
        "NODE_PATH": "/opt/nodejs/node{release}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:"
        "/var/runtime:/var/task",
    },
    "ruby": {
        "GEM_PATH": "/var/task/vendor/bundle/ruby/{release}.0:/opt/ruby/gems/{release}.0:/var/runtime",
        "RUBYLIB": "/var/task:/var/runtime/lib:/opt/ruby/lib",
    },
}


# A snapshot has the variables of where it was taken: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
_NOT_IN_SNAPSHOTS: Final = frozenset(
    (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
    )
)


def language(runtime: str) -> str:
    """`python` of `python3.12`, `nodejs` of `nodejs20.x`, `java` of `java8.al2`, `provided` of `provided.al2023`."""
    return runtime[: next((place for place, letter in enumerate(runtime) if not letter.isalpha()), len(runtime))]


def variables(
    function: FunctionVersion,
    credentials: TemporaryCredentials,
    log_stream: str,
    image_environment: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """All variables but those that the launcher adds (AWS_LAMBDA_RUNTIME_API, AWS_ENDPOINT_URL).

    `image_environment`: what the function's container image sets; the function's own variables go before that.
    """
    spoken = language(function.runtime)
    release = function.runtime.removeprefix(spoken).removesuffix(".x")
    added = {name: value.format(release=release) for name, value in _BY_LANGUAGE.get(spoken, {}).items()}
    found = {**_DEFAULTS, **added, **_FOLDERS, **image_environment, **function.environment}
    found |= {
        "_HANDLER": function.handler,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": function.initialization_type,
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group or f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": function.region,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }
    if function.initialization_type == SNAP_START:
        found = {name: value for name, value in found.items() if name not in _NOT_IN_SNAPSHOTS}
        found |= {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{SANDBOX_ADDRESS}:{RUNTIME_API_PORT}{CREDENTIALS_PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": hashlib.sha256(credentials.session_token.encode()).hexdigest(),
        }
    if function.log_format == "JSON":
        found |= {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": function.application_log_level}
    if function.image is not None:
        del found["_HANDLER"]  # an image says by itself what is run
        found["AWS_EXECUTION_ENV"] = "AWS_Lambda_Image"
    elif spoken != "provided":
        found["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{function.runtime}"
    return found
