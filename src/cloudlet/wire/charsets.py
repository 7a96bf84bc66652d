"""Sets of characters as ranges of code points, for the character classes of Java's regular expressions."""

import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import groupby

Ranges = tuple[tuple[int, int], ...]
"""Sorted ranges, both ends included, that neither touch nor overlap."""

EVERYTHING: Ranges = ((0, sys.maxunicode),)
_SPARSE_PLANES = (0x40000, 0xE0000)
"""Planes without an assigned character in any version of Unicode so far: not worth a look."""


def ranges_of(pieces: Iterable[tuple[int, int]]) -> Ranges:
    """The union of `pieces`, which may overlap and be in any order."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pieces):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def chars(text: str) -> Ranges:
    """The characters of `text`, where `a-z` is a range and a hyphen first stands for itself."""
    pieces = []
    position = 0
    while position < len(text):
        high = text[position + 2] if text[position + 1 : position + 2] == "-" else text[position]
        pieces.append((ord(text[position]), ord(high)))
        position += 3 if high != text[position] else 1
    return ranges_of(pieces)


def complement(ranges: Ranges) -> Ranges:
    """All characters that are not in `ranges`."""
    out = []
    start = 0
    for low, high in ranges:
        if start < low:
            out.append((start, low - 1))
        start = high + 1
    if start <= sys.maxunicode:
        out.append((start, sys.maxunicode))
    return tuple(out)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """The characters in both."""
    return complement(ranges_of((*complement(left), *complement(right))))


@cache
def property_named(name: str) -> Ranges:
    """The characters with Java's property `name`: a POSIX class, a general category or its first letter.

    Raises KeyError for a property that is not known.
    """
    if name in _POSIX:
        return chars(_POSIX[name])
    if name in _UNIONS:
        return ranges_of(piece for part in _UNIONS[name] for piece in property_named(part))
    if name in ("all", "Any"):
        return EVERYTHING
    if name in ("IsWhitespace", "IsWhite_Space"):
        return ranges_of((*chars("\t\n\x0b\f\r\x85"), *property_named("Z")))
    category = name.removeprefix("Is").removeprefix("general_category=").removeprefix("gc=")
    found = [piece for key, pieces in _categories().items() if key.startswith(category) for piece in pieces]
    if not found:
        raise KeyError(name)
    return ranges_of(found)


@cache
def _categories() -> dict[str, list[tuple[int, int]]]:
    """The general categories as ranges."""
    found: dict[str, list[tuple[int, int]]] = {"Cn": [(_SPARSE_PLANES[0], _SPARSE_PLANES[1] - 1)]}
    for part in (range(_SPARSE_PLANES[0]), range(_SPARSE_PLANES[1], sys.maxunicode + 1)):
        position = part.start
        for category, run in groupby(map(unicodedata.category, map(chr, part))):
            length = sum(1 for _ in run)
            found.setdefault(category, []).append((position, position + length - 1))
            position += length
    return found


_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": "\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": "!-/:-@[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": " \t",
    "Cntrl": "\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": " \t\n\x0b\f\r",
}
_UNIONS = {
    "LD": ("L", "Nd"),
    "IsLetter": ("L",),
    "IsAlphabetic": ("L", "Nl"),
    "IsDigit": ("Nd",),
    "IsPunctuation": ("P",),
}
