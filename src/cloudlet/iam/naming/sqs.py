"""SQS's resources: a queue comes by its URL, whose account owns it, by name, or by ARN.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
"""

import re
from functools import lru_cache

from cloudlet.iam.naming.base import NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader

_URL = re.compile(r"(?:[^/?#]*//[^/?#]*)?/(?:queue/)?([0-9]{12})/([A-Za-z0-9_.-]+)/?(?:[?#].*)?", re.DOTALL)
_CACHED_URL_CHARACTERS = 512
"""Longer ones are looked into each time, so that the cache's memory stays bounded."""


def queue_of_url(url: str) -> tuple[str, str] | None:
    """The account and the name in a queue's URL, whatever its host; None for a text that is no such URL.

    Who decides and who serves both ask here: a URL that they read differently would be decided for one queue, and
    served from another.
    """
    return _cached_parts(url) if len(url) <= _CACHED_URL_CHARACTERS else _parts(url)


def _parts(url: str) -> tuple[str, str] | None:
    match = _URL.fullmatch(url)
    return (match[1], match[2]) if match else None


_cached_parts = lru_cache(maxsize=4096)(_parts)


def queue_account(url: str) -> str:
    """The account in a queue's URL; empty where it names none."""
    queue = queue_of_url(url)
    return queue[0] if queue else ""


def sqs_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """The queue; else what the members tell."""
    if url := request.text("QueueUrl"):
        queue = queue_of_url(url)
        if queue is None:
            return [(request.arn(url.rsplit("/", 1)[-1]),)]
        return [(f"arn:aws:sqs:{request.region}:{queue[0]}:{queue[1]}",)]
    if name := request.text("QueueName"):
        owner = request.text("QueueOwnerAWSAccountId") or request.principal.account
        return [(f"arn:aws:sqs:{request.region}:{owner}:{name}",)]
    return by_members(request, reader)
