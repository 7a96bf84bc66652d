"""Lambda's resources: functions come by name, partial ARN or ARN, with a version or alias in it or beside it.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.iam.naming.base import ANY, NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader

FUNCTION_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[a-zA-Z0-9-_.]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
"""All that Lambda takes for a function. The service reads names by it too: what the two read differently, no policy
would speak of."""


def lambda_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """The function, with its qualifier when the request has one; else what the members tell."""
    name = request.text("FunctionName")
    if name and any(kind.startswith("function") for kind in request.action.resource_types):
        signing = request.text("CodeSigningConfigArn")
        with_signing = bool(signing) and "code signing config" in request.action.resource_types
        return [(_function_arn(request, name),), *([(signing,)] if with_signing else [])]
    if layer := request.text("LayerName"):
        base = layer if layer.startswith("arn:") else request.arn(f"layer:{layer}")
        version = request.params.get("VersionNumber")
        return [(f"{base}:{version}" if version is not None else base,)]
    identifier = request.text("UUID")
    if identifier and "eventSourceMapping" in request.action.resource_types:
        return [(request.arn(f"event-source-mapping:{identifier}"),)]
    if resource := request.text("Resource", "ResourceArn"):
        return [(resource,)]
    found = by_members(request, reader)
    return found or [ANY]


def _function_arn(request: NamedRequest, name: str) -> str:
    match = FUNCTION_NAME.fullmatch(name)
    if match is None:
        return name if name.startswith("arn:") else request.arn(f"function:{name}")  # Lambda has none of this name
    region, account = match["region"] or request.region, match["account"] or request.principal.account
    arn = f"arn:aws:lambda:{region}:{account}:function:{match['name']}"
    qualifier = match["qualifier"] or request.text("Qualifier")
    return f"{arn}:{qualifier}" if qualifier else arn


def vpc_id(account: str, region: str) -> str:
    """The VPC that all subnets of an account and region are in, while there is no EC2 to ask."""
    return f"vpc-{hashlib.sha256(f'{account}/{region}'.encode()).hexdigest()[:17]}"


def lambda_keys(request: NamedRequest) -> dict[str, Sequence[str]]:
    """The condition keys that are not simply a member of a request.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#vpc-conditions,
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html#awslambda-policy-keys
    """
    network = request.params.get("VpcConfig")
    subnets, groups = (_texts(network, member) for member in ("SubnetIds", "SecurityGroupIds"))
    name = request.text("FunctionName")
    found = {
        "lambda:SubnetIds": subnets,
        "lambda:SecurityGroupIds": groups,
        "lambda:VpcIds": (vpc_id(request.principal.account, request.region),) if subnets else (),
        "lambda:FunctionArn": (_function_arn(request, name),) if name else (),
    }
    return {key.lower(): values for key, values in found.items() if values and key in request.action.keys}


def _texts(network: Any, member: str) -> Sequence[str]:
    values = network.get(member) if isinstance(network, Mapping) else None
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()
