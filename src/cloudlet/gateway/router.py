"""Which service and operation a request is for.

Clients say it in several ways, and tools leave some of them out. What is looked at, in this order:

1. `X-Amz-Target: <prefix>.<operation>`: enough by itself.
2. The path `/service/<prefix>/operation/<operation>` (smithy rpc-v2).
3. The signature's scope (header or presigned query), which names the service.
4. The host, which may name the service too: `lambda.us-east-1.amazonaws.com`, `lambda.localhost` ...
5. `Action` and `Version` in the query or the form.
6. The path, tried on the REST services that are implemented.

A name that several services share (`es`, `apigateway`) leads to the one that knows the operation.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.gateway.unresolved import (
    InvalidAction,
    MissingAction,
    UnknownJsonOperation,
    UnknownOperation,
    encode_unresolved,
)
from cloudlet.services.base import RouteHandler, StreamHandler, StreamRoute
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.model import ServiceModel, ServiceModels
from cloudlet.wire.service_index import ServiceIndex

RESERVED_LABELS = frozenset({"lambda-url", "execute-api", "s3"})
"""In `<name>.<label>.<region>.<domain>` these do not name an API, but a function, an API of a user, a bucket."""
_HOST_CHARACTERS = 253 + len(":65535")
"""No name is longer: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4"""
_FORMS = ("query", "ec2")
_ACTION = re.compile(rb"(?:^|&)Action=([^&]*)")
_VERSION = re.compile(rb"(?:^|&)Version=([^&]*)")
_RPC_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)/?$")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes."""

    model: ServiceModel
    protocol: str
    operation: str
    labels: Mapping[str, str]

    @property
    def service(self) -> str:
        """botocore's name of the service."""
        return self.model.name


@dataclass(frozen=True, slots=True)
class Form:
    """A request whose body, a form, will say where it goes."""

    names: Sequence[str]
    """The services that it may be for; empty when any."""


class Router:
    """Finds destinations. `implemented` are the services that have handlers."""

    def __init__(self, models: ServiceModels, index: ServiceIndex, implemented: Sequence[str]) -> None:
        self._models = models
        self._index = index
        self._implemented = implemented
        self._hosts: dict[str, RouteHandler] = {}
        self._streams: dict[str, StreamHandler] = {}
        self._known: dict[tuple[str, str, str], Destination] = {}
        """Destinations without labels; bounded, because only operations that exist are kept."""
        self._targets: dict[str, Destination] = {}
        """The same, by the `X-Amz-Target` that says all."""

    def add_host(self, label: str, handler: RouteHandler) -> None:
        """Send requests to `<name>.<label>.<region>.<domain>` to `handler`. Raises ValueError for an unknown label."""
        if label not in RESERVED_LABELS:
            raise ValueError(f"not a reserved label: {label}")
        self._hosts[label] = handler

    def host_handler(self, request: HttpRequest) -> RouteHandler | None:
        """Who answers a request whose host names no API. Raises OperationNotImplemented where nobody does."""
        labels = host_labels(request)
        reserved = RESERVED_LABELS.intersection(labels[1:]) if len(labels) > 2 else None
        if not reserved:
            return None
        label = min(reserved, key=labels.index)
        if handler := self._hosts.get(label):
            return handler
        raise OperationNotImplemented(f"Hosts of {label} are not implemented by Cloudlet.")

    def add_streams(self, routes: Iterable[StreamRoute]) -> None:
        """Send requests to the paths of `routes` to their handlers, unless they are for an API by their signature or
        host. Raises ValueError for a prefix that is taken."""
        for route in routes:
            if route.prefix in self._streams:
                raise ValueError(f"taken: {route.prefix}")
            self._streams[route.prefix] = route.handler

    def stream_handler(self, request: HttpRequest) -> StreamHandler | None:
        """Who answers a request of a protocol beside the APIs."""
        for prefix, handler in self._streams.items():
            if request.raw_path.startswith(prefix):
                is_api = "x-amz-target" in request.headers or self._named(request)
                return None if is_api else handler
        return None

    def route(self, request: HttpRequest) -> Destination | Form:
        """Where `request` goes, by what its head says; a `Form` when only its body can tell (`route_form`).

        Raises ServiceError for an operation that does not exist.
        """
        if target := request.headers.get("x-amz-target"):
            return self._by_target(request, target)
        if request.headers.get("smithy-protocol") == "rpc-v2-cbor" and (match := _RPC_PATH.search(request.raw_path)):
            return self._by_name(self._index.with_target_prefix(match[1]), "smithy-rpc-v2-cbor", match[2])
        names = self._named(request)
        if not names:
            return self._unnamed(request)
        if self._takes_form(request, names):
            action_in_query = "Action=" in request.query_string
            return self._by_action(request.query_string.encode("latin-1"), names) if action_in_query else Form(names)
        return self._by_path(request, names)

    def route_form(self, form: Form, body: bytes) -> Destination:
        """Where a request goes whose body is a form. Raises ServiceError for an operation that does not exist."""
        return self._by_action(body, form.names)

    def encode_error(
        self, request: HttpRequest, destination: Destination | None, error: ServiceError, request_id: str
    ) -> HttpResponse:
        """`error` in the protocol of the request."""
        if destination is not None:
            return destination.model.encode_error(destination.protocol, error, request_id)
        for name in self._named(request):
            model = self._models.service(name)
            return model.encode_error(model.detect_protocol(request), error, request_id)
        return encode_unresolved(request, error, request_id)

    def _named(self, request: HttpRequest) -> Sequence[str]:
        """The services that the signature's scope names, or else the host."""
        if (scope := scope_service(request)) and (names := self._index.signed_as(scope)):
            return names
        labels = host_labels(request)
        return self._index.with_endpoint(labels[0]) if len(labels) > 1 else ()

    def _unnamed(self, request: HttpRequest) -> Destination | Form:
        """The destination of a request that names no service."""
        if "Action=" in request.query_string:
            return self._by_action(request.query_string.encode("latin-1"), ())
        try:
            return self._by_path(request, [name for name in self._implemented if self._models.service(name).is_rest])
        except UnknownOperation:
            if _is_form(request):
                return Form(())
            raise

    def _takes_form(self, request: HttpRequest, names: Sequence[str]) -> bool:
        """True when the operation stands in the form that is the request's body, or in its query."""
        for model in map(self._models.service, names):
            if model.takes_forms:
                return _is_form(request) or not (model.is_rest or "json" in model.protocols)
        return False

    def _by_target(self, request: HttpRequest, target: str) -> Destination:
        if found := self._targets.get(target):
            return found
        prefix, _, operation = target.rpartition(".")
        own = self._index.with_target_prefix(prefix)
        try:
            found = self._by_name(own or self._named(request), "json", operation)
            if own:
                self._targets[target] = found
            return found
        except UnknownOperation:
            raise UnknownJsonOperation(f"There is no operation {target}.") from None

    def _by_name(self, names: Iterable[str], protocol: str, operation: str) -> Destination:
        for model in map(self._models.service, names):
            if operation in model.operation_names and protocol in model.protocols:
                return self._destination(model, protocol, operation)
        raise UnknownOperation(f"There is no operation {operation}.")

    def _by_action(self, form: bytes, names: Sequence[str]) -> Destination:
        match = _ACTION.search(form)
        if match is None:
            raise MissingAction("The request must contain the parameter Action.")
        action = unquote(match[1].decode("latin-1"))
        version = _first(_VERSION, form)
        for name in names or self._with_action(action, version):
            model = self._models.service(name)
            protocol = next((protocol for protocol in model.protocols if protocol in _FORMS), None)
            if protocol and action in model.operation_names:
                return self._destination(model, protocol, action)
        raise InvalidAction(f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}")

    def _with_action(self, action: str, version: str) -> Sequence[str]:
        """The services that know an action, those that are implemented first."""
        found = self._index.with_action(action, version)
        return sorted(found, key=lambda name: name not in self._implemented)

    def _by_path(self, request: HttpRequest, names: Iterable[str]) -> Destination:
        for model in map(self._models.service, names):
            found = model.target(request)
            if found is not None and found.operation in model.operation_names:
                if found.labels:
                    return Destination(model, found.protocol, found.operation, found.labels)
                return self._destination(model, found.protocol, found.operation)
        raise UnknownOperation(f"There is no operation {request.method} {request.raw_path}.")

    def _destination(self, model: ServiceModel, protocol: str, operation: str) -> Destination:
        key = model.name, protocol, operation
        if key not in self._known:
            self._known[key] = Destination(model, protocol, operation, {})
        return self._known[key]


def scope_service(request: HttpRequest) -> str:
    """The service in the scope of a request's signature, `key/date/region/service/aws4_request`; empty without one."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        begin = authorization.find("Credential=")
        credential = authorization[begin + len("Credential=") :].partition(",")[0] if begin >= 0 else ""
    elif "X-Amz-Credential=" in request.query_string:
        credential = unquote(request.query_string.partition("X-Amz-Credential=")[2].partition("&")[0])
    else:
        return ""
    parts = credential.rsplit("/", 2)
    return parts[1] if len(parts) == 3 else ""


def host_labels(request: HttpRequest) -> Sequence[str]:
    """The labels of the host that the client asked for; nothing for an address or a plain `localhost`."""
    host = request.headers.get("host", "")
    return _labels_of(host) if len(host) <= _HOST_CHARACTERS else ()


@lru_cache(maxsize=1024)
def _labels_of(host: str) -> Sequence[str]:
    name = host.lower().partition(":")[0]
    if "." not in name or name[-1].isdigit():
        return ()
    return tuple(name.split("."))


def _is_form(request: HttpRequest) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _first(pattern: re.Pattern[bytes], form: bytes) -> str:
    match = pattern.search(form)
    return unquote(match[1].decode("latin-1")) if match else ""
