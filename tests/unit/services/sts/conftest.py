"""A world of IAM for the tests of its parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.iam_world import IamWorld, iam_world


@pytest.fixture
async def world(data_folder: Path) -> AsyncIterator[IamWorld]:
    """IAM and STS of a node in dev mode."""
    async with iam_world(data_folder) as made:
        yield made
