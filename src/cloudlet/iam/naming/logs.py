"""CloudWatch Logs' resources. A log group has three spellings: policies are written with `:*` behind it, or without,
and AWS's own refusals show it with an empty log stream.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
"""

from cloudlet.iam.naming.base import NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader


def logs_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """The log stream or log group; else what the members tell."""
    types = request.action.resource_types
    group = request.text("logGroupName", "logGroupIdentifier", "logGroupArn", "resourceArn", "resourceIdentifier")
    if "log-stream" in types and (stream := request.text("logStreamName")):
        return [(f"{_group_arn(request, group)}:log-stream:{stream}",)]
    if types.keys() & {"log-group", "log-stream"} and (not group.startswith("arn:") or ":log-group:" in group):
        groups = [group] if group else _many(request) or [""]
        return [_spellings(_group_arn(request, one)) for one in groups]
    return by_members(request, reader)


def _many(request: NamedRequest) -> list[str]:
    for member in ("logGroupNames", "logGroupIdentifiers"):
        value = request.params.get(member)
        if isinstance(value, list):
            return [one for one in value if isinstance(one, str)]
    return []


def _group_arn(request: NamedRequest, group: str) -> str:
    arn = group if group.startswith("arn:") else request.arn(f"log-group:{group}")
    return arn.removesuffix(":*")


def _spellings(arn: str) -> Spellings:
    return (f"{arn}:log-stream:", arn, f"{arn}:*")
