"""A node's process is killed while it writes: what was acknowledged is there, the rest is whole or absent."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from cloudlet.config import Config
from cloudlet.store.open import open_store
from tests.support import chaos_writer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

ROUNDS = 25


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_what_was_acknowledged_survives_sigkill(
    backend: str, stores: tuple[str, ...], data_folder: Path, request: pytest.FixtureRequest
) -> None:
    if backend not in stores:
        pytest.skip("left out by --stores")
    url = request.getfixturevalue("postgres_url") if backend == "postgresql" else ""
    dice = random.Random(20)
    for round_number in range(ROUNDS):
        acknowledged = write_and_kill(data_folder, url, round_number, dice.choice([1, 10, 100, 1000]))
        store, _ = await open_store(Config(data=data_folder, store=url))
        try:
            there = await store.read(lambda reader: chaos_writer.check(reader, round_number, acknowledged))  # noqa: B023
            # At most one transaction of each writer was under way.
            assert len(acknowledged) <= there <= len(acknowledged) + chaos_writer.WRITERS
        finally:
            await store.close()


def write_and_kill(folder: Path, url: str, round_number: int, after: int) -> set[tuple[int, int]]:
    """Let a process write, kill it once it has acknowledged `after` transactions; all that it has acknowledged."""
    process = subprocess.Popen(
        [sys.executable, chaos_writer.__file__, folder, url, str(round_number)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout as output:
        lines = [output.readline() for _ in range(after)]
        process.kill()
        lines += output.readlines()
    assert process.wait() == -9, "the writer ended by itself"
    return {(int(writer), int(number)) for writer, number in (line.split() for line in lines)}
