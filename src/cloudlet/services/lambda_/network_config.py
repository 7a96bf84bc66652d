"""VpcConfig and FileSystemConfigs: kept as AWS keeps them, and checked as far as can be without EC2 and EFS.

https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html
https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.iam.naming.lambda_ import vpc_id
from cloudlet.services.lambda_.errors import InvalidParameterValue

CREATE_INTERFACE = "ec2:CreateNetworkInterface"
"""What a function's role must be allowed for the function to be in a VPC."""
NO_INTERFACE = "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
_ELASTIC_FILE_SYSTEM = "elasticfilesystem"


def vpc(given: Mapping[str, Any]) -> dict[str, Any]:
    """The VPC that `given` asks for; without subnets it is none. Raises InvalidParameterValue."""
    subnets = list(dict.fromkeys(given.get("SubnetIds") or ()))
    groups = list(dict.fromkeys(given.get("SecurityGroupIds") or ()))
    if bool(subnets) != bool(groups):
        raise InvalidParameterValue("SubnetIds and SecurityIds must coexist or be both empty list.")
    return {
        "SubnetIds": subnets,
        "SecurityGroupIds": groups,
        "Ipv6AllowedForDualStack": bool(subnets and given.get("Ipv6AllowedForDualStack")),
    }


def file_systems(given: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The file systems that `given` asks for. Raises InvalidParameterValue for kinds that are not built."""
    for each in given:
        if each.get("S3FilesConfig") or each["Arn"].split(":")[2] != _ELASTIC_FILE_SYSTEM:
            raise InvalidParameterValue("Cloudlet does not implement the parameter FileSystemConfigs for S3 Files yet.")
    return [{"Arn": each["Arn"], "LocalMountPath": each["LocalMountPath"]} for each in given]


def check(in_vpc: Mapping[str, Any] | None, mounted: Sequence[Mapping[str, str]]) -> None:
    """Raises InvalidParameterValue for a file system without a VPC to reach it in."""
    if mounted and not (in_vpc and in_vpc["SubnetIds"]):
        raise InvalidParameterValue(
            f"Function must be configured to execute in a VPC to reference access point {mounted[0]['Arn']}."
        )


def shown(account: str, region: str, in_vpc: Mapping[str, Any]) -> dict[str, Any]:
    """VpcConfig as the API shows it.

    While there is no EC2 to ask, all subnets of an account and region count as those of one VPC.
    """
    return {**in_vpc, "VpcId": vpc_id(account, region) if in_vpc["SubnetIds"] else ""}
