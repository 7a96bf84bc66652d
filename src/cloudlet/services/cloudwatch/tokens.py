"""Opaque tokens: where the next page begins. They name what they are for, so that one is not taken for another."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from cloudlet.services.cloudwatch.errors import InvalidNextToken


def encode_token(purpose: str, values: Sequence[str | int]) -> str:
    """A token with `values` in it."""
    return base64.urlsafe_b64encode(orjson.dumps([purpose, *values])).decode().rstrip("=")


def decode_token(purpose: str, token: str, kinds: Sequence[type], *, optional: int = 0) -> list[Any]:
    """The values in `token`, of these `kinds`, of which the last ones may be missing where they are `optional`.

    Raises InvalidNextToken for one that was not made for `purpose`.
    """
    try:
        found = orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidNextToken("The service rejected the specified next token.") from error
    if (
        not isinstance(found, list)
        or found[:1] != [purpose]
        or len(found) - 1 not in (len(kinds), len(kinds) - optional)
    ):
        raise InvalidNextToken("The service rejected the specified next token.")
    if any(type(value) is not kind for value, kind in zip(found[1:], kinds, strict=False)):
        raise InvalidNextToken("The service rejected the specified next token.")
    for value in found[1:]:
        if ("\0" in value) if isinstance(value, str) else not -(1 << 62) < value < 1 << 62:
            raise InvalidNextToken("The service rejected the specified next token.")
    return found[1:]
