"""What a service tells of its resources, for decisions: the policy on one, and its tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cloudlet.arn import Arn


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """One resource, as far as permissions go."""

    policy: str | None = None
    """The resource's policy as JSON; None for a resource that has none and grants nothing to services."""
    tags: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The condition keys that the resource itself tells, in lower case: an event source mapping's function."""


class FactSource(Protocol):
    """Who knows the resources of a service."""

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """What is known of `resource`; None when there is no such resource."""

    async def condition_keys(
        self, action: str, resource: Arn, params: Mapping[str, Any]
    ) -> Mapping[str, Sequence[str]]:
        """The condition keys, in lower case, of a request for `action` that only what is stored can tell.

        Asked about the actions of `corrections.ASKED_OF_SERVICE`. `params` have not been checked yet.
        """
