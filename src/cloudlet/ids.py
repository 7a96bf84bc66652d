"""Identifiers, made from one source of randomness that is passed in."""

import base64
import os
import threading
from collections.abc import Callable

POOL_BYTES = 4096
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class RandomPool:
    """The kernel's random bytes, fetched ahead: a system call for each request id is a tenth of a request's time.

    Each byte is given once. Not for processes that fork: the child would give the same bytes.
    """

    def __init__(self, randbytes: Callable[[int], bytes] = os.urandom) -> None:
        self._randbytes = randbytes
        self._pool = b""
        self._position = 0
        self._lock = threading.Lock()

    def __call__(self, size_bytes: int) -> bytes:
        """`size_bytes` random bytes."""
        if size_bytes > POOL_BYTES:
            return self._randbytes(size_bytes)
        with self._lock:
            end = self._position + size_bytes
            if end > len(self._pool):
                self._pool = self._randbytes(POOL_BYTES)
                end = size_bytes
            taken = self._pool[end - size_bytes : end]
            self._position = end
            return taken


class Ids:
    """Makes the identifiers of AWS's shapes from `randbytes(n)`, the only source of randomness."""

    def __init__(self, randbytes: Callable[[int], bytes] | None = None) -> None:
        self._randbytes = randbytes or RandomPool()
        self._uuids: list[str] = []
        self._uuids_at_once = 1 if randbytes else 64

    def bytes(self, size_bytes: int) -> bytes:
        """`size_bytes` random bytes."""
        return self._randbytes(size_bytes)

    def uuid(self) -> str:
        """A random (version 4) UUID, as request ids, revision ids and message ids are."""
        try:
            return self._uuids.pop()
        except IndexError:
            made = self._make_uuids(self._uuids_at_once)
            self._uuids += made[1:]
            return made[0]

    def _make_uuids(self, count: int) -> list[str]:
        # What `uuid.UUID(bytes=..., version=4)` gives, in a fifth of its time: there are some for each request.
        digits = self._randbytes(16 * count).hex()
        return [
            f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-4{digits[at + 13 : at + 16]}-"
            f"{_VARIANTS[digits[at + 16]]}{digits[at + 17 : at + 20]}-{digits[at + 20 : at + 32]}"
            for at in range(0, 32 * count, 32)
        ]

    def hex(self, length: int) -> str:
        """`length` lower-case hexadecimal digits."""
        return self._randbytes((length + 1) // 2).hex()[:length]

    def unique_id(self, prefix: str) -> str:
        """An IAM unique id: a four-letter prefix (AROA, AKIA, ASIA ...) and 17 characters more.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
        """
        return prefix + base64.b32encode(self._randbytes(11)).decode()[:17].replace("=", "A")

    def secret_access_key(self) -> str:
        """A secret access key: 40 characters of base64."""
        return base64.b64encode(self._randbytes(30)).decode()

    def fraction(self) -> float:
        """A number in [0, 1), for weighted choices and jitter."""
        return (int.from_bytes(self._randbytes(7), "big") >> 3) / (1 << 53)  # 53 bits: more would round up to 1
