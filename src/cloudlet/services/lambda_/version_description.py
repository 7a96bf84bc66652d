"""A version of a function as the API shows it.

https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

from typing import TYPE_CHECKING, Any

from cloudlet.compute.reports import runtime_version_arn
from cloudlet.services.lambda_ import logging_config, network_config
from cloudlet.services.lambda_.version import Version, format_time

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import FunctionConfigurationTypeDef


def describe(version: Version, arn: str, *, listed: bool = False) -> "FunctionConfigurationTypeDef":
    """The version under `arn`; `listed` leaves out what lists do not have."""
    shown = _always(version, arn) | _where_set(version)
    if not listed:
        shown |= _states(version)
    return shown  # type: ignore[return-value]


def _always(version: Version, arn: str) -> dict[str, Any]:
    configuration = version.configuration
    shown: dict[str, Any] = {
        "FunctionName": version.name,
        "FunctionArn": arn,
        "Runtime": configuration.runtime,
        "Role": configuration.role,
        "Handler": configuration.handler,
        "CodeSize": version.code_bytes,
        "Description": configuration.description,
        "Timeout": configuration.timeout_s,
        "MemorySize": configuration.memory_mb,
        "LastModified": format_time(version.modified_ms),
        "CodeSha256": version.code_sha256,
        "Version": version.number,
        "TracingConfig": {"Mode": configuration.tracing_mode},
        "RevisionId": version.revision_id,
        "PackageType": configuration.package_type,
        "Architectures": [configuration.architecture],
        "EphemeralStorage": {"Size": configuration.ephemeral_storage_mb},
        "SnapStart": {
            "ApplyOn": configuration.snap_start,
            "OptimizationStatus": "On" if version.has_snapshot else "Off",
        },
        "LoggingConfig": logging_config.shown(
            configuration.log_format,
            configuration.application_log_level,
            configuration.system_log_level,
            version.log_group,
        ),
    }
    if configuration.image is not None:
        del shown["Runtime"], shown["Handler"]
    return shown


def _where_set(version: Version) -> dict[str, Any]:
    """What a function has that was configured to have it."""
    configuration = version.configuration
    shown: dict[str, Any] = {}
    if configuration.image is not None and configuration.image_config:
        shown["ImageConfigResponse"] = {"ImageConfig": dict(configuration.image_config)}
    if configuration.layers:
        shown["Layers"] = [{"Arn": each["arn"], "CodeSize": each["size"]} for each in configuration.layers]
    if configuration.environment is not None:
        shown["Environment"] = {"Variables": dict(configuration.environment)}
    if configuration.dead_letter_arn:
        shown["DeadLetterConfig"] = {"TargetArn": configuration.dead_letter_arn}
    if configuration.kms_key_arn:
        shown["KMSKeyArn"] = configuration.kms_key_arn
    if configuration.vpc is not None:
        shown["VpcConfig"] = network_config.shown(version.account, version.region, configuration.vpc)
    if configuration.file_systems:
        shown["FileSystemConfigs"] = [dict(each) for each in configuration.file_systems]
    return shown


def _states(version: Version) -> dict[str, Any]:
    """Where it is in its life, and what it runs on."""
    configuration = version.configuration
    states: dict[str, Any] = {
        "State": version.state,
        "StateReason": version.state_reason,
        "StateReasonCode": version.state_reason_code,
        "LastUpdateStatus": version.update_status,
        "LastUpdateStatusReason": version.update_reason,
        "LastUpdateStatusReasonCode": version.update_reason_code,
    }
    shown = {member: value for member, value in states.items() if value}
    if configuration.image is None:
        runs_on = configuration.runs_on or configuration.runtime
        shown["RuntimeVersionConfig"] = {"RuntimeVersionArn": runtime_version_arn(runs_on, version.region)}
    return shown
