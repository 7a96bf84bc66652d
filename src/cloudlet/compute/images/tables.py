"""The tables of parts of images, and each query by its name.

A part is kept once for all accounts; the account stands in the name of each of its users.
"""

from collections.abc import Sequence

from cloudlet.compute.keeping import KeptTables
from cloudlet.store.base import Migration, Transaction

COMPONENT = "images"
MIGRATIONS = (
    Migration(
        1,
        (
            "CREATE TABLE image_uses (user_name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (user_name, digest))",
            "CREATE INDEX image_uses_by_digest ON image_uses (digest)",
            """CREATE TABLE image_leases (lease_id TEXT NOT NULL, digest TEXT NOT NULL, expires_ms BIGINT NOT NULL,
                PRIMARY KEY (lease_id, digest))""",
            "CREATE INDEX image_leases_by_digest ON image_leases (digest)",
            "CREATE TABLE image_garbage (digest TEXT PRIMARY KEY, claimed_ms BIGINT NOT NULL)",
        ),
    ),
)

KEPT = KeptTables("image_leases", "image_garbage", (("image_uses", "digest"),), "image-garbage")


def insert_use(tx: Transaction, user: str, digest: str) -> None:
    tx.execute(
        "INSERT INTO image_uses (user_name, digest) VALUES (?, ?) ON CONFLICT (user_name, digest) DO NOTHING",
        (user, digest),
    )


def delete_uses(tx: Transaction, user: str, digests: Sequence[str] | None) -> list[str]:
    """End uses; the digests of those that there were."""
    if digests is None:
        rows = tx.query("DELETE FROM image_uses WHERE user_name = ? RETURNING digest", (user,))
        return [row[0] for row in rows]
    delete = "DELETE FROM image_uses WHERE user_name = ? AND digest = ?"
    return [digest for digest in digests if tx.execute(delete, (user, digest))]
