"""Schemas in numbered steps, applied once each and recorded in the table `schema_migrations`."""

from collections.abc import Sequence

from cloudlet.store.base import Migration, StoreNewer, Transaction

TABLE = "schema_migrations"
CREATE_TABLE = f"CREATE TABLE IF NOT EXISTS {TABLE} (component TEXT, number BIGINT, PRIMARY KEY (component, number))"


def pending(tx: Transaction, component: str, migrations: Sequence[Migration]) -> list[Migration]:
    """The steps that are not recorded, in order.

    Raises StoreNewer when a step is recorded that the program does not have, ValueError when the steps are not
    numbered 1, 2, 3 ...
    """
    if [step.number for step in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError(f"the migrations of {component} are not numbered 1, 2, 3 ...")
    row = tx.one(f"SELECT MAX(number) FROM {TABLE} WHERE component = ?", (component,))
    applied = int(row[0]) if row and row[0] is not None else 0
    if applied > len(migrations):
        raise StoreNewer(
            f"the database has step {applied} of {component}, this program knows {len(migrations)}:"
            " it was made by a newer version of Cloudlet; use that version"
        )
    return list(migrations[applied:])


def record(tx: Transaction, component: str, step: Migration) -> None:
    """Write down that `step` is applied."""
    tx.execute(f"INSERT INTO {TABLE} (component, number) VALUES (?, ?)", (component, step.number))
