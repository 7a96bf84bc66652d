"""A process that writes to a store as fast as it can and says on its output what has been acknowledged.

usage: python chaos_writer.py DATA_FOLDER STORE_URL ROUND

Each transaction moves money between two accounts and writes three parts of one entry. Then a line `WRITER NUMBER` is
printed. It writes until it is killed.
"""

import asyncio
import functools
import itertools
import os
import sys
from pathlib import Path

from cloudlet.config import Config
from cloudlet.store.base import Migration, Reader, Store, Transaction
from cloudlet.store.open import open_store

WRITERS = 16
PARTS = 3
ACCOUNTS = 8
OPENING_BALANCE = 1000
MIGRATION = Migration(
    1,
    (
        "CREATE TABLE entry (round BIGINT, writer BIGINT, number BIGINT, part BIGINT, content BLOB,"
        " PRIMARY KEY (round, writer, number, part))",
        "CREATE TABLE balance (account BIGINT PRIMARY KEY, amount BIGINT NOT NULL)",
        *(
            f"INSERT INTO balance (account, amount) VALUES ({account}, {OPENING_BALANCE})"
            for account in range(ACCOUNTS)
        ),
    ),
)


def write(tx: Transaction, round_number: int, writer: int, number: int) -> None:
    """One transaction of several rows."""
    source, target = (writer + number) % ACCOUNTS, (writer + 2 * number + 1) % ACCOUNTS
    tx.execute("UPDATE balance SET amount = amount - 1 WHERE account = ?", (source,))
    for part in range(PARTS):
        content = f"{round_number}-{writer}-{number}-{part}".encode() * (100 if number % 7 == 0 else 1)
        tx.execute(
            "INSERT INTO entry (round, writer, number, part, content) VALUES (?, ?, ?, ?, ?)",
            (round_number, writer, number, part, content),
        )
    tx.execute("UPDATE balance SET amount = amount + 1 WHERE account = ?", (target,))


def check(reader: Reader, round_number: int, acknowledged: set[tuple[int, int]]) -> int:
    """The number of entries of a round. Raises AssertionError when one is lost or torn, or money was made."""
    counts = {
        (writer, number): parts
        for writer, number, parts in reader.query(
            "SELECT writer, number, COUNT(*) FROM entry WHERE round = ? GROUP BY writer, number", (round_number,)
        )
    }
    lost = acknowledged - counts.keys()
    assert not lost, f"acknowledged and lost: {sorted(lost)[:10]}"
    torn = [key for key, parts in counts.items() if parts != PARTS]
    assert not torn, f"only a part is there: {torn[:10]}"
    assert reader.one("SELECT SUM(amount) FROM balance") == (ACCOUNTS * OPENING_BALANCE,)
    return len(counts)


async def write_forever(store: Store, round_number: int, writer: int) -> None:
    """Write, and say so, until the end."""
    for number in itertools.count():
        await store.transact(functools.partial(write, round_number=round_number, writer=writer, number=number))
        os.write(1, f"{writer} {number}\n".encode())


async def main(folder: str, url: str, round_number: int) -> None:
    """Write with many writers at once."""
    store, _ = await open_store(Config(data=Path(folder), store=url))
    await store.migrate("chaos", [MIGRATION])
    async with asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(write_forever(store, round_number, writer))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
