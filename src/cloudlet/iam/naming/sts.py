"""STS's resources: roles by their ARN, federated users by their name."""

from cloudlet.arn import Arn
from cloudlet.iam.naming.base import NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader


def sts_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """The federated user that is to be; else what the members tell."""
    if "federated-user" in request.action.resource_types:
        return [(str(Arn("sts", "", request.principal.account, f"federated-user/{request.text('Name')}")),)]
    return by_members(request, reader)
