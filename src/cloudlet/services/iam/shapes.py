"""How IAM writes things that many answers hold: documents, dates, tags, pages."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from cloudlet.errors import ValidationError

DEFAULT_PAGE = 100
Item = TypeVar("Item")


def encoded(document: str) -> str:
    """A policy document as IAM's answers hold it: URL-encoded as RFC 3986 says. The SDKs decode it."""
    return quote(document, safe="")


def moment(seconds: float) -> datetime:
    """A date of IAM: whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)


def tag_list(tags: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Tags as a list of keys and values."""
    return [{"Key": name, "Value": value} for name, value in tags]


def attached_list(arns: Sequence[str]) -> list[dict[str, str]]:
    """Managed policies that are attached to something."""
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]


def page_request(params: Mapping[str, Any]) -> tuple[str, int]:
    """Where a list goes on (empty for its start), and how many items a page of it has."""
    marker = params.get("Marker", "")
    try:
        after = base64.urlsafe_b64decode(marker.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise ValidationError("Invalid Marker.") from error
    return after, params.get("MaxItems", DEFAULT_PAGE)


def page(items: Sequence[Item], limit: int, key: Callable[[Item], str]) -> tuple[Sequence[Item], dict[str, Any]]:
    """The first `limit` of `items`, which hold one more when there are more, and what the answer says of the rest.

    `key` tells where the next page starts: after the last item of this one.
    """
    if len(items) <= limit:
        return items, {"IsTruncated": False}
    items = items[:limit]
    marker = base64.urlsafe_b64encode(key(items[-1]).encode()).decode()
    return items, {"IsTruncated": True, "Marker": marker}
