"""Errors as runtimes post them to the Runtime API: what of them is for the caller."""

import base64
import binascii

import orjson


def without_cause(payload: bytes) -> bytes:
    """The part for the caller of an error that was posted with its cause for X-Ray."""
    try:
        error = orjson.loads(payload)
        return orjson.dumps(
            {name: error[name] for name in ("errorMessage", "errorType", "stackTrace") if name in error}
        )
    except (orjson.JSONDecodeError, TypeError):
        return b'"Invalid error body"'


def trailing_error(error_type: bytes, error_body: bytes) -> bytes:
    """The error of a stream that broke off: its body in base64, or its type where there is none that can be read."""
    try:
        return base64.b64decode(error_body, validate=True)
    except binascii.Error:
        return orjson.dumps({"errorType": error_type.decode("latin-1"), "errorMessage": ""})
