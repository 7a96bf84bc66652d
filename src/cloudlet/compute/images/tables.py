"""The tables of parts of images, and each query by its name.

A part is kept once for all accounts; the account stands in the name of each of its users.
"""

from collections.abc import Sequence

from cloudlet.store.base import Migration, Reader, Transaction

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


def is_used(reader: Reader, digest: str) -> bool:
    """True while a user or a lease needs the part."""
    return any(
        reader.one(f"SELECT digest FROM {table} WHERE digest = ? LIMIT 1", (digest,)) is not None
        for table in ("image_uses", "image_leases")
    )


def insert_lease(tx: Transaction, lease_id: str, digest: str, expires_ms: int) -> None:
    tx.execute(
        "INSERT INTO image_leases (lease_id, digest, expires_ms) VALUES (?, ?, ?)", (lease_id, digest, expires_ms)
    )


def delete_lease(tx: Transaction, lease_id: str) -> None:
    tx.execute("DELETE FROM image_leases WHERE lease_id = ?", (lease_id,))


def delete_expired_leases(tx: Transaction, now_ms: int) -> list[str]:
    """Forget leases that have run out; their digests."""
    rows = tx.query("DELETE FROM image_leases WHERE expires_ms <= ? RETURNING digest", (now_ms,))
    return [row[0] for row in rows]


def insert_garbage(tx: Transaction, digest: str) -> None:
    tx.execute(
        "INSERT INTO image_garbage (digest, claimed_ms) VALUES (?, 0) ON CONFLICT (digest) DO NOTHING", (digest,)
    )


def delete_garbage(tx: Transaction, digest: str) -> None:
    tx.execute("DELETE FROM image_garbage WHERE digest = ?", (digest,))


def unclaim(tx: Transaction, digest: str) -> None:
    """The part has a user again, unless its deletion is under way."""
    tx.execute("DELETE FROM image_garbage WHERE digest = ? AND claimed_ms = 0", (digest,))


def is_claimed(reader: Reader, digest: str, since_ms: int) -> bool:
    """True while somebody deletes the part, who began after `since_ms`."""
    return (
        reader.one("SELECT digest FROM image_garbage WHERE digest = ? AND claimed_ms > ?", (digest, since_ms))
        is not None
    )


def unclaimed_garbage(tx: Transaction, before_ms: int, limit: int) -> list[str]:
    """What nobody deletes, or somebody who began before `before_ms` and must have died."""
    rows = tx.query(
        f"SELECT digest FROM image_garbage WHERE claimed_ms <= ? ORDER BY digest LIMIT ? {tx.skip_locked}",
        (before_ms, limit),
    )
    return [row[0] for row in rows]


def claim_garbage(tx: Transaction, digest: str, now_ms: int) -> None:
    tx.execute("UPDATE image_garbage SET claimed_ms = ? WHERE digest = ?", (now_ms, digest))
