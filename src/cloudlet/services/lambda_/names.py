"""What a caller may call a function, and the ARNs of functions, versions and aliases.

`my-function`, `my-function:live`, `123456789012:function:my-function`,
`arn:aws:lambda:us-east-1:123456789012:function:my-function:1`
https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html#API_GetFunction_RequestParameters
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from cloudlet.errors import ValidationError
from cloudlet.iam.naming.lambda_ import FUNCTION_NAME
from cloudlet.iam.principals import RequestContext
from cloudlet.services.lambda_.errors import CrossAccount, InvalidParameterValue, ResourceNotFound

LATEST = "$LATEST"
INVOCATIONS = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
"""What may be done to functions of other accounts. Cloudlet has no more of it, while AWS has."""

_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)


_EVENT_SOURCE = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):event-source-mapping:(?P<uuid>[0-9a-f-]{36})"
)


_CODE_SIGNING = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):code-signing-config:(?P<id>csc-[a-z0-9]{17})"
)


class CodeSigningKey(NamedTuple):
    """What names a code signing configuration."""

    account: str
    region: str
    config_id: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:code-signing-config:{self.config_id}"

    @classmethod
    def of(cls, context: RequestContext, params: Mapping[str, Any]) -> "CodeSigningKey":
        """That of a request's CodeSigningConfigArn. Raises InvalidParameterValue."""
        return cls.parse(context, params["CodeSigningConfigArn"])

    @classmethod
    def parse(cls, context: RequestContext, arn: str) -> "CodeSigningKey":
        """That of an ARN. Raises InvalidParameterValue for one of another region, CrossAccount of another account."""
        match = _CODE_SIGNING.fullmatch(arn)
        if match is None or match["region"] != context.region:
            raise InvalidParameterValue(f"The code signing configuration {arn} is not one of {context.region}.")
        if match["account"] != context.account:
            raise CrossAccount(
                f"User: {context.principal.arn} is not authorized to perform: lambda:{context.operation} "
                f"on resource: {arn}"
            )
        return cls(match["account"], match["region"], match["id"])


class EventSourceKey(NamedTuple):
    """What names an event source mapping."""

    account: str
    region: str
    uuid: str


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function as a caller named it; `qualifier` is a version, an alias or empty."""

    account: str
    region: str
    name: str
    qualifier: str = ""

    @property
    def arn(self) -> str:
        """The ARN of the function, without qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def qualified_arn(self) -> str:
        """The ARN with the qualifier that the caller gave, when there is one."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn

    @property
    def key(self) -> str:
        """What notifications about the function carry."""
        return f"{self.account}/{self.region}/{self.name}"

    @classmethod
    def from_key(cls, key: str) -> "FunctionRef":
        """The function of a notification."""
        return cls(*key.split("/", 2))

    @classmethod
    def parse(cls, arn: str) -> "FunctionRef":
        """The function of an ARN, with its qualifier when it has one. Raises InvalidParameterValue."""
        match = FUNCTION_NAME.fullmatch(arn)
        if match is None or not (arn.startswith("arn:") and match["region"] and match["account"]):
            raise InvalidParameterValue(f"{arn} is not the ARN of a function.")
        return cls(match["account"], match["region"], match["name"], match["qualifier"] or "")

    def qualified(self, qualifier: str) -> "FunctionRef":
        """The same function with another qualifier."""
        return replace(self, qualifier=qualifier)

    def not_found(self) -> ResourceNotFound:
        """The error for a function (version, alias) that is not there."""
        return ResourceNotFound(f"Function not found: {self.qualified_arn}")


def is_version(qualifier: str) -> bool:
    """True for the number of a published version."""
    return qualifier.isascii() and qualifier.isdigit()


def is_alias(qualifier: str) -> bool:
    """True for what can be an alias: neither `$LATEST` nor a number."""
    return bool(qualifier) and "$" not in qualifier and not is_version(qualifier)


def resolve(context: RequestContext, name: str, qualifier: str | None = None) -> FunctionRef:
    """The function that `name` (and `qualifier`) means for this caller.

    Raises ResourceNotFound for another region, CrossAccount for another account (unless the function is to be invoked),
    InvalidParameterValue where the name's own qualifier and the given one differ.
    """
    match = FUNCTION_NAME.fullmatch(name)
    if match is None:
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_PATTERN}"
        )
    region, account, function, own = match["region"], match["account"], match["name"], match["qualifier"]
    if region and region != context.region:
        raise ResourceNotFound(f"Functions from '{region}' are not reachable in this region ('{context.region}')")
    if account and account != context.account:
        if context.operation in INVOCATIONS:  # by its policy, which has been asked
            return FunctionRef(account, context.region, function, _qualifier(own, qualifier))
        raise cross_account(context, FunctionRef(account, context.region, function).arn)
    return FunctionRef(context.account, context.region, function, _qualifier(own, qualifier))


def cross_account(context: RequestContext, arn: str) -> CrossAccount:
    """The refusal of an operation that IAM asks about no resource, and that is about one of another account."""
    action = f"lambda:{context.operation}"
    return CrossAccount(
        f"User: {context.principal.arn} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action"
    )


def _qualifier(own: str | None, given: str | None) -> str:
    if given and own and own != given:
        raise InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return given or own or ""


def only_function(ref: FunctionRef, *allowed: str) -> FunctionRef:
    """`ref` without its qualifier. Raises InvalidParameterValue for one that is none of those `allowed`."""
    if ref.qualifier and ref.qualifier not in allowed:
        raise InvalidParameterValue(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
    return ref.qualified("")


def resolve_resource(context: RequestContext, arn: str) -> FunctionRef | EventSourceKey | CodeSigningKey:
    """The function, event source mapping or code signing configuration behind a taggable resource's ARN.

    Raises InvalidParameterValue for a version or an alias.
    """
    if (match := _EVENT_SOURCE.fullmatch(arn)) is not None:
        if match["account"] != context.account or match["region"] != context.region:
            raise ResourceNotFound("The resource you requested does not exist.")
        return EventSourceKey(match["account"], match["region"], match["uuid"])
    if _CODE_SIGNING.fullmatch(arn) is not None:
        return CodeSigningKey.parse(context, arn)
    ref = resolve(context, arn)
    if ref.qualifier:
        raise InvalidParameterValue(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    return ref
