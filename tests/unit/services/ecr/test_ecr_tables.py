"""Queries that are made for each image of a repository find their rows by an index, on SQLite too."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from cloudlet.services.ecr import tables
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Parameter, Reader, Row

KEY = Key("111111111111", "us-east-1", "app")


class Plans(Reader):
    """Answers nothing, and keeps how SQLite would have found it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    def query(self, sql: str, parameters: Sequence[Parameter] = ()) -> list[Row]:
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", tuple(parameters)).fetchall()
        self.plans += [row[3] for row in rows]
        return []

    def one(self, sql: str, parameters: Sequence[Parameter] = ()) -> Row | None:
        self.query(sql, parameters)
        return None


@pytest.fixture
def plans() -> Iterator[Plans]:
    connection = sqlite3.connect(":memory:")
    for migration in tables.MIGRATIONS:
        for statement in migration.statements:
            connection.execute(statement)
    yield Plans(connection)
    connection.close()


@pytest.mark.parametrize(
    ("ask", "found_by"),
    [
        (tables.tags_of, "digest=?"),
        (tables.is_needed, "target=?"),
        (tables.needed_by, "digest=?"),
        (tables.times, "digest=?"),
        (tables.tagged, "tag=?"),
    ],
)
def test_one_images_rows_are_found_by_an_index(plans: Plans, ask: Callable[..., Any], found_by: str) -> None:
    ask(plans, KEY, "x")
    [plan] = plans.plans
    assert plan.startswith("SEARCH")
    assert plan.endswith(f" AND {found_by})")


def test_referrers_are_found_by_an_index(plans: Plans) -> None:
    tables.referrers(plans, KEY, "x", "", 10)
    assert plans.plans == [
        "SEARCH ecr_images USING INDEX ecr_images_by_subject "
        "(account=? AND region=? AND repository=? AND subject=? AND digest>?)"
    ]
