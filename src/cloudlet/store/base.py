"""The store's contract. Both backends keep it; one suite of tests holds them to it.

State that must last is changed in one way: `await store.transact(fn)`. `fn(tx)` is a plain function: no awaits, no
effects but through `tx`, and it may be run again, in any thread. When `transact` returns, its changes are on disk;
when it raises, there are none.

Order: a transaction that began after another one's `transact` had returned comes after it. Of transactions that are
under way at the same time either may be the first; each sees the whole of the other or nothing of it.

SQL is the subset that SQLite and PostgreSQL share: `?` marks parameters; columns are BIGINT, DOUBLE PRECISION, TEXT or
BLOB (bytes), and take values of their own type only; `INSERT ... ON CONFLICT (...) DO UPDATE/NOTHING` and `RETURNING`
(by `query`) are there. Text is ordered by its bytes; LIKE minds upper and lower case and is given its ESCAPE. Text must
hold no NUL character (ValueError). A statement that fails ends its transaction, even when `fn` catches the error: where
a key may be there already and `fn` wants to go on, it says ON CONFLICT. Numbers of rows are limited by the caller.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from cloudlet.errors import CloudletError

T = TypeVar("T")
Row = tuple[Any, ...]
Parameter = str | int | float | bytes | None


class StoreError(CloudletError):
    """The store could not do its work."""


class StoreFull(StoreError):
    """No space is left for the store's data; nothing of the transaction was kept."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or is closed; nothing of the transaction was acknowledged."""


class StoreLocked(StoreError):
    """Another node uses this data folder."""


class StoreNewer(StoreError):
    """The store was made by a newer version of this program."""


class UniqueViolation(StoreError):
    """A row with this key is there already."""


class UnstorableText(ValueError):
    """A text with a NUL character, which no store takes."""


class Reader(Protocol):
    """Reads of one consistent state."""

    def query(self, sql: str, parameters: Sequence[Parameter] = ()) -> list[Row]:
        """All rows."""

    def one(self, sql: str, parameters: Sequence[Parameter] = ()) -> Row | None:
        """The first row, or None."""


class Transaction(Reader, Protocol):
    """Reads and changes that happen together or not at all."""

    skip_locked: str
    """Append to a SELECT to claim rows that no other transaction holds: `FOR UPDATE SKIP LOCKED` or empty."""

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        """Run one statement; the number of rows it changed. Raises UniqueViolation."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[Parameter]]) -> None:
        """Run one statement for each of `rows`."""

    def notify(self, channel: str, payload: str = "") -> None:
        """Once this is on disk, call all listeners of `channel`, on every node of this store. At most 4,000 bytes."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of a component's schema. Steps are never edited once released, only added."""

    number: int
    statements: tuple[str, ...]


class Store(Protocol):
    """Where everything that must last is kept."""

    shared: bool
    """True when other nodes may use the same data at the same time."""
    node: str
    """This node's name among them, which it keeps when it is started again on its data folder."""

    async def migrate(self, component: str, migrations: Sequence[Migration]) -> None:
        """Apply the steps of `component` (a service's or package's name) that this store has not seen, in order.

        Raises StoreNewer when the store has seen steps that the program does not have.
        """

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` atomically and durably; its result once that is on disk. What `fn` raises is raised, and undoes it.

        Raises StoreFull or StoreUnavailable. A caller that is cancelled may find its changes made or not.
        """

    async def read(self, fn: Callable[[Reader], T]) -> T:
        """Run `fn` on what is committed. Sees every transaction whose `transact` has returned."""

    def listen(self, channel: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call `listener(payload)` in the event loop for each notification; returns what ends it.

        Those of this node are never missed; those of other nodes may be, when a connection breaks: then each listener
        is called with an empty payload, which says: look for yourself.
        """

    async def reset(self) -> None:
        """Empty every table but the record of migrations."""

    async def close(self) -> None:
        """End all work; later calls raise StoreUnavailable."""
