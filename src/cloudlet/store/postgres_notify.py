"""Notifications between nodes: PostgreSQL's LISTEN and NOTIFY.

A transaction's notifications are sent once it is committed, by a connection of their own, many at once: NOTIFY inside
the transactions would make them commit one after the other. What is lost with a connection is made good by telling
every listener to look for itself (an empty payload), on this node and on the others.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable

import psycopg

from cloudlet.store.listeners import Listeners
from cloudlet.store.postgres_connection import CONNECT_TIMEOUT_S

logger = logging.getLogger(__name__)

CHANNEL = "cloudlet"
MAX_PAYLOAD_BYTES = 7900
"""PostgreSQL takes fewer than 8,000 bytes. https://www.postgresql.org/docs/current/sql-notify.html"""
MAX_WAITING = 10_000
"""More are not kept while the database is away: others are told to look for themselves."""
RECONNECT_S = 0.5


class Notifier:
    """Carries notifications to other nodes and takes theirs."""

    def __init__(self, url: str, node: str, listeners: Listeners) -> None:
        """`node` tells this node's notifications, which its listeners have had already, from the others'."""
        self._url = url
        self._node = node
        self._listeners = listeners
        self._waiting: dict[tuple[str, str], None] = {}
        self._some_lost = False
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to send and to listen, in tasks that `stop` ends."""
        self._tasks = [asyncio.create_task(self._keep(self._send)), asyncio.create_task(self._keep(self._receive))]

    async def stop(self) -> None:
        """End both connections. What waits to be sent is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, notifications: Iterable[tuple[str, str]]) -> None:
        """Carry (channel, payload) pairs to the other nodes, soon."""
        self._waiting.update(dict.fromkeys(notifications))
        if len(self._waiting) > MAX_WAITING:
            self._waiting.clear()
            self._some_lost = True
        if self._waiting or self._some_lost:
            self._wake.set()

    async def _keep(self, work: Callable[[psycopg.AsyncConnection], Awaitable[None]]) -> None:
        """Do `work` with a connection, and with a new one when that is lost."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="cloudlet-notify"
                )
                async with connection:
                    await work(connection)
            except (psycopg.Error, OSError) as error:
                logger.warning("notifications are interrupted: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _send(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, some_lost = tuple(self._waiting), self._some_lost
            self._waiting.clear()
            self._some_lost = False
            try:
                for text in messages(self._node, batch, some_lost):
                    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))
            except BaseException:
                self._some_lost = some_lost
                self.send(batch)
                raise

    async def _receive(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self._listeners.call_all()
        async for notification in connection.notifies():
            self._take(notification.payload)

    def _take(self, text: str) -> None:
        try:
            node, pairs = json.loads(text)
            if node == self._node:
                return
            if pairs is None:
                self._listeners.call_all()
            else:
                self._listeners.call([(channel, payload) for channel, payload in pairs])
        except (ValueError, TypeError):
            logger.warning("a notification is not from Cloudlet: %.100s", text)


def messages(node: str, notifications: Iterable[tuple[str, str]], some_lost: bool = False) -> Iterable[str]:
    """The payloads that carry `notifications`, as few as fit; one without any pairs says that some are lost."""
    if some_lost:
        yield json.dumps([node, None])
    pairs: list[tuple[str, str]] = []
    size = room = MAX_PAYLOAD_BYTES - len(json.dumps([node, []]))
    for pair in notifications:
        length = len(json.dumps(pair, ensure_ascii=False).encode()) + 2
        if pairs and length > size:
            yield json.dumps([node, pairs], ensure_ascii=False)
            pairs, size = [], room
        pairs.append(pair)
        size -= length
    if pairs:
        yield json.dumps([node, pairs], ensure_ascii=False)
