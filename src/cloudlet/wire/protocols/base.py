"""What a protocol is to the rest of the wire: a codec for each operation, and a way to say what went wrong."""

from collections.abc import Mapping
from typing import Any, Protocol

from cloudlet.wire.errors import ErrorAnswer
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.shapes import OperationModel

REQUEST_ID = "x-amzn-RequestId"


class Codec(Protocol):
    """One operation in one protocol."""

    def decode(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
        """The operation's parameters. Raises SerializationError."""

    def encode(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """The answer that carries `result`."""


class Dialect(Protocol):
    """One protocol as one service speaks it: shapes compiled for an operation are kept for the next."""

    def codec(self, operation: OperationModel) -> Codec:
        """Compile `operation`."""

    def encode_error(self, answer: ErrorAnswer, request_id: str) -> HttpResponse:
        """The answer that carries an error."""
