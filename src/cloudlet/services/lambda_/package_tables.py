"""The queries behind packages.py and code_urls.py. The tables themselves are among `tables.MIGRATIONS`."""

from cloudlet.store.base import Reader, Transaction


def insert_lease(tx: Transaction, account: str, region: str, lease_id: str, digest: str, expires_ms: int) -> None:
    tx.execute(
        "INSERT INTO lambda_leases (account, region, lease_id, digest, expires_ms) VALUES (?, ?, ?, ?, ?)",
        (account, region, lease_id, digest, expires_ms),
    )


def delete_lease(tx: Transaction, account: str, region: str, lease_id: str) -> None:
    tx.execute(
        "DELETE FROM lambda_leases WHERE account = ? AND region = ? AND lease_id = ?", (account, region, lease_id)
    )


def delete_expired_leases(tx: Transaction, now_ms: int) -> list[str]:
    """The packages whose leases have run out."""
    rows = tx.query("SELECT DISTINCT digest FROM lambda_leases WHERE expires_ms <= ?", (now_ms,))
    tx.execute("DELETE FROM lambda_leases WHERE expires_ms <= ?", (now_ms,))
    return [row[0] for row in rows]


def is_used(reader: Reader, digest: str) -> bool:
    """True while a version, a layer or an upload needs the package."""
    return any(
        reader.one(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", (digest,)) is not None
        for table, column in (
            ("lambda_versions", "code_digest"),
            ("lambda_versions", "serving_digest"),
            ("lambda_leases", "digest"),
            ("lambda_layer_versions", "digest"),
            ("lambda_layer_uses", "digest"),
        )
    )


def insert_garbage(tx: Transaction, digest: str) -> None:
    tx.execute(
        "INSERT INTO lambda_garbage (digest, claimed_ms) VALUES (?, 0) ON CONFLICT (digest) DO NOTHING", (digest,)
    )


def garbage(reader: Reader, digest: str) -> int | None:
    """When its deletion began (0 when it has not), or None when the package is no garbage."""
    row = reader.one("SELECT claimed_ms FROM lambda_garbage WHERE digest = ?", (digest,))
    return None if row is None else int(row[0])


def unclaimed_garbage(tx: Transaction, claimed_before_ms: int, limit: int) -> list[str]:
    rows = tx.query(
        f"SELECT digest FROM lambda_garbage WHERE claimed_ms <= ? LIMIT ? {tx.skip_locked}", (claimed_before_ms, limit)
    )
    return [row[0] for row in rows]


def claim_garbage(tx: Transaction, digest: str, now_ms: int) -> None:
    tx.execute("UPDATE lambda_garbage SET claimed_ms = ? WHERE digest = ?", (now_ms, digest))


def delete_garbage(tx: Transaction, digest: str) -> None:
    tx.execute("DELETE FROM lambda_garbage WHERE digest = ?", (digest,))


def put_secret(tx: Transaction, name: str, secret: bytes) -> bytes:
    """Keep `secret` under `name` unless there is one; the one that is kept."""
    tx.execute("INSERT INTO lambda_secrets (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, secret))
    [(kept,)] = tx.query("SELECT secret FROM lambda_secrets WHERE name = ?", (name,))
    return bytes(kept)
