"""Lambda's resources: functions come by name, partial ARN or ARN, with a version or alias in it or beside it.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
"""

from cloudlet.iam.naming.base import ANY, NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader

_FUNCTION_PARTS = 7


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
    parts = name.split(":")
    if parts[0] == "arn":
        arn = name
    elif "function" in parts[1:2]:  # account:function:name, maybe with a qualifier
        arn = f"arn:aws:lambda:{request.region}:{name}"
    else:
        arn = request.arn(name if parts[0] == "function" and len(parts) > 1 else f"function:{name}")
    qualifier = request.text("Qualifier")
    unqualified = len(arn.split(":")) == _FUNCTION_PARTS
    return f"{arn}:{qualifier}" if qualifier and unqualified else arn
