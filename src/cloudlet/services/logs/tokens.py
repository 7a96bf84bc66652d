"""Opaque tokens: where the next page begins. They name what they are for, so that one is not taken for another."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from cloudlet.services.logs.errors import invalid_token


def encode_token(purpose: str, values: Sequence[str | int]) -> str:
    """A token with `values` in it."""
    return base64.urlsafe_b64encode(orjson.dumps([purpose, *values])).decode().rstrip("=")


def decode_token(purpose: str, token: str, kinds: Sequence[type]) -> list[Any]:
    """The values in `token`, of these `kinds`. Raises InvalidParameter for a token that was not made for `purpose`."""
    try:
        found = orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise invalid_token() from error
    if not isinstance(found, list) or found[:1] != [purpose] or [type(value) for value in found[1:]] != list(kinds):
        raise invalid_token()
    if not all(map(_can_be_a_parameter, found[1:])):
        raise invalid_token()
    return found[1:]


def _can_be_a_parameter(value: Any) -> bool:
    """True for what a store takes: whoever changed a token is told so, and not that the service has failed."""
    return "\0" not in value if isinstance(value, str) else -(1 << 63) <= value < 1 << 63
