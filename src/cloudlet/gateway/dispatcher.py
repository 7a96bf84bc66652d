"""The one way to a service's operation, for the HTTP edge and for every service that calls another."""

from collections.abc import Iterable
from typing import Any

from cloudlet.errors import OperationNotImplemented
from cloudlet.iam.authorizer import Authorizer
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Handler, Params, Service
from cloudlet.wire.model import ServiceModels


class Dispatcher:
    """Authorises, validates and calls. Knows services only as a table of operations."""

    def __init__(self, models: ServiceModels, authorizer: Authorizer) -> None:
        self._models = models
        self._authorizer = authorizer
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
        await self._authorizer.authorize(context, params)
        self._models.service(service).operation(operation).validate(params)
        return await handler(context, params)
