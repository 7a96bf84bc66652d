"""What a function says of a batch that it could do in part: `{"batchItemFailures": [{"itemIdentifier": "id"}]}`.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

from collections.abc import Collection

import orjson


def failed(response: bytes, identifiers: Collection[str]) -> set[str]:
    """Which of a batch's `identifiers` have failed, by the function's response: all of them where it makes no sense.

    Nothing, null, an object without failures or with an empty list of them: all was done.
    """
    everything = set(identifiers)
    try:
        answer = orjson.loads(response) if response else None
    except orjson.JSONDecodeError:
        return everything
    if answer is None or answer in ({}, []):
        return set()
    if not isinstance(answer, dict):
        return everything
    entries = answer.get("batchItemFailures")
    if entries is None:
        return set()
    if not isinstance(entries, list):
        return everything
    found: set[str] = set()
    for entry in entries:
        identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or identifier not in everything:
            return everything
        found.add(identifier)
    return found
