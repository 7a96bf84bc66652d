"""Parameters and answers as events hold them: CloudTrail's spelling, without secrets and without what is large.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_HIDDEN = frozenset(
    {"authtoken", "clientsecret", "newpassword", "oldpassword", "password", "plaintext", "privatekey"}
    | {"samlassertion", "secretbinary", "secretstring", "servicepassword", "sessiontoken", "webidentitytoken"}
)
"""Members whose values are not shown, in lower case."""
_LEFT_OUT = frozenset(
    {"secretaccesskey", "authorizationtoken", "layerpartblob", "zipfile", "payload", "base32stringseed", "qrcodepng"}
)
"""Members that are not there at all."""
_EMPTIED = frozenset({"environment"})
"""Members of which only is shown that they were there."""
_MAPS = frozenset({"tags", "attributes", "variables", "headers", "messageattributes", "expressionattributenames"})
"""Members whose own members are names that a user gave, which keep their spelling."""
MAX_TEXT = 8 * 1024
MAX_ITEMS = 200
MAX_DEPTH = 12


def shown(value: Any) -> Any:
    """`value` as an event holds it: a new value of JSON's types, bounded in size."""
    return _shown(value, 0, keeps_names=False)


def _shown(value: Any, depth: int, *, keeps_names: bool) -> Any:
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return dict(_members(value, depth, keeps_names))
    if isinstance(value, list | tuple):
        return [_shown(one, depth + 1, keeps_names=False) for one in value[:MAX_ITEMS]]
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}..."
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


def _members(values: Mapping[str, Any], depth: int, keeps_names: bool) -> Any:
    for number, (name, value) in enumerate(values.items()):
        folded = name.lower()
        if number >= MAX_ITEMS:
            return
        if folded in _LEFT_OUT or isinstance(value, bytes | bytearray) or hasattr(value, "__aiter__"):
            continue
        key = name if keeps_names else name[:1].lower() + name[1:]
        if folded in _HIDDEN:
            yield key, HIDDEN
        elif folded in _EMPTIED:
            yield key, {}
        else:
            yield key, _shown(value, depth + 1, keeps_names=folded in _MAPS)
