"""VPCs and file systems of functions."""

from typing import Any

import pytest

from cloudlet.services.lambda_ import network_config
from cloudlet.services.lambda_.errors import InvalidParameterValue


def test_a_vpc_is_kept_without_what_is_named_twice() -> None:
    given = {"SubnetIds": ["subnet-1", "subnet-2", "subnet-1"], "SecurityGroupIds": ["sg-1", "sg-1"]}
    assert network_config.vpc({**given, "Ipv6AllowedForDualStack": True}) == {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-1"],
        "Ipv6AllowedForDualStack": True,
    }


@pytest.mark.parametrize("given", [{"SubnetIds": ["subnet-1"]}, {"SubnetIds": [], "SecurityGroupIds": ["sg-1"]}])
def test_subnets_and_security_groups_come_together(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        network_config.vpc(given)
    assert caught.value.message == "SubnetIds and SecurityIds must coexist or be both empty list."


def test_all_subnets_of_an_account_and_region_are_in_one_vpc() -> None:
    one = network_config.vpc({"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    two = network_config.vpc({"SubnetIds": ["subnet-2"], "SecurityGroupIds": ["sg-1"]})
    here = network_config.shown("1", "here", one)["VpcId"]
    assert network_config.shown("1", "here", two)["VpcId"] == here
    assert network_config.shown("1", "there", one)["VpcId"] != here
    assert network_config.shown("1", "here", network_config.vpc({}))["VpcId"] == ""


@pytest.mark.parametrize(
    "given",
    [
        {"Arn": "arn:aws:s3files:us-east-1:1:file-system/fs-1/access-point/fsap-1", "LocalMountPath": "/mnt/a"},
        {"Arn": "arn:aws:elasticfilesystem:x", "LocalMountPath": "/mnt/a", "S3FilesConfig": {"DirectS3Read": "AUTO"}},
    ],
)
def test_s3_files_are_refused_by_name(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterValue, match="FileSystemConfigs for S3 Files"):
        network_config.file_systems([given])
