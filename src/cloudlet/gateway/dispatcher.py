"""The one way to a service's operation, for the HTTP edge and for every service that calls another."""

from collections.abc import Iterable
from typing import Any, Protocol

from cloudlet.errors import OperationNotImplemented
from cloudlet.iam.authorizer import Authorizer
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Handler, Params, Service
from cloudlet.wire.model import ServiceModels


class Observer(Protocol):
    """Who is told of every call. It is asked on the way of each, so it only notes and never waits or raises."""

    def observe(self, context: RequestContext, params: Params, result: Any, error: BaseException | None) -> None:
        """A call has ended with `result`, or with `error`: denied, refused or failed."""


class Dispatcher:
    """Authorises, validates and calls. Knows services only as a table of operations."""

    def __init__(self, models: ServiceModels, authorizer: Authorizer, observer: Observer | None = None) -> None:
        self._models = models
        self._authorizer = authorizer
        self._observer = observer
        self._handlers: dict[tuple[str, str], Handler] = {}

    def register(self, services: Iterable[Service]) -> None:
        """Add the operations of `services`. Raises ValueError for one that AWS's model does not have."""
        for service in services:
            model = self._models.service(service.name)
            for name, handler in service.operations().items():
                if name not in model.operation_names:
                    raise ValueError(f"{service.name} has no operation {name}")
                self._handlers[service.name, name] = handler

    def require(self, service: str, operation: str) -> Handler:
        """The handler of an operation. Raises OperationNotImplemented."""
        handler = self._handlers.get((service, operation))
        if handler is None:
            raise OperationNotImplemented(f"{service}:{operation} is not implemented by Cloudlet.")
        return handler

    async def call(self, context: RequestContext, service: str, operation: str, params: Params) -> Any:
        """Call `operation` of `service` as `context.principal`.

        Raises ServiceError: what the service answers, AccessDenied, ValidationError, OperationNotImplemented.
        """
        handler = self.require(service, operation)
        context.service, context.operation = service, operation
        try:
            await self._authorizer.authorize(context, params)
            self._models.service(service).operation(operation).validate(params)
            result = await handler(context, params)
        except BaseException as error:
            if self._observer is not None:
                self._observer.observe(context, params, None, error)
            raise
        if self._observer is not None:
            self._observer.observe(context, params, result, None)
        return result
