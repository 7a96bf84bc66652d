"""The ECR service, put together."""

import asyncio
import re
from collections.abc import Sequence

from cloudlet.arn import Arn
from cloudlet.compute.images.store import ImageStore
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.facts import ResourceFacts
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.tokens import InvalidToken
from cloudlet.services.base import Platform, Result, RouteHandler, StreamRoute, operation
from cloudlet.services.ecr import image, repository, tables
from cloudlet.services.ecr.downloads import file_answer
from cloudlet.services.ecr.operations.images import ImageOperations
from cloudlet.services.ecr.operations.layers import LayerOperations
from cloudlet.services.ecr.operations.policies import PolicyOperations
from cloudlet.services.ecr.operations.repositories import RepositoryOperations
from cloudlet.services.ecr.registry.front import PREFIX, RegistryFront
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.tokens import RegistryTokens
from cloudlet.services.ecr.upkeep import Upkeep
from cloudlet.wire.http import HttpRequest, HttpResponse

ROUTE = "ecr"
_LINK = re.compile(r"/_cloudlet/ecr/layers/([A-Za-z0-9_=-]+)")


class EcrService(RepositoryOperations, ImageOperations, LayerOperations, PolicyOperations):
    """Amazon ECR: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html"""

    migrations = tables.MIGRATIONS

    def __init__(self, platform: Platform, parts: ImageStore, credentials: Credentials) -> None:
        super().__init__(platform, parts)
        self.tokens = RegistryTokens(credentials, platform.clock)
        self.upkeep = Upkeep(platform.store, platform.clock, self.uploads)
        self._front = RegistryFront(self, credentials)

    @operation("GetAuthorizationToken")
    async def get_authorization_token(self, context: RequestContext, params: dict[str, object]) -> Result:
        registries = params.get("registryIds")
        accounts = registries if isinstance(registries, list) and registries else [context.account]
        token, expires = self.tokens.issue(context.principal, context.region)
        scheme = context.endpoint.partition("://")[0] or "http"
        return {
            "authorizationData": [
                {
                    "authorizationToken": token,
                    "expiresAt": expires,
                    "proxyEndpoint": (
                        f"{scheme}://{repository.registry_host(account, context.region, context.endpoint)}"
                    ),
                }
                for account in accounts
            ]
        }

    def download_url(self, context: RequestContext, digest: str) -> str:
        config = self.platform.config
        endpoint = context.endpoint or f"http://{config.host}:{config.port}"
        return f"{endpoint}/_cloudlet/{ROUTE}/layers/{self.tokens.link(digest)}"

    def lifecycle_changed(self) -> None:
        self.upkeep.wake()

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """A repository's policy and its tags."""
        if not resource.resource.startswith("repository/"):
            return None
        key = Key(resource.account, resource.region, resource.resource.removeprefix("repository/"))
        row = await self.store.read(lambda reader: tables.repository(reader, key))
        if row is None:
            return None
        found = repository.Repository.from_row(row)
        return ResourceFacts(found.policy or repository.NO_POLICY, found.tags)

    def routes(self) -> dict[str, RouteHandler]:
        return {ROUTE: self._download}

    def streams(self) -> Sequence[StreamRoute]:
        return [StreamRoute(PREFIX, self._front.serve)]

    async def _download(self, request: HttpRequest) -> HttpResponse:
        match = _LINK.fullmatch(request.raw_path)
        if match is None or request.method not in ("GET", "HEAD"):
            return HttpResponse(404)
        try:
            path = await self.parts.path(image.bare(self.tokens.open_link(match[1])))
        except InvalidToken:
            return HttpResponse(403)
        except KeyError:
            return HttpResponse(404)
        headers = {"content-type": "application/octet-stream"}
        wanted = request.headers.get("range", "")
        return await file_answer(path, headers, wanted, head=request.method == "HEAD")

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self.upkeep.start(tasks)

    async def stop(self) -> None:
        await self.upkeep.stop()
        self.uploads.close()

    async def reset(self) -> None:
        self.uploads.close()
