"""A function's configuration from the parameters of CreateFunction and UpdateFunctionConfiguration.

What AWS accepts and Cloudlet does not do yet is refused by name, never kept and ignored; what says only the default is
accepted. https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from cloudlet.errors import ValidationError
from cloudlet.services.lambda_ import limits, logging_config, network_config, runtime_names
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.version import PUBLISHED_VERSIONS, Configuration

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED_VARIABLES = frozenset(
    (
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    )
)  # fmt: skip
_VARIABLE_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

# The parameters that are not built yet, each with what is as good as not giving it.
_UNBUILT: Mapping[str, Callable[[Any], bool]] = {
    "AcceleratorConfig": lambda value: not value,
    "CapacityProviderConfig": lambda value: not value,
    "DurableConfig": lambda value: not value,
    "DurableExecutionName": lambda value: not value,
    "PublishTo": lambda value: not value,
    "RuntimeConfig": lambda value: not value,
    "S3ObjectStorageMode": lambda value: value == "COPY",
    "SourceKMSKeyArn": lambda value: not value,
    "TenantId": lambda value: not value,
    "TenancyConfig": lambda value: not value,
}


def machine_architecture() -> str:
    """The architecture of this machine in Lambda's words."""
    machine = platform.machine()
    return _MACHINES.get(machine.lower(), machine)


def refuse_unbuilt(params: Mapping[str, Any]) -> None:
    """Raises InvalidParameterValue when a parameter asks for what is not built yet."""
    for name, is_default in _UNBUILT.items():
        if (value := params.get(name)) is not None and not is_default(value):
            raise InvalidParameterValue(f"Cloudlet does not implement the parameter {name} with this value yet.")


def create(params: Mapping[str, Any], layers: Sequence[Mapping[str, Any]] | None = None) -> Configuration:
    """The configuration of a new function with these layers. Raises ValidationError, InvalidParameterValue."""
    refuse_unbuilt(params)
    refuse_unbuilt(params.get("Code") or {})
    _check_package_type(params, params.get("PackageType") or "Zip")
    if params.get("PackageType") != "Image" and (not params.get("Runtime") or not params.get("Handler")):
        raise InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    base = Configuration(runtime="", handler="", role="", architecture=architecture(params) or machine_architecture())
    return _with_layers(_changed(base, params), layers)


def update(
    current: Configuration, params: Mapping[str, Any], layers: Sequence[Mapping[str, Any]] | None = None
) -> Configuration:
    """`current` with what `params` change, and with these layers where the caller names any.

    Raises ValidationError, InvalidParameterValue.
    """
    refuse_unbuilt(params)
    _check_package_type(params, current.package_type)
    return _with_layers(_changed(current, params), layers)


def _check_package_type(params: Mapping[str, Any], package_type: str) -> None:
    """Raises InvalidParameterValue for what functions of this package type do not have."""
    if package_type == "Zip" and any((params.get("ImageConfig") or {}).values()):
        raise InvalidParameterValue("Please don't provide ImageConfig when the intended function PackageType is Zip.")
    if package_type == "Image" and any(params.get(name) for name in ("Handler", "Runtime", "Layers")):
        raise InvalidParameterValue(
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        )


def with_image(current: Configuration, image: Mapping[str, str] | None) -> Configuration:
    """`current` of another image, where it is of one."""
    return current if image is None else replace(current, image=image)


def _with_layers(configuration: Configuration, layers: Sequence[Mapping[str, Any]] | None) -> Configuration:
    return configuration if layers is None else replace(configuration, layers=layers)


def architecture(params: Mapping[str, Any]) -> str | None:
    """The architecture that `params` ask for. Raises InvalidParameterValue when this machine cannot run it."""
    chosen: str | None = (params.get("Architectures") or [None])[0]
    if chosen is not None and chosen != machine_architecture():
        raise InvalidParameterValue(
            f"This machine is {machine_architecture()}: it cannot run functions of the architecture {chosen}."
        )
    return chosen


def with_architecture(current: Configuration, chosen: str | None) -> Configuration:
    """`current` for the architecture `chosen`, when one was."""
    return replace(current, architecture=chosen) if chosen else current


def with_runs_on(current: Configuration, runs_on: str) -> Configuration:
    """`current` with the runtime that it really runs on."""
    return replace(current, runs_on=runs_on)


def _changed(base: Configuration, params: Mapping[str, Any]) -> Configuration:
    plain = {
        "Handler": "handler",
        "Role": "role",
        "Description": "description",
        "Timeout": "timeout_s",
        "MemorySize": "memory_mb",
        "Runtime": "runtime",
    }
    changes = {field: params[member] for member, field in plain.items() if params.get(member) is not None}
    _check_range(params, "Timeout", "timeout", limits.TIMEOUT_S)
    _check_range(params, "MemorySize", "memorySize", limits.MEMORY_MB)
    if (storage := params.get("EphemeralStorage")) is not None:
        _check_range(storage, "Size", "ephemeralStorage.size", limits.EPHEMERAL_STORAGE_MB)
        changes["ephemeral_storage_mb"] = storage["Size"]
    if "runtime" in changes:
        runtime_names.check(changes["runtime"])
    if (environment := params.get("Environment")) is not None and environment.get("Variables") is not None:
        changes["environment"] = dict(environment["Variables"])
        check_environment(changes["environment"])
    if (mode := (params.get("TracingConfig") or {}).get("Mode")) is not None:
        changes["tracing_mode"] = mode
    if (snap_start := (params.get("SnapStart") or {}).get("ApplyOn")) is not None:
        changes["snap_start"] = snap_start
    if (dead_letters := params.get("DeadLetterConfig")) is not None:
        changes["dead_letter_arn"] = dead_letters.get("TargetArn") or ""
    if (image_config := params.get("ImageConfig")) is not None:
        changes["image_config"] = _image_config(image_config)
    if (logging := params.get("LoggingConfig")) is not None:
        changes |= logging_config.changes(base.log_format, logging)
    if (key := params.get("KMSKeyArn")) is not None:
        changes["kms_key_arn"] = key
    if (vpc := params.get("VpcConfig")) is not None and (base.vpc is not None or any(vpc.values())):
        changes["vpc"] = network_config.vpc(vpc)
    if (file_systems := params.get("FileSystemConfigs")) is not None:
        changes["file_systems"] = tuple(network_config.file_systems(file_systems))
    changed = replace(base, **changes)
    network_config.check(changed.vpc, changed.file_systems)
    _check_snap_start(changed)
    return changed


def _image_config(given: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in given.items() if value}
    measured = orjson.dumps(kept)
    if len(measured) > limits.IMAGE_CONFIG_BYTES:
        raise InvalidParameterValue(f"ImageConfig must be smaller than {limits.IMAGE_CONFIG_BYTES} bytes.")
    if b"\\u0000" in measured:
        raise InvalidParameterValue("ImageConfig must not hold NUL characters.")
    return kept


def check_environment(variables: Mapping[str, str]) -> None:
    """Raises InvalidParameterValue for variables that are too many, reserved or badly named."""
    measured = orjson.dumps(variables)
    if len(measured) > limits.ENVIRONMENT_BYTES:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {measured.decode()}"
        )
    if reserved := [name for name in variables if name in RESERVED_VARIABLES]:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    # The model's own validation says so in AWS's words; this holds for calls that do not pass it.
    if bad := [name for name in variables if not _VARIABLE_NAME.fullmatch(name)]:
        raise InvalidParameterValue(f"Environment variable names must match {_VARIABLE_NAME.pattern}: {', '.join(bad)}")
    if any("\0" in value for value in variables.values()):
        raise InvalidParameterValue("Environment variable values must not hold NUL characters.")


def _check_snap_start(configuration: Configuration) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-supported"""
    if configuration.snap_start != PUBLISHED_VERSIONS:
        return
    # With an image, or before there is one, there is no runtime's name.
    if (kind := configuration.runtime or "ContainerImage") not in runtime_names.SNAP_START:
        raise InvalidParameterValue(f"{kind} is not supported for SnapStart enabled functions.")
    if configuration.file_systems:
        raise InvalidParameterValue("FileSystemConfigs is not supported for SnapStart enabled functions.")
    if configuration.ephemeral_storage_mb > limits.SNAP_START_EPHEMERAL_STORAGE_MB:
        raise InvalidParameterValue(
            f"EphemeralStorage greater than {limits.SNAP_START_EPHEMERAL_STORAGE_MB} MB is not supported for SnapStart "
            "enabled functions."
        )


def _check_range(params: Mapping[str, Any], member: str, path: str, maximum: int) -> None:
    # The model's maxima are those of function kinds that are not built yet; Lambda's quotas hold for these.
    if (value := params.get(member)) is not None and value > maximum:
        raise ValidationError(
            f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must have value less than or equal to {maximum}"
        )
