"""What a service tells of its resources, for decisions: the policy on one, and its tags."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cloudlet.arn import Arn


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """One resource, as far as permissions go."""

    policy: str | None = None
    """The resource's policy as JSON; None for a resource that has none and grants nothing to services."""
    tags: Mapping[str, str] = field(default_factory=dict)


class FactSource(Protocol):
    """Who knows the resources of a service."""

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """What is known of `resource`; None when there is no such resource."""
