"""Small service models for the tests of the wire."""

from typing import Any

from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.model import ServiceModel
from cloudlet.wire.shapes import Model, Shape

TOKEN = "00000000-0000-4000-8000-000000000000"
SCALARS: dict[str, Any] = {
    "String": {"type": "string"},
    "Integer": {"type": "integer"},
    "Long": {"type": "long"},
    "Double": {"type": "double"},
    "Boolean": {"type": "boolean"},
    "Blob": {"type": "blob"},
    "Timestamp": {"type": "timestamp"},
    "Document": {"type": "structure", "document": True, "members": {}},
    "Strings": {"type": "list", "member": {"shape": "String"}},
    "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}},
}


def structure(required: tuple[str, ...] = (), /, **members: Any) -> dict[str, Any]:
    """A structure whose members are shape names or references with traits."""
    references = {name: {"shape": member} if isinstance(member, str) else member for name, member in members.items()}
    return {"type": "structure", "required": list(required), "members": references}


def service(
    protocol: str = "json",
    *,
    name: str = "test",
    input_shape: Any = None,
    output_shape: Any = None,
    http: Any = None,
    metadata: Any = None,
    traits: Any = None,
    **shapes: Any,
) -> ServiceModel:
    """A service with one operation, `Act`, whose input and output are given as structures."""
    operation: dict[str, Any] = {"name": "Act", "http": http or {"method": "POST", "requestUri": "/"}, **(traits or {})}
    declared = {**SCALARS, **shapes}
    if input_shape is not None:
        declared["ActInput"] = input_shape
        operation["input"] = {"shape": "ActInput"}
    if output_shape is not None:
        declared["ActOutput"] = output_shape
        operation["output"] = {"shape": "ActOutput"}
    description = {
        "metadata": {
            "apiVersion": "2020-01-01",
            "endpointPrefix": "test",
            "protocol": protocol,
            "jsonVersion": "1.1",
            "targetPrefix": "Test",
            **(metadata or {}),
        },
        "operations": {"Act": operation},
        "shapes": declared,
    }
    return ServiceModel(name, description, lambda: TOKEN)


def shape(name: str, **shapes: Any) -> Shape:
    """One shape of a model that has `shapes` and the scalars."""
    model = Model({"metadata": {}, "operations": {}, "shapes": {**SCALARS, **shapes}})
    return model.resolve({"shape": name})


def request(body: bytes | str = b"", *, method: str = "POST", path: str = "/", **headers: str) -> HttpRequest:
    """A request; `path` may have a query string, underscores in header names are hyphens."""
    raw_path, _, query = path.partition("?")
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, raw_path, query, named, content)


def decode(model: ServiceModel, given: HttpRequest) -> dict[str, Any]:
    """The parameters of a request to `Act`."""
    target = model.target(given)
    protocol, labels = (model.protocols[0], {}) if target is None else (target.protocol, target.labels)
    return model.operation("Act").decode(protocol, given, labels)


def encode(model: ServiceModel, result: dict[str, Any]) -> HttpResponse:
    """The answer of `Act`."""
    return model.operation("Act").encode(model.protocols[0], result, "request-id")
