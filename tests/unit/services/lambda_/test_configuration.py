"""Configurations from parameters."""

from typing import Any

import pytest

from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import configuration
from cloudlet.services.lambda_.version import Configuration

BASE = {"Runtime": "python3.12", "Handler": "index.handler", "Role": "arn:aws:iam::111111111111:role/r"}
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}


def refusal(**params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        configuration.create({**BASE, **params})
    return caught.value


def test_what_is_not_given_has_awss_defaults() -> None:
    made = configuration.create(BASE)
    assert (made.timeout_s, made.memory_mb, made.ephemeral_storage_mb) == (3, 128, 512)
    assert (made.description, made.environment, made.tracing_mode) == ("", None, "PassThrough")
    assert made.architecture == configuration.machine_architecture()


def test_an_update_changes_what_it_names() -> None:
    before = configuration.create({**BASE, "Timeout": 5, "Environment": {"Variables": {"key": "a"}}})
    after = configuration.update(before, {"MemorySize": 256, "Environment": {"Variables": {}}, "Description": "x"})
    assert (after.timeout_s, after.memory_mb, after.description) == (5, 256, "x")
    assert after.environment == {}
    assert configuration.update(after, {}) == after


def test_a_configuration_comes_back_from_json_as_it_went() -> None:
    made = configuration.create({**BASE, "Environment": {"Variables": {"key": "ä"}}})
    assert Configuration.from_json(made.to_json()) == made


@pytest.mark.parametrize("runtime", ["non-existent-runtime", "PYTHON3.9"])
def test_an_unknown_runtime_is_answered_with_all_there_are(runtime: str) -> None:
    error = refusal(Runtime=runtime)
    assert error.code == "InvalidParameterValueException"
    assert error.message.startswith(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "
    )
    assert error.message.endswith("provided.al2, java8.al2] or be a valid ARN")


def test_a_runtime_of_before_is_named_as_such() -> None:
    assert refusal(Runtime="python3.7").message == (
        "The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions."
    )


@pytest.mark.parametrize("missing", ["Runtime", "Handler"])
def test_a_package_needs_runtime_and_handler(missing: str) -> None:
    assert refusal(**{missing: None}).message == (
        "Runtime and Handler are mandatory parameters for functions created with deployment packages."
    )


@pytest.mark.parametrize(
    ("params", "path", "limit"),
    [
        ({"Timeout": 901}, "timeout", 900),
        ({"MemorySize": 10241}, "memorySize", 10240),
        ({"EphemeralStorage": {"Size": 10241}}, "ephemeralStorage.size", 10240),
    ],
)
def test_a_quota_holds_at_the_limit_and_one_past_it(params: dict[str, Any], path: str, limit: int) -> None:
    error = refusal(**params)
    assert error.code == "ValidationException"
    assert error.message == (
        f"1 validation error detected: Value '{limit + 1}' at '{path}' failed to satisfy constraint: "
        f"Member must have value less than or equal to {limit}"
    )
    allowed = {key: {"Size": limit} if isinstance(value, dict) else limit for key, value in params.items()}
    configuration.create({**BASE, **allowed})


def test_the_environment_may_have_4_kb_of_json() -> None:
    # {"LARGE_VAR":"..."} is 16 bytes besides the value
    configuration.create({**BASE, "Environment": {"Variables": {"LARGE_VAR": "x" * (4096 - 16)}}})
    value = "x" * (4096 - 15)
    error = refusal(Environment={"Variables": {"LARGE_VAR": value}})
    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        f'exceeded the 4KB limit. String measured: {{"LARGE_VAR":"{value}"}}'
    )


def test_reserved_variables_are_named() -> None:
    error = refusal(Environment={"Variables": {"AWS_REGION": "a", "MINE": "b", "LAMBDA_TASK_ROOT": "c"}})
    assert error.message == (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. "
        "Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"
    )


@pytest.mark.parametrize("variables", [{"1A": "x"}, {"A": "x"}, {"a-b": "x"}, {"KEY": "a\0b"}])
def test_variables_that_no_process_can_have_are_refused(variables: dict[str, str]) -> None:
    assert refusal(Environment={"Variables": variables}).code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PackageType", "Image"),
        ("S3ObjectStorageMode", "REFERENCE"),
    ],
)
def test_what_is_not_built_is_refused_by_name(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert error.code == "InvalidParameterValueException"
    assert name in error.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KMSKeyArn", ""),
        ("PackageType", "Zip"),
        ("SnapStart", {"ApplyOn": "None"}),
        ("TracingConfig", {"Mode": "PassThrough"}),
        ("VpcConfig", {"SubnetIds": [], "SecurityGroupIds": []}),
        ("ImageConfig", {}),
        ("LoggingConfig", {"LogFormat": "Text"}),
        ("Architectures", [configuration.machine_architecture()]),
    ],
)
def test_what_says_only_the_default_is_accepted(name: str, value: Any) -> None:
    assert configuration.create({**BASE, name: value}) == configuration.create(BASE)


def test_snapstart_is_refused_as_aws_does_where_a_runtime_never_has_it() -> None:
    error = refusal(Runtime="python3.9", SnapStart={"ApplyOn": "PublishedVersions"})
    assert error.message == "python3.9 is not supported for SnapStart enabled functions."


ON = {"ApplyOn": "PublishedVersions"}


def test_snapstart_is_kept_and_can_be_taken_back() -> None:
    made = configuration.create({**BASE, "Runtime": "python3.12", "SnapStart": ON})
    assert made.snap_start == "PublishedVersions"
    assert configuration.update(made, {"Description": "x"}).snap_start == "PublishedVersions"
    assert configuration.update(made, {"SnapStart": {"ApplyOn": "None"}}).snap_start == "None"


@pytest.mark.parametrize(
    "params",
    [
        {"EphemeralStorage": {"Size": 513}},
        {"Runtime": "python3.11"},
        {
            "FileSystemConfigs": [
                {
                    "Arn": "arn:aws:elasticfilesystem:us-east-1:111111111111:access-point/fsap-0123456789abcdef0",
                    "LocalMountPath": "/mnt/a",
                }
            ],
            "VpcConfig": {"SubnetIds": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]},
        },
    ],
    ids=["storage", "runtime", "files"],
)
def test_what_snapstart_does_not_go_with_is_refused_whatever_comes_first(params: dict[str, Any]) -> None:
    made = configuration.create({**BASE, "Runtime": "python3.12", "SnapStart": ON})
    with pytest.raises(ServiceError, match="not supported for SnapStart enabled functions"):
        configuration.update(made, params)
    made = configuration.create({**BASE, "Runtime": "python3.12", **params})
    with pytest.raises(ServiceError, match="not supported for SnapStart enabled functions"):
        configuration.update(made, {"SnapStart": ON})


def test_snapstart_of_images_is_refused() -> None:
    image = {name: value for name, value in BASE.items() if name not in ("Runtime", "Handler")}
    with pytest.raises(ServiceError, match=r"^ContainerImage is not supported for SnapStart enabled functions\.$"):
        configuration.create({**image, "PackageType": "Image", "SnapStart": ON})


def test_an_architecture_that_cannot_run_here_is_refused() -> None:
    other = OTHER[configuration.machine_architecture()]
    assert other in refusal(Architectures=[other]).message


def test_tracing_and_an_own_log_group_are_kept() -> None:
    made = configuration.create({**BASE, "TracingConfig": {"Mode": "Active"}, "LoggingConfig": {"LogGroup": "/mine"}})
    assert (made.tracing_mode, made.log_group) == ("Active", "/mine")


VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
POINT = "arn:aws:elasticfilesystem:us-east-1:111111111111:access-point/fsap-0123456789abcdef0"
MOUNTED = [{"Arn": POINT, "LocalMountPath": "/mnt/data"}]


def test_vpc_file_systems_and_key_are_kept_and_can_be_taken_away() -> None:
    made = configuration.create(
        {**BASE, "VpcConfig": VPC, "FileSystemConfigs": MOUNTED, "KMSKeyArn": "arn:aws:kms:::k"}
    )
    assert made.vpc == {**VPC, "Ipv6AllowedForDualStack": False}
    assert (made.file_systems, made.kms_key_arn) == (tuple(MOUNTED), "arn:aws:kms:::k")
    assert Configuration.from_json(made.to_json()) == made
    none = {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "FileSystemConfigs": [], "KMSKeyArn": ""}
    changed = configuration.update(made, none)
    assert changed.vpc == {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False}
    assert (changed.file_systems, changed.kms_key_arn) == ((), "")


def test_a_file_system_needs_a_vpc() -> None:
    text = f"Function must be configured to execute in a VPC to reference access point {POINT}."
    assert refusal(FileSystemConfigs=MOUNTED).message == text
    made = configuration.create({**BASE, "VpcConfig": VPC, "FileSystemConfigs": MOUNTED})
    with pytest.raises(ServiceError, match="reference access point"):
        configuration.update(made, {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}})
