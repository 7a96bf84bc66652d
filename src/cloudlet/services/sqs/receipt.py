"""Receipt handles: which message was received, and which of its receives this was.

A handle is made of the queue's id, the message's sequence and its number of receives, so nothing is stored for it: a
later receive makes earlier handles void, because the number has changed. The checksum tells a handle of another queue,
or a mutilated one, from one that is merely old.
"""

import base64
import binascii
import struct
import zlib
from typing import NamedTuple

from cloudlet.services.sqs.errors import ReceiptHandleIsInvalid

_LAYOUT = struct.Struct(">3sQQII")
_MARK = b"\x01\x01\x01"


class Receipt(NamedTuple):
    """One receive of one message."""

    sequence: int
    receives: int


def encode(queue_id: int, receipt: Receipt) -> str:
    """The handle that a consumer gets."""
    checksum = zlib.crc32(struct.pack(">QQI", queue_id, receipt.sequence, receipt.receives))
    return base64.b64encode(_LAYOUT.pack(_MARK, queue_id, receipt.sequence, receipt.receives, checksum)).decode()


def decode(queue_id: int, handle: str) -> Receipt:
    """What a handle of this queue stands for. Raises ReceiptHandleIsInvalid."""
    try:
        mark, queue, sequence, receives, checksum = _LAYOUT.unpack(base64.b64decode(handle, validate=True))
    except (binascii.Error, struct.error, ValueError):
        raise _invalid(handle) from None
    if mark != _MARK or checksum != zlib.crc32(struct.pack(">QQI", queue, sequence, receives)):
        raise _invalid(handle)
    if queue != queue_id:
        raise ReceiptHandleIsInvalid(f'The receipt handle "{handle}" is not valid for this queue.')
    return Receipt(sequence, receives)


def _invalid(handle: str) -> ReceiptHandleIsInvalid:
    return ReceiptHandleIsInvalid(f'The input receipt handle "{handle}" is not a valid receipt handle.')
