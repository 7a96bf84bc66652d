"""The queues that this node knows, so that a message need not read its queue's settings from the store.

A change is seen by all nodes at once (`row_cache.py`); AWS allows itself 60 seconds.
"""

from cloudlet.iam.principals import RequestContext
from cloudlet.services.row_cache import RowCache
from cloudlet.services.sqs import queue_tables
from cloudlet.services.sqs.errors import no_queue
from cloudlet.services.sqs.names import QueueKey, key_of_url
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Store, Transaction

CHANNEL = "sqs-queues"
"""Carries `account/region/name` of a queue that has changed."""
MAX_KNOWN = 10_000


def changed(tx: Transaction, key: QueueKey) -> None:
    """Tell every node that what it knows of a queue is old."""
    tx.notify(CHANNEL, "/".join(key))


class Queues(RowCache[QueueKey, Queue]):
    """Finds queues."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, CHANNEL, MAX_KNOWN, queue_tables.find, lambda text: QueueKey(*text.split("/", 2)))

    async def of_url(self, context: RequestContext, url: str) -> Queue:
        """The queue with this URL. Raises InvalidAddress, QueueDoesNotExist."""
        queue = await self.find(key_of_url(context, url))
        if queue is None:
            raise no_queue()
        return queue
