"""SQS's resources: a queue comes by its URL, whose account owns it, by name, or by ARN.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
"""

import re
from functools import lru_cache

from cloudlet.iam.naming.base import NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader

_URL = re.compile(r"(?:[^/?#]*//[^/?#]*)?/(?:queue/)?(\d{12})/([A-Za-z0-9_.-]+)/?(?:[?#].*)?")
_CACHED_URL_CHARACTERS = 512
"""Longer ones are looked into each time, so that the cache's memory stays bounded."""


def queue_account(url: str) -> str:
    """The account in a queue's URL; empty where it names none."""
    return _cached_account(url) if len(url) <= _CACHED_URL_CHARACTERS else _account(url)


def _account(url: str) -> str:
    match = _URL.fullmatch(url)
    return match[1] if match else ""


_cached_account = lru_cache(maxsize=1024)(_account)


def sqs_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """The queue; else what the members tell."""
    if url := request.text("QueueUrl"):
        match = _URL.fullmatch(url)
        if match is None:
            return [(request.arn(url.rsplit("/", 1)[-1]),)]
        return [(f"arn:aws:sqs:{request.region}:{match[1]}:{match[2]}",)]
    if name := request.text("QueueName"):
        owner = request.text("QueueOwnerAWSAccountId") or request.principal.account
        return [(f"arn:aws:sqs:{request.region}:{owner}:{name}",)]
    return by_members(request, reader)
