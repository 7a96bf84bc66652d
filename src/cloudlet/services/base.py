"""What a service is, and what it is given."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from cloudlet.arn import Arn
from cloudlet.clock import Clock
from cloudlet.config import Config
from cloudlet.errors import ServiceError
from cloudlet.iam.facts import ResourceFacts
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.store.base import Migration, Store
from cloudlet.store.blobs import Blobs
from cloudlet.wire.http import HttpRequest, HttpResponse

Params = dict[str, Any]
Result = Mapping[str, Any]
Handler = Callable[[RequestContext, Any], Awaitable[Any]]
"""An operation: `async def create_role(self, context, params) -> result`. `params` and the result have the shapes that
boto3 takes and gives (`types-boto3` TypedDicts). Errors are raised as `ServiceError`s."""
RouteHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[Any]])


def operation(name: str) -> Callable[[HandlerT], HandlerT]:
    """Mark a method as the handler of the API operation `name`, spelled as in the AWS model."""

    def mark(handler: HandlerT) -> HandlerT:
        handler.__dict__["operation"] = name
        return handler

    return mark


class Calls(Protocol):
    """The way from one service to another: the dispatcher. Decides, validates and calls like for a client."""

    async def call(self, context: RequestContext, service: str, operation: str, params: Params) -> Any:
        """Call `operation` (AWS's spelling) of `service` (botocore's name) as `context.principal`.

        Raises ServiceError: what the service answers, AccessDenied, ValidationError, OperationNotImplemented.
        """


@dataclass(frozen=True, slots=True)
class Platform:
    """What every service is given by the node."""

    config: Config
    clock: Clock
    ids: Ids
    store: Store
    blobs: Blobs
    calls: Calls


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """How large the body of an operation's request may be. The edge refuses a larger one before it is all read."""

    max_bytes: int
    error: Callable[[int, HttpRequest], ServiceError]
    """What a larger request is answered: made of the body's size in bytes, as far as it is known, and the headers."""


class Gate(Protocol):
    """Who checks callers that come to a host of their own (function URLs, APIs) and not to an operation."""

    async def authenticate(self, request: HttpRequest) -> Principal:
        """Who signed the request. Raises ServiceError."""

    async def authorize(self, context: RequestContext, params: Params) -> None:
        """Return when `context.principal` may do `context.operation`; raise AccessDenied when not."""


@dataclass(frozen=True, slots=True)
class StreamedRequest:
    """A request of a `StreamRoute`: its head, and its body as it comes."""

    head: HttpRequest
    body: AsyncIterator[bytes]
    """Of any size. A handler takes of it what it needs; what is left is dropped."""
    request_id: str
    sandboxed: bool
    """True for a request from inside a sandbox, where the keys of dev mode mean nothing."""


StreamHandler = Callable[[StreamedRequest], Awaitable[HttpResponse]]


@dataclass(frozen=True, slots=True)
class StreamRoute:
    """A protocol of its own beside a service's API, at the root of the node's address: the registry of images."""

    prefix: str
    """What the paths of its requests begin with: `/v2/`. Requests that are signed for an API are not its."""
    handler: StreamHandler
    """Authenticates and answers by itself, errors too, and never holds a whole body in memory."""


class Service:
    """One AWS service. Subclasses set `name`, mark their operations, and keep state in the store only."""

    name: ClassVar[str]
    """botocore's name of the service: `lambda`, `sqs`, `stepfunctions` ..."""
    migrations: ClassVar[Sequence[Migration]] = ()
    body_limits: ClassVar[Mapping[str, BodyLimit]] = {}
    """The limits of operations whose requests may be smaller, or larger, than `Config.max_body_bytes`."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def operations(self) -> dict[str, Handler]:
        """The implemented operations by their name."""
        found: dict[str, Handler] = {}
        for cls in reversed(type(self).__mro__):
            for attribute, value in vars(cls).items():
                if name := getattr(value, "__dict__", {}).get("operation"):
                    found[name] = getattr(self, attribute)
        return found

    async def facts(self, resource: Arn) -> ResourceFacts | None:  # noqa: ARG002 - what most services answer
        """The policy and the tags of one of this service's resources, for decisions; None when there is none such."""
        return None

    async def condition_keys(
        self,
        action: str,  # noqa: ARG002 - what most services answer; the next two also
        resource: Arn,  # noqa: ARG002
        params: Mapping[str, Any],  # noqa: ARG002
    ) -> Mapping[str, Sequence[str]]:
        """The condition keys of a request that only what is stored can tell (`FactSource`)."""
        return {}

    def routes(self) -> dict[str, RouteHandler]:
        """Plain HTTP below `/_cloudlet/<key>/`, for what is no API operation (downloads)."""
        return {}

    def streams(self) -> Sequence[StreamRoute]:
        """Protocols beside the API, whose requests may be larger than `Config.max_body_bytes`."""
        return ()

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what was in flight and start background loops in `tasks`, which ends with the node."""

    def drain(self) -> None:
        """Let those go who only wait for something to happen: the node stops when all requests are answered."""

    async def stop(self) -> None:
        """Finish or hand back running work; called once, before the store closes."""

    async def idle(self) -> None:
        """Wait until what is under way at this moment of the platform's time is done (see `add_participant`)."""

    async def reset(self) -> None:
        """Forget what is held in memory; the store has just been emptied."""
