"""AWS's protocols, each as a dialect that compiles the operations of one service."""

from collections.abc import Callable

from botocore.model import ServiceModel as BotocoreModel

from cloudlet.errors import ServiceError
from cloudlet.wire.errors import resolve_unmodelled
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.protocols.base import Dialect
from cloudlet.wire.protocols.json import JsonDialect
from cloudlet.wire.protocols.query import QueryDialect
from cloudlet.wire.protocols.rest_json import RestJsonDialect

DIALECTS: dict[str, Callable[[BotocoreModel], Dialect]] = {
    "json": JsonDialect,
    "query": QueryDialect,
    "rest-json": RestJsonDialect,
}
"""By botocore's name of the protocol."""

_NO_MODEL = {"metadata": {"apiVersion": "", "protocol": "json"}, "operations": {}, "shapes": {}}


def encode_error(protocol: str, error: ServiceError, request_id: str) -> HttpResponse:
    """The answer that carries `error` in `protocol`, where it is not known which service was meant."""
    return DIALECTS[protocol](BotocoreModel(_NO_MODEL)).encode_error(resolve_unmodelled(error, protocol), request_id)
