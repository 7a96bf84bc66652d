"""What a store refuses, whichever it is."""

from collections.abc import Sequence

from cloudlet.store.base import Parameter, UnstorableText

MAX_NOTIFICATION_BYTES = 4000


def check_parameters(sql: str, parameters: Sequence[Parameter]) -> None:
    """Raises UnstorableText for text with a NUL character, which PostgreSQL cannot keep."""
    for parameter in parameters:
        if type(parameter) is str and "\0" in parameter:
            raise UnstorableText(f"text with a NUL character cannot be stored: {sql}")


def check_notification(channel: str, payload: str) -> None:
    """Raises ValueError for a notification that PostgreSQL would not carry."""
    if len(payload) * 4 > MAX_NOTIFICATION_BYTES and len(payload.encode()) > MAX_NOTIFICATION_BYTES:
        raise ValueError(f"a notification of {channel} has more than {MAX_NOTIFICATION_BYTES} bytes")
    if "\0" in payload:
        raise UnstorableText(f"a notification of {channel} has a NUL character")
