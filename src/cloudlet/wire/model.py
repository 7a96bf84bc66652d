"""AWS's service models, compiled operation by operation as they are first used.

    request -> ServiceModel.target -> Operation.decode -> Operation.validate -> (the service) -> Operation.encode

Nothing is walked at the time of a request: an operation's decoder, validator and encoder are closures that were made
of its shapes once, and shapes that operations share are made once for all of them.
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.errors import SerializationError, ServiceError, ValidationError
from cloudlet.ids import Ids
from cloudlet.wire import integrity, loader, overlays
from cloudlet.wire.dialects import USUAL, VALIDATION
from cloudlet.wire.errors import ErrorShapes
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols import DIALECTS
from cloudlet.wire.protocols.base import Codec, Dialect
from cloudlet.wire.protocols.text import parse_query, percent_decode
from cloudlet.wire.routing import Router
from cloudlet.wire.shapes import Model, OperationModel
from cloudlet.wire.validation import Validators

_ACTION = re.compile(rb"(?:^|&)Action=([^&]*)")
_RPC_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)/?$")
_REST = ("rest-json", "rest-xml")
_FORMS = ("query", "ec2")
_KEPT_TARGETS = 1024
_KEPT_CHARACTERS = 512
"""Longer paths and queries are looked up each time, so that the memory of what is kept stays bounded."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for."""

    protocol: str
    operation: str
    """As the request names it: not necessarily an operation that exists."""
    labels: Mapping[str, str]


class ServiceModels:
    """The models of all services, each loaded when it is first asked for.

    `new_token` makes the idempotency tokens of callers that send none.
    """

    def __init__(self, new_token: Callable[[], str] | None = None) -> None:
        self._new_token = new_token or Ids().uuid
        self._services: dict[str, ServiceModel] = {}
        self._lock = threading.Lock()

    def service(self, name: str) -> "ServiceModel":
        """The model of the service that botocore calls `name`. Raises KeyError for an unknown one."""
        service = self._services.get(name)
        if service is None:
            with self._lock:
                if name not in self._services:
                    self._services[name] = ServiceModel(name, loader.load(name), self._new_token)
                service = self._services[name]
        return service


class ServiceModel:
    """One service: its names on the wire and its operations."""

    def __init__(self, name: str, description: loader.Description, new_token: Callable[[], str]) -> None:
        self.name = name
        self._overlay = overlays.overlay(name)
        self._model = Model(self._overlay.apply(description))
        self._new_token = new_token
        metadata = self._model.metadata
        self.operation_names: frozenset[str] = frozenset(self._model.operations)
        self.signing_name: str = metadata.get("signingName") or metadata.get("endpointPrefix", name)
        declared = metadata.get("protocols") or [metadata["protocol"]]
        self.protocols: tuple[str, ...] = (*declared, *self._overlay.protocols)
        self.takes_forms = any(protocol in _FORMS for protocol in self.protocols)
        self.is_rest = any(protocol in _REST for protocol in self.protocols)
        dialect = VALIDATION.get(name, USUAL)
        only_forms = all(protocol in _FORMS for protocol in self.protocols)
        self._validators = Validators(dialect, "ValidationError" if only_forms else ValidationError.code)
        self._operations: dict[str, Operation] = {}
        self._dialects: dict[str, Dialect] = {}
        self._models: dict[str, Model] = {}
        self._router: Router | None = None
        self._targets: dict[tuple[str, str, str], Target] = {}
        """What was found for methods, paths and queries, where headers do not matter."""
        self._errors: ErrorShapes | None = None

    def operation(self, name: str) -> "Operation":
        """The operation `name`, as AWS spells it. Raises KeyError for one that the service does not have."""
        operation = self._operations.get(name)
        if operation is None:
            if name not in self.operation_names:
                raise KeyError(name)
            operation = self._operations[name] = Operation(self, name, self._validators, self._new_token)
        return operation

    def target(self, request: HttpRequest) -> Target | None:
        """The protocol, the operation and the path's labels of a request to this service; None if it names none.

        Raises SerializationError for a path or form that cannot be read.
        """
        protocol = self.detect_protocol(request)
        if protocol in _REST:
            return self._rest_target(protocol, request)
        name = _NAMED[protocol](request)
        return None if name is None else Target(protocol, name, {})

    def _rest_target(self, protocol: str, request: HttpRequest) -> Target | None:
        key = (request.method, request.raw_path, request.query_string)
        known = self._targets.get(key)
        if known is not None and known.protocol == protocol:
            return known
        found = self.route(request.method, request.raw_path, parse_query(request.query_string), request.headers)
        if found is None:
            return None
        target = Target(protocol, *found)
        if self._router is not None and not self._router.reads_headers and sum(map(len, key)) <= _KEPT_CHARACTERS:
            if len(self._targets) >= _KEPT_TARGETS:
                self._targets.clear()
            self._targets[key] = target
        return target

    def detect_protocol(self, request: HttpRequest) -> str:
        """The protocol that a request to this service is in: the one that shows, else the service's first."""
        if len(self.protocols) == 1:
            return self.protocols[0]
        for protocol in self.protocols:
            if _SHOWS[protocol](request):
                return protocol
        return self.protocols[0]

    def route(
        self, method: str, raw_path: str, query: Mapping[str, Sequence[str]], headers: Mapping[str, str] | None = None
    ) -> tuple[str, dict[str, str]] | None:
        """The operation of a REST service, and the labels of its path, percent-decoded; None where there is none such.

        `headers`, by their lower-case names, tell operations apart that differ in nothing else. Raises
        SerializationError for a path that is not UTF-8.
        """
        if self._router is None:
            self._router = Router(OperationModel(self._model, name) for name in self._model.operations)
        return self._router.route(method, raw_path, query, headers or {})

    def encode_error(self, protocol: str, error: ServiceError, request_id: str) -> HttpResponse:
        """The answer that carries `error`, which need not be a modelled one."""
        if self._errors is None:
            self._errors = ErrorShapes(self._model)
        return self._dialect(protocol).encode_error(self._errors.resolve(error, protocol), request_id)

    def compile(self, protocol: str, operation: str) -> Codec:
        """The codec of `operation` in `protocol`. Raises KeyError for a protocol that the service does not speak."""
        return self._dialect(protocol).codec(OperationModel(self._model_for(protocol), operation))

    def operation_model(self, name: str) -> OperationModel:
        """The description of the operation `name`."""
        return OperationModel(self._model, name)

    def _dialect(self, protocol: str) -> Dialect:
        dialect = self._dialects.get(protocol)
        if dialect is None:
            if protocol not in self.protocols:
                raise KeyError(protocol)
            dialect = self._dialects[protocol] = DIALECTS[protocol](self._model_for(protocol))
        return dialect

    def _model_for(self, protocol: str) -> Model:
        """The model as `protocol` sees it: a protocol that AWS's files have dropped has names of its own."""
        if protocol not in self._overlay.protocols:
            return self._model
        model = self._models.get(protocol)
        if model is None:
            model = self._models[protocol] = self._overlay.model(protocol, self._model)
        return model


class Operation:
    """One operation: its codecs by protocol, and its validator."""

    __slots__ = ("_codecs", "_is_head", "_new_token", "_prepare", "_service", "_tokens", "_validate", "name")

    def __init__(self, service: ServiceModel, name: str, validators: Validators, new_token: Callable[[], str]) -> None:
        self.name = name
        self._service = service
        self._new_token = new_token
        self._codecs: dict[str, Codec] = {}
        model = service.operation_model(name)
        self._is_head = model.method == "HEAD"
        self._prepare = integrity.preparation(model)
        self._tokens = model.idempotency_tokens
        self._validate = validators.validator(model.input) if model.input is not None else None

    def validate(self, params: dict[str, Any]) -> None:
        """Fill in idempotency tokens that are not there, and check `params` against the model.

        Raises ValidationError with AWS's text.
        """
        for name in self._tokens:
            if params.get(name) is None:
                params[name] = self._new_token()
        if self._validate is not None:
            self._validate(params)

    def decode(self, protocol: str, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
        """The parameters that a request carries, in the shapes of boto3.

        Raises SerializationError, and for operations that take checksums or compressed bodies what `integrity` raises.
        """
        codec = self._codecs.get(protocol)
        if codec is None:
            codec = self._compile(protocol)
        if self._prepare is not None:
            request = self._prepare(request)
        try:
            return codec.decode(request, labels)
        except RecursionError:
            raise SerializationError("The request is nested too deeply.") from None

    def encode(self, protocol: str, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """The answer that carries `result`, which has the shape that boto3 gives.

        `result["ResponseMetadata"]` may hold `HTTPStatusCode` and `HTTPHeaders` that go beyond the model. Raises
        LookupError and TypeError for a result that does not fit it: that is a service's mistake.
        """
        codec = self._codecs.get(protocol)
        if codec is None:
            codec = self._compile(protocol)
        if "ResponseMetadata" not in result:
            return codec.encode(result, request_id)
        metadata = result["ResponseMetadata"]
        response = codec.encode({name: item for name, item in result.items() if name != "ResponseMetadata"}, request_id)
        response.status = metadata.get("HTTPStatusCode", response.status)
        response.headers.update(metadata.get("HTTPHeaders", {}))
        return response

    def encode_error(self, protocol: str, error: ServiceError, request_id: str) -> HttpResponse:
        """The answer that carries `error`."""
        response = self._service.encode_error(protocol, error, request_id)
        if self._is_head:
            response.body = b""
        return response

    def _compile(self, protocol: str) -> Codec:
        codec = self._codecs[protocol] = self._service.compile(protocol, self.name)
        return codec


def _target_header(request: HttpRequest) -> str | None:
    target = request.headers.get("x-amz-target")
    return target.rpartition(".")[2] if target else None


def _action(request: HttpRequest) -> str | None:
    for text in (request.body, request.query_string.encode()):
        match = _ACTION.search(text)
        if match is not None:
            return percent_decode(match[1].decode("latin-1"))
    return None


def _rpc_operation(request: HttpRequest) -> str | None:
    match = _RPC_PATH.search(request.raw_path)
    return percent_decode(match[2]) if match else None


def _content_type(request: HttpRequest, prefix: str) -> bool:
    return request.headers.get("content-type", "").startswith(prefix)


_NAMED: dict[str, Callable[[HttpRequest], str | None]] = {
    "json": _target_header,
    "query": _action,
    "ec2": _action,
    "smithy-rpc-v2-cbor": _rpc_operation,
}
"""Where a request names its operation."""

_SHOWS: dict[str, Callable[[HttpRequest], bool]] = {
    "smithy-rpc-v2-cbor": lambda request: request.headers.get("smithy-protocol") == "rpc-v2-cbor",
    "json": lambda request: "x-amz-target" in request.headers or _content_type(request, "application/x-amz-json"),
    "query": lambda request: _content_type(request, "application/x-www-form-urlencoded") or bool(_action(request)),
    "ec2": lambda request: bool(_action(request)),
    "rest-json": lambda _: True,
    "rest-xml": lambda _: True,
}
"""How a request shows that it is in a protocol."""
