"""How queues are called: names, URLs, ARNs.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from cloudlet.arn import Arn
from cloudlet.iam.principals import RequestContext
from cloudlet.services.sqs.errors import InvalidAddress, invalid

FIFO_SUFFIX = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
_PATH = re.compile(r"/(?:queue/)?(\d{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)/?")
_CACHED_URL_CHARACTERS = 512
"""Longer ones are taken apart each time, so that the cache's memory stays bounded."""


class QueueKey(NamedTuple):
    """What names a queue, in the order of the tables' keys."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    def url(self, endpoint: str) -> str:
        """The queue's URL for a client that knows the node as `endpoint`."""
        return f"{endpoint}/{self.account}/{self.name}"


def check_name(name: str, *, is_fifo: bool) -> None:
    """Raises InvalidParameterValue for a name that no queue can have."""
    if is_fifo and not _FIFO_NAME.fullmatch(name):
        raise invalid(
            name,
            "QueueName",
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with"
            " .fifo suffix and be 1 to 80 in length.",
        )
    if not is_fifo and not _NAME.fullmatch(name):
        raise invalid(
            name,
            "QueueName",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )


def account_and_name(url: str) -> tuple[str, str]:
    """The account and the name in a queue's URL, whatever its host. Raises InvalidAddress."""
    return _cached_parts(url) if len(url) <= _CACHED_URL_CHARACTERS else _parts(url)


def _parts(url: str) -> tuple[str, str]:
    try:
        match = _PATH.fullmatch(urlsplit(url).path)
    except ValueError:
        match = None
    if match is None:
        raise InvalidAddress(f"The address {url} is not valid for this endpoint.")
    return match[1], match[2]


_cached_parts = lru_cache(maxsize=4096)(_parts)


def key_of_url(context: RequestContext, url: str) -> QueueKey:
    """The queue that a URL means to this caller. A bare name means a queue of the caller's. Raises InvalidAddress."""
    if "/" not in url and (_NAME.fullmatch(url) or _FIFO_NAME.fullmatch(url)):
        return QueueKey(context.account, context.region, url)
    account, name = account_and_name(url)
    return QueueKey(account, context.region, name)


def key_of_arn(text: str) -> QueueKey | None:
    """The queue that an ARN names; None when it names none."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    if arn.service != "sqs" or not (_NAME.fullmatch(arn.resource) or _FIFO_NAME.fullmatch(arn.resource)):
        return None
    return QueueKey(arn.account, arn.region, arn.resource)
