"""How log groups, streams and destinations are named in requests and ARNs."""

from collections.abc import Mapping
from typing import Any

from cloudlet.arn import Arn
from cloudlet.iam.principals import RequestContext
from cloudlet.services.logs.errors import InvalidParameter, Validation, group_not_found
from cloudlet.services.logs.tables import Place

SERVICE = "logs"


def place_of(context: RequestContext) -> Place:
    """Where a call's rows are."""
    return Place(context.account, context.region)


def group_arn(context: RequestContext, name: str) -> str:
    """The ARN of a log group, without the `:*` that policies use."""
    return str(Arn(SERVICE, context.region, context.account, f"log-group:{name}"))


def destination_arn(context: RequestContext, name: str) -> str:
    """The ARN of a destination."""
    return str(Arn(SERVICE, context.region, context.account, f"destination:{name}"))


def named_group(context: RequestContext, params: Mapping[str, Any]) -> str:
    """The log group that `logGroupName` or `logGroupIdentifier`, a name or an ARN, names. Raises ServiceError."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if name and identifier:
        raise Validation("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    if name:
        return str(name)
    if not identifier:
        raise InvalidParameter("Either logGroupName or logGroupIdentifier must be specified.")
    return group_of_identifier(context, str(identifier))


def group_of_identifier(context: RequestContext, identifier: str) -> str:
    """The name in `identifier`, a name or an ARN of this account and region. Raises ResourceNotFound."""
    if not identifier.startswith("arn:"):
        return identifier
    prefix = group_arn(context, "")
    if not identifier.startswith(prefix):
        raise group_not_found()
    return identifier.removeprefix(prefix)


def check_text(value: Any) -> None:
    """Refuse text, also inside lists and maps, that no database keeps: with a NUL character in it."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidParameter("Text must not contain NUL characters.")
    elif isinstance(value, Mapping):
        for key, member in value.items():
            check_text(key)
            check_text(member)
    elif isinstance(value, list):
        for member in value:
            check_text(member)
