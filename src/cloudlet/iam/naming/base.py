"""What a service's naming rules are given, and the rule for services that need none of their own."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cloudlet.iam.access_data import Action, ServiceAccess
from cloudlet.iam.principals import Principal
from cloudlet.store.base import Reader

Spellings = tuple[str, ...]
"""One resource: its ARN, the one to show first, and further forms that AWS also compares with policies."""
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
ANY: Spellings = ("*",)


@dataclass(frozen=True, slots=True)
class NamedRequest:
    """A request whose resources are to be named."""

    action: Action
    service: ServiceAccess
    params: Mapping[str, Any]
    principal: Principal
    region: str

    def text(self, *members: str) -> str:
        """The first of these members that is there and a text; empty when there is none."""
        for member in members:
            value = self.params.get(member)
            if isinstance(value, str) and value:
                return value
        return ""

    def arn(self, resource: str, service: str = "") -> str:
        """An ARN of the caller's account and region."""
        return f"arn:aws:{service or self.service.prefix}:{self.region}:{self.principal.account}:{resource}"


Namer = Callable[[NamedRequest, Reader], list[Spellings]]
"""All resources of a request; `ANY` where it is about none, or about those that it does not name."""


def by_members(request: NamedRequest, _reader: Reader) -> list[Spellings]:
    """The resources of a service whose members tell them: by an ARN, or by a member of a placeholder's name."""
    found = [arn for arn in _arns(request) if _is_of_type(request, arn)]
    if found:
        return [(arn,) for arn in found]
    members = {name.lower(): value for name, value in request.params.items() if isinstance(value, str) and value}
    built = [
        arn
        for kind in request.action.resource_types
        if (arn := _built(request, request.service.resources.get(kind, ""), members))
    ]
    return [(arn,) for arn in built] or [ANY]


def _arns(request: NamedRequest) -> Iterator[str]:
    for value in request.params.values():
        if isinstance(value, str) and value.startswith("arn:") and len(value) <= 2048:
            yield value


def _is_of_type(request: NamedRequest, arn: str) -> bool:
    return any(
        _pattern(request.service.resources[kind]).fullmatch(arn)
        for kind in request.action.resource_types
        if kind in request.service.resources
    )


@lru_cache(maxsize=1024)
def _pattern(template: str) -> re.Pattern[str]:
    """A template's ARNs: a placeholder holds no colon, but in the last part."""
    *head, resource = template.split(":", 5)
    parts = [_expression(part, "[^:]*") for part in head]
    return re.compile(":".join([*parts, _expression(resource, ".+")]))


def _expression(text: str, placeholder: str) -> str:
    pieces = _PLACEHOLDER.split(text)
    return "".join(placeholder if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))


def _built(request: NamedRequest, template: str, members: Mapping[str, str]) -> str:
    fixed = {"partition": "aws", "region": request.region, "account": request.principal.account}
    names = _PLACEHOLDER.findall(template)
    values = {name: fixed.get(name.lower()) or members.get(name.lower(), "") for name in names}
    if not template or not all(values.values()):
        return ""
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), template)
