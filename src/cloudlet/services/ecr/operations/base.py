"""What all of ECR's operations share."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from cloudlet.clock import now_ms
from cloudlet.compute.images.store import ImageStore
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Service
from cloudlet.services.ecr import repository
from cloudlet.services.ecr.errors import InvalidParameter
from cloudlet.services.ecr.repository import Repository
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.uploads import Uploads
from cloudlet.store.base import Reader, Transaction

T = TypeVar("T")
DEFAULT_RESULTS = 100


class EcrParts(Service):
    """The service's parts, for the operations in other modules."""

    name = "ecr"

    def __init__(self, platform: Platform, parts: ImageStore) -> None:
        super().__init__(platform)
        self.store = platform.store
        self.parts = parts
        self.uploads = Uploads(parts.blobs, platform.clock, platform.ids)

    @property
    def now_ms(self) -> int:
        return now_ms(self.platform.clock)

    async def of_repository(self, key: Key, read: Callable[[Reader], T]) -> T:
        """What `read` finds in a repository. Raises RepositoryNotFound."""

        def checked(reader: Reader) -> T:
            repository.find(reader, key)
            return read(reader)

        return await self.store.read(checked)

    async def change(
        self, context: RequestContext, params: dict[str, Any], change: Callable[[Transaction, Repository], T]
    ) -> T:
        """Change the repository that a request is about. Raises RepositoryNotFound and what `change` raises."""
        key = repository.key_of(context, params)
        return await self.store.transact(lambda tx: change(tx, repository.find(tx, key)))


def named(key: Key) -> dict[str, str]:
    """The members by which most answers name their repository."""
    return {"registryId": key.account, "repositoryName": key.name}


def page_token(*values: str) -> str:
    """A nextToken that holds where a page has ended."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode()


def read_token(params: dict[str, Any]) -> str:
    """Where the page before has ended; empty for the first. Raises InvalidParameter."""
    token = params.get("nextToken")
    if not token:
        return ""
    try:
        [value] = orjson.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise InvalidParameter(
            "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'"
        ) from error
    if not isinstance(value, str) or "\0" in value:
        raise InvalidParameter("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
    return value


def refuse_pages(params: dict[str, Any], member: str) -> None:
    """Raises InvalidParameter for a page of what `member` names one by one."""
    for asked in ("maxResults", "nextToken"):
        if params.get(asked):
            raise InvalidParameter(
                f"Invalid parameter at '{asked}' failed to satisfy constraint: 'cannot be used together with {member}'"
            )
