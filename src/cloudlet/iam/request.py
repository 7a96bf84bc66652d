"""A question to the policies: who wants to do what to which resource, and in which circumstances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cloudlet.iam.principals import Principal
from cloudlet.iam.wildcards import LITERAL_QUESTION_MARK, LITERAL_STAR

_CALLERS_ONLY = "lambda:sourcefunctionarn"
"""https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html"""
_SPECIAL = {"*": LITERAL_STAR, "?": LITERAL_QUESTION_MARK, "$": "$"}


@dataclass(slots=True)
class AccessRequest:
    """One request for permission.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """

    principal: Principal
    action: str
    """`service:Action`, in AWS's spelling."""
    resource: str
    """The ARN, or `*` where the action has none."""
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The condition keys that this request has, in lower case, and their values."""
    federated: str = ""
    """The provider that vouches for a caller without AWS credentials (AssumeRoleWithWebIdentity)."""
    action_key: str = field(init=False)
    """The action in lower case, as statements compare it."""

    def __post_init__(self) -> None:
        self.action_key = self.action.lower()

    def values(self, key: str) -> Sequence[str] | None:
        """The values of a condition key in lower case; None when the request does not have it."""
        return self.keys.get(key)

    def for_resource_policy(self) -> "AccessRequest":
        """The request as a resource's policy sees it: without the keys that only callers' policies may use."""
        if _CALLERS_ONLY not in self.keys:
            return self
        return replace(self, keys={key: values for key, values in self.keys.items() if key != _CALLERS_ONLY})

    def substitute(self, text: str) -> str | None:
        """`text` with its policy variables filled in; None where one has neither a value nor a default.

        A value takes part in matching like the text around it, wildcards and all, as on AWS.
        """
        filled: list[str] = []
        rest = text
        while (start := rest.find("${")) >= 0 and (end := rest.find("}", start)) > 0:
            value = self._variable(rest[start + 2 : end])
            if value is None:
                return None
            filled += (rest[:start], value)
            rest = rest[end + 1 :]
        return "".join((*filled, rest))

    def _variable(self, inner: str) -> str | None:
        if inner in _SPECIAL:
            return _SPECIAL[inner]
        name, _, default = inner.partition(",")
        values = self.values(name.strip().lower())
        if values is not None and len(values) == 1:
            return values[0]
        default = default.strip()
        return default[1:-1] if len(default) >= 2 and default[0] == default[-1] == "'" else None
