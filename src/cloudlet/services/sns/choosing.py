"""Who gets a message, found out without holding up the node.

Filter policies and messages can be made for each other, so that comparing them takes seconds: that is done in a thread.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cloudlet.services.sns import filtering
from cloudlet.services.sns.filtering import Rejection
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription

MUCH: Final = 50_000
"""Tests of values that take some milliseconds."""


Chosen = tuple[list[Subscription], list[Rejection]]
"""Subscriptions that are to get a message, and why others are not."""


class Chooser:
    """Asks the filter policies of subscriptions."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="filters")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def chosen(self, subscriptions: Sequence[Subscription], message: Message) -> Chosen:
        """Those subscriptions that are to get a message, and why the others are not."""
        if work(subscriptions, message) <= MUCH:
            return filtering.chosen(subscriptions, message)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, filtering.chosen, subscriptions, message)


def work(subscriptions: Sequence[Subscription], message: Message) -> int:
    """How much work it is at most, in tests."""
    found, in_attributes, in_texts = 0, -1, dict[str, int]()
    for subscription in subscriptions:
        if subscription.filter is None:
            continue
        if subscription.filters_body:
            text = message.text_for(subscription.protocol)
            if text not in in_texts:
                in_texts[text] = text.count(",") + 1
            values = in_texts[text]
        else:
            if in_attributes < 0:
                in_attributes = sum(each["Value"].count(",") + 1 for each in message.attributes.values())
            values = in_attributes
        found += subscription.filter.cost * values
    return found
