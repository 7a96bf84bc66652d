"""What a node knows of the store's rows, so that a request need not read them.

What is kept is dropped as soon as any node changes it: the store tells, this node before the change is answered, others
at once after it. A value that was read while something changed is used once and not kept.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from cloudlet.store.base import Reader, Store

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class RowCache(Generic[KeyT, ValueT]):
    """Values by their keys, of which the oldest goes first: all together are at most `limit` large."""

    def __init__(
        self,
        store: Store,
        channel: str,
        limit: int,
        read: Callable[[Reader, KeyT], ValueT | None],
        key_of: Callable[[str], KeyT],
        is_kept: Callable[[ValueT], bool] = lambda _: True,
        size: Callable[[ValueT], int] = lambda _: 1,
    ) -> None:
        """`channel` carries the key of what has changed as a text (`key_of`), or an empty one: anything may have."""
        self._store = store
        self._limit = limit
        self._read = read
        self._key_of = key_of
        self._is_kept = is_kept
        self._size_of = size
        self._size = 0
        self._values: dict[KeyT, ValueT] = {}
        self._changes = 0
        self._end = store.listen(channel, self._changed)

    def close(self) -> None:
        """Listen no more."""
        self._end()

    def forget(self) -> None:
        """The store has been emptied, or changes were missed."""
        self._changes += 1
        self._size = 0
        self._values.clear()

    async def find(self, key: KeyT) -> ValueT | None:
        """The value, or None."""
        value = self._values.get(key)
        if value is not None:
            return value
        changes = self._changes
        value = await self._store.read(lambda reader: self._read(reader, key))
        if value is not None and changes == self._changes and self._is_kept(value):
            self._drop(key)  # somebody else may have read it too
            self._values[key] = value
            self._size += self._size_of(value)
            while self._size > self._limit:
                self._drop(next(iter(self._values)))
        return value

    def _drop(self, key: KeyT) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            self._size -= self._size_of(value)

    def _changed(self, payload: str) -> None:
        if not payload:
            self.forget()
            return
        self._changes += 1
        self._drop(self._key_of(payload))
