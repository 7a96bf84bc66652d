"""The queues that this node knows, so that a message need not read its queue's settings from the store.

What is kept is dropped as soon as any node changes the queue: the store tells, this node before the change is answered,
others at once after it. AWS allows itself 60 seconds.
"""

from cloudlet.iam.principals import RequestContext
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


class Queues:
    """Finds queues."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[QueueKey, Queue] = {}
        self._changes = 0
        self._end = store.listen(CHANNEL, self._changed)

    def close(self) -> None:
        """Listen no more."""
        self._end()

    def forget(self) -> None:
        """The store has been emptied, or changes were missed."""
        self._changes += 1
        self._known.clear()

    async def of_url(self, context: RequestContext, url: str) -> Queue:
        """The queue with this URL. Raises InvalidAddress, QueueDoesNotExist."""
        queue = await self.find(key_of_url(context, url))
        if queue is None:
            raise no_queue()
        return queue

    async def find(self, key: QueueKey) -> Queue | None:
        """The queue, or None."""
        queue = self._known.get(key)
        if queue is not None:
            return queue
        changes = self._changes
        queue = await self._store.read(lambda reader: queue_tables.find(reader, key))
        if queue is not None and changes == self._changes:
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[key] = queue
        return queue

    def _changed(self, payload: str) -> None:
        if not payload:
            self.forget()
            return
        self._changes += 1
        self._known.pop(QueueKey(*payload.split("/", 2)), None)
