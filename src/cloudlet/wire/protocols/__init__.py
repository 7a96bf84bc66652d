"""AWS's protocols, each as a dialect that compiles the operations of one service."""

from collections.abc import Callable

from cloudlet.errors import ServiceError
from cloudlet.wire.errors import resolve_unmodelled
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.protocols.base import Dialect
from cloudlet.wire.protocols.ec2 import Ec2Dialect
from cloudlet.wire.protocols.json import JsonDialect
from cloudlet.wire.protocols.query import QueryDialect
from cloudlet.wire.protocols.rest_json import RestJsonDialect
from cloudlet.wire.protocols.rest_xml import RestXmlDialect
from cloudlet.wire.shapes import Model


def _cbor(model: Model) -> Dialect:
    # cbor2 is slow to import, and few services need it.
    from cloudlet.wire.protocols.cbor import CborDialect

    return CborDialect(model)


DIALECTS: dict[str, Callable[[Model], Dialect]] = {
    "json": JsonDialect,
    "query": QueryDialect,
    "ec2": Ec2Dialect,
    "rest-json": RestJsonDialect,
    "rest-xml": RestXmlDialect,
    "smithy-rpc-v2-cbor": _cbor,
}
"""By botocore's name of the protocol."""

_NO_MODEL = {"metadata": {"apiVersion": "", "protocol": "json"}, "operations": {}, "shapes": {}}


def encode_error(protocol: str, error: ServiceError, request_id: str) -> HttpResponse:
    """The answer that carries `error` in `protocol`, where it is not known which service was meant."""
    return DIALECTS[protocol](Model(_NO_MODEL)).encode_error(resolve_unmodelled(error, protocol), request_id)
