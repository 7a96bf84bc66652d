"""How often which values occurred, small enough to be kept for each metric and minute: what percentiles are made of.

```
up to 32 different values    {12.5: 3, 13.0: 1}       exact
more                         {bucket: count}          bucket i holds (G^(i-1), G^i], shown as one value within 1%
```

The form depends only on which values there are, not on the order in which they came or were put together: joining is
associative and commutative. G = 1.01 / 0.99, so that the value that stands for a bucket is at most 1% from any in it.
At most 1024 buckets are kept, the highest ones, which is nine powers of ten; what is below is counted in the lowest.

The idea is DDSketch's: Masson, Rim, Lee: DDSketch, VLDB 2019, https://arxiv.org/abs/1908.10693. There are no negative
values, because AWS has no percentiles of metrics with such: `Summary` gives up its distribution at the first.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from typing import Final

RELATIVE_ERROR: Final = 0.01
MAX_EXACT: Final = 32
"""Different values that are kept as they are."""
MAX_BUCKETS: Final = 1024
_LOG_BASE: Final = math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_MIDDLE: Final = 1 - RELATIVE_ERROR
"""Of a bucket's upper end: what is 1% from both ends."""
_ZERO: Final = -100_000
"""The bucket of zero, below that of the smallest number there is."""
_FRACTIONS: Final = 1
_BUCKETS: Final = 2


class Distribution:
    """Values with their counts. Values are finite and not negative, counts positive and not necessarily whole."""

    __slots__ = ("_buckets", "_exact")

    def __init__(self, values: Iterable[tuple[float, float]] = ()) -> None:
        self._exact: dict[float, float] | None = {}
        self._buckets: dict[int, float] = {}
        for value, count in values:
            self.add(value, count)

    def add(self, value: float, count: float) -> None:
        """Count a value."""
        exact = self._exact
        if exact is None:
            index = _index(value)
            self._buckets[index] = self._buckets.get(index, 0.0) + count
            if len(self._buckets) > MAX_BUCKETS:
                self._fold()
            return
        exact[value] = exact.get(value, 0.0) + count
        if len(exact) > MAX_EXACT:
            self._exact = None
            for one, number in exact.items():
                self.add(one, number)

    def merge(self, other: "Distribution") -> None:
        """Count all that `other` has counted."""
        if other._exact is not None:
            for value, count in other._exact.items():
                self.add(value, count)
            return
        exact, self._exact = self._exact, None
        for index, count in other._buckets.items():
            self._buckets[index] = self._buckets.get(index, 0.0) + count
        if len(self._buckets) > MAX_BUCKETS:
            self._fold()
        for value, count in (exact or {}).items():
            self.add(value, count)

    @property
    def is_exact(self) -> bool:
        """True while every value is kept as it is."""
        return self._exact is not None

    def items(self) -> Iterator[tuple[float, float]]:
        """The values, lowest first, and how often each occurred."""
        if self._exact is not None:
            yield from sorted(self._exact.items())
        else:
            for index, count in sorted(self._buckets.items()):
                yield _value(index), count

    def encode(self) -> bytes:
        """A byte for the form, and then the values and counts."""
        keyed: dict[float, float] | dict[int, float] = self._buckets if self._exact is None else self._exact
        entries = sorted(keyed.items())
        whole = all(count == int(count) and count < 1 << 53 for _, count in entries)
        out = bytearray([(0 if whole else _FRACTIONS) | (_BUCKETS if self._exact is None else 0)])
        before = 0
        for key, count in entries:
            if self._exact is None:
                _put_number(out, _zigzag(int(key) - before))
                before = int(key)
            else:
                out += struct.pack("<d", key)
            if whole:
                _put_number(out, int(count))
            else:
                out += struct.pack("<d", count)
        return bytes(out)

    @classmethod
    def decode(cls, encoded: bytes) -> "Distribution":
        """What `encode` made it from."""
        found = cls()
        form, position, before = encoded[0], 1, 0
        if form & _BUCKETS:
            found._exact = None
        while position < len(encoded):
            value = 0.0
            if form & _BUCKETS:
                step, position = _take_number(encoded, position)
                before += (step >> 1) ^ -(step & 1)
            else:
                (value,) = struct.unpack_from("<d", encoded, position)
                position += 8
            if form & _FRACTIONS:
                (count,) = struct.unpack_from("<d", encoded, position)
                position += 8
            else:
                count, position = _take_number(encoded, position)
            if found._exact is None:
                found._buckets[before] = float(count)
            else:
                found._exact[value] = float(count)
        return found

    def _fold(self) -> None:
        """Count the lowest buckets in the lowest that is kept."""
        order = sorted(self._buckets)
        kept = order[-MAX_BUCKETS]
        for index in order[:-MAX_BUCKETS]:
            self._buckets[kept] += self._buckets.pop(index)


def _index(value: float) -> int:
    return _ZERO if value == 0 else math.ceil(math.log(value) / _LOG_BASE)


def _value(index: int) -> float:
    return 0.0 if index == _ZERO else math.exp(index * _LOG_BASE) * _MIDDLE


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _put_number(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _take_number(encoded: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = encoded[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
