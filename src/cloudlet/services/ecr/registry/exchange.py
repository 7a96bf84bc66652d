"""One request of the distribution protocol: who makes it, what it is about, and ECR's operations for it."""

from typing import Any, Protocol
from urllib.parse import parse_qs

from cloudlet.compute.images.store import ImageStore
from cloudlet.errors import ServiceError
from cloudlet.services.base import Platform, StreamedRequest
from cloudlet.services.ecr.registry.answers import translated
from cloudlet.services.ecr.registry.callers import Caller
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.tokens import RegistryTokens
from cloudlet.services.ecr.uploads import Uploads


class Registry(Protocol):
    """What of the ECR service the front needs."""

    platform: Platform
    parts: ImageStore
    tokens: RegistryTokens
    uploads: Uploads

    async def link_layer(self, key: Key, digest: str, size: int) -> None:
        """Let a repository have a layer that is kept, and held by the caller."""


class Exchange:
    """One request with who makes it and what it is about."""

    def __init__(self, request: StreamedRequest, caller: Caller, registry: Registry, name: str, target: str) -> None:
        self.request = request
        self.caller = caller
        self.registry = registry
        self.name = name
        self.target = target
        self.method = request.head.method
        self.headers = request.head.headers
        self._query = parse_qs(request.head.query_string)

    @property
    def key(self) -> Key:
        """The repository."""
        return Key(self.caller.account, self.caller.context.region, self.name)

    def query(self, name: str) -> str:
        """A parameter of the query; empty when there is none."""
        return self._query.get(name, [""])[0]

    async def call(self, operation: str, invalid: str = "", **params: Any) -> dict[str, Any]:
        """Call ECR as the caller, on the repository. Raises RegistryError; `invalid` is the code of a bad parameter."""
        about = {"registryId": self.caller.account, "repositoryName": self.name, **params}
        try:
            result: dict[str, Any] = await self.registry.platform.calls.call(
                self.caller.context, "ecr", operation, about
            )
        except ServiceError as error:
            raise translated(error, invalid) from error
        return result
