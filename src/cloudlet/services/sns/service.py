"""The service, put together."""

import asyncio

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.base import RouteHandler
from cloudlet.services.sns.archive import ARCHIVE
from cloudlet.services.sns.confirmations import TOKENS
from cloudlet.services.sns.names import TopicKey
from cloudlet.services.sns.operations.permissions import PermissionOperations
from cloudlet.services.sns.operations.publish import PublishOperations
from cloudlet.services.sns.operations.subscriptions import SubscriptionOperations
from cloudlet.services.sns.operations.topics import TopicOperations
from cloudlet.services.sns.ordering import LINES
from cloudlet.services.sns.signing import KEYS, ROUTE
from cloudlet.services.sns.subscription_tables import FILTERED, SUBSCRIPTIONS
from cloudlet.services.sns.topic_tables import TOPICS
from cloudlet.wire.http import HttpRequest, HttpResponse


class SnsService(TopicOperations, SubscriptionOperations, PublishOperations, PermissionOperations):
    """Amazon SNS."""

    migrations = (TOPICS, SUBSCRIPTIONS, KEYS, LINES, TOKENS, ARCHIVE, FILTERED)

    async def start(self, tasks: asyncio.TaskGroup) -> None:  # noqa: ARG002 - its loop has an end of its own
        self.metrics.measuring.start()

    async def stop(self) -> None:
        await self.metrics.measuring.close()
        self.directory.close()
        await self.web.close()
        self.mail.close()
        self.chooser.close()

    async def idle(self) -> None:
        await self.metrics.measuring.flush()

    async def reset(self) -> None:
        self.metrics.reset()
        self.directory.forget()
        self.signer.forget()

    def routes(self) -> dict[str, RouteHandler]:
        return {ROUTE: self._serve_certificate}

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """A topic's policy and its tags."""
        name = resource.resource.partition(":")[0]
        known = await self.directory.find(TopicKey(resource.account, resource.region, name))
        if known is None:
            return None
        return ResourceFacts(known.topic.policy, known.topic.tags)

    async def _serve_certificate(self, request: HttpRequest) -> HttpResponse:
        """The certificate that the signatures of messages are checked with. For everybody, as on AWS."""
        content = await self.signer.certificate(request.raw_path.rsplit("/", 1)[-1])
        if content is None or request.method not in ("GET", "HEAD"):
            return HttpResponse(404, {"content-type": "text/plain"}, b"There is no such certificate.\n")
        return HttpResponse(200, {"content-type": "application/x-pem-file"}, content)
