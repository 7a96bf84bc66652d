"""ECR's tables, and each query by its name.

A repository's images are rows with their manifests; its layers are rows that point to parts in the image store. What an
image needs stands in `ecr_references`: layers (its configuration among them) and, of an index, other images. A layer
that no image of the repository needs has the time when it will be forgotten.
"""

from collections.abc import Iterable
from typing import NamedTuple

from cloudlet.store.base import Migration, Reader, Row, Transaction

MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE ecr_repositories (
                account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, created_ms BIGINT NOT NULL,
                settings TEXT NOT NULL, policy TEXT NOT NULL, lifecycle TEXT NOT NULL, lifecycle_ms BIGINT NOT NULL,
                tags TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
            """CREATE TABLE ecr_images (
                account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, digest TEXT NOT NULL,
                manifest BLOB NOT NULL, media_type TEXT NOT NULL, artifact_type TEXT NOT NULL, subject TEXT NOT NULL,
                size_bytes BIGINT NOT NULL, pushed_ms BIGINT NOT NULL, pulled_ms BIGINT NOT NULL,
                PRIMARY KEY (account, region, repository, digest))""",
            """CREATE TABLE ecr_tags (
                account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL,
                digest TEXT NOT NULL, PRIMARY KEY (account, region, repository, tag))""",
            "CREATE INDEX ecr_tags_by_digest ON ecr_tags (account, region, repository, digest)",
            """CREATE TABLE ecr_layers (
                account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, digest TEXT NOT NULL,
                size_bytes BIGINT NOT NULL, expires_ms BIGINT, PRIMARY KEY (account, region, repository, digest))""",
            "CREATE INDEX ecr_layers_expiring ON ecr_layers (expires_ms) WHERE expires_ms IS NOT NULL",
            """CREATE TABLE ecr_references (
                account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, digest TEXT NOT NULL,
                target TEXT NOT NULL, PRIMARY KEY (account, region, repository, digest, target))""",
            "CREATE INDEX ecr_references_by_target ON ecr_references (account, region, repository, target)",
        ),
    ),
    Migration(
        2,
        (
            "CREATE INDEX ecr_images_by_subject ON ecr_images (account, region, repository, subject, digest) "
            "WHERE subject <> ''",
        ),
    ),
)

_REPOSITORY = "account, region, name, created_ms, settings, policy, lifecycle, lifecycle_ms, tags"
_IMAGE = "digest, manifest, media_type, artifact_type, subject, size_bytes, pushed_ms, pulled_ms"
_SUMMARY = _IMAGE.replace(" manifest,", "")
_IN = "account = ? AND region = ? AND repository = ?"
_TAGS = (
    "(SELECT 1 FROM ecr_tags t WHERE t.account = ecr_images.account AND t.region = ecr_images.region "
    "AND t.repository = ecr_images.repository AND t.digest = ecr_images.digest)"
)
_BY_TAGS = {"ANY": "", "TAGGED": f"AND EXISTS {_TAGS}", "UNTAGGED": f"AND NOT EXISTS {_TAGS}"}
_THIS = "account = ? AND region = ? AND name = ?"


class Key(NamedTuple):
    """A repository."""

    account: str
    region: str
    name: str


# Repositories


def insert_repository(tx: Transaction, key: Key, created_ms: int, settings: str, tags: str) -> bool:
    """False when there is one of this name."""
    return bool(
        tx.execute(
            f"INSERT INTO ecr_repositories ({_REPOSITORY}) VALUES (?, ?, ?, ?, ?, '', '', 0, ?) "
            "ON CONFLICT (account, region, name) DO NOTHING",
            (*key, created_ms, settings, tags),
        )
    )


def repository(reader: Reader, key: Key) -> Row | None:
    return reader.one(f"SELECT {_REPOSITORY} FROM ecr_repositories WHERE {_THIS}", key)


def repositories(reader: Reader, account: str, region: str, after: str, limit: int) -> list[Row]:
    return reader.query(
        f"SELECT {_REPOSITORY} FROM ecr_repositories WHERE account = ? AND region = ? AND name > ? "
        "ORDER BY name LIMIT ?",
        (account, region, after, limit),
    )


def with_lifecycle(reader: Reader, before_ms: int, limit: int) -> list[Row]:
    """Repositories whose lifecycle policy was last applied before `before_ms`, the longest ago first."""
    return reader.query(
        f"SELECT {_REPOSITORY} FROM ecr_repositories WHERE lifecycle <> '' AND lifecycle_ms < ? "
        "ORDER BY lifecycle_ms, account, region, name LIMIT ?",
        (before_ms, limit),
    )


def set_column(tx: Transaction, key: Key, column: str, value: str) -> None:
    """`column` is one of `settings`, `policy`, `lifecycle`, `tags`."""
    assert column in ("settings", "policy", "lifecycle", "tags"), column
    tx.execute(f"UPDATE ecr_repositories SET {column} = ? WHERE {_THIS}", (value, *key))


def set_lifecycle_time(tx: Transaction, key: Key, moment_ms: int) -> None:
    tx.execute(f"UPDATE ecr_repositories SET lifecycle_ms = ? WHERE {_THIS}", (moment_ms, *key))


def delete_repository(tx: Transaction, key: Key) -> None:
    tx.execute(f"DELETE FROM ecr_repositories WHERE {_THIS}", key)
    for table in ("ecr_images", "ecr_tags", "ecr_layers", "ecr_references"):
        tx.execute(f"DELETE FROM {table} WHERE {_IN}", key)


# Images and their tags


def insert_image(tx: Transaction, key: Key, row: Row) -> None:
    """`row` in the order of `image`."""
    tx.execute(
        f"INSERT INTO ecr_images (account, region, repository, {_IMAGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, *row),
    )


def image(reader: Reader, key: Key, digest: str) -> Row | None:
    """(digest, manifest, media type, artifact type, subject, size in bytes, pushed, pulled)."""
    return reader.one(f"SELECT {_IMAGE} FROM ecr_images WHERE {_IN} AND digest = ?", (*key, digest))


def images(reader: Reader, key: Key, after: str, limit: int, wanted: str = "ANY") -> list[Row]:
    """As `image`, but for the manifest, which may be long. `wanted` is ANY, TAGGED or UNTAGGED."""
    return reader.query(
        f"SELECT {_SUMMARY} FROM ecr_images WHERE {_IN} AND digest > ? {_BY_TAGS[wanted]} ORDER BY digest LIMIT ?",
        (*key, after, limit),
    )


def image_times(reader: Reader, key: Key) -> list[Row]:
    """(digest, pushed, pulled) of all images."""
    return reader.query(f"SELECT digest, pushed_ms, pulled_ms FROM ecr_images WHERE {_IN}", key)


def times(reader: Reader, key: Key, digest: str) -> Row | None:
    """(pushed, pulled) of one image."""
    return reader.one(f"SELECT pushed_ms, pulled_ms FROM ecr_images WHERE {_IN} AND digest = ?", (*key, digest))


def referrers(reader: Reader, key: Key, subject: str, after: str, limit: int) -> list[Row]:
    """(digest, artifact type) of the images that are about the image `subject`, after the digest `after`."""
    return reader.query(
        f"SELECT digest, artifact_type FROM ecr_images WHERE {_IN} AND subject = ? AND digest > ? "
        "AND subject <> '' ORDER BY digest LIMIT ?",
        (*key, subject, after, limit),
    )


def has_images(reader: Reader, key: Key) -> bool:
    return reader.one(f"SELECT digest FROM ecr_images WHERE {_IN} LIMIT 1", key) is not None


def count_images(reader: Reader, key: Key) -> int:
    return int(reader.query(f"SELECT COUNT(*) FROM ecr_images WHERE {_IN}", key)[0][0])


def set_pulled(tx: Transaction, key: Key, digest: str, moment_ms: int) -> None:
    tx.execute(f"UPDATE ecr_images SET pulled_ms = ? WHERE {_IN} AND digest = ?", (moment_ms, *key, digest))


def delete_image(tx: Transaction, key: Key, digest: str) -> None:
    for table in ("ecr_images", "ecr_tags", "ecr_references"):
        tx.execute(f"DELETE FROM {table} WHERE {_IN} AND digest = ?", (*key, digest))


def put_tag(tx: Transaction, key: Key, tag: str, digest: str) -> None:
    tx.execute(
        "INSERT INTO ecr_tags (account, region, repository, tag, digest) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (account, region, repository, tag) DO UPDATE SET digest = excluded.digest",
        (*key, tag, digest),
    )


def tagged(reader: Reader, key: Key, tag: str) -> str | None:
    """The digest of a tag."""
    row = reader.one(f"SELECT digest FROM ecr_tags WHERE {_IN} AND tag = ?", (*key, tag))
    return row[0] if row is not None else None


def tags_of(reader: Reader, key: Key, digest: str) -> list[str]:
    # Sorted here: asked for an order, SQLite goes through all tags of the repository.
    rows = reader.query(f"SELECT tag FROM ecr_tags WHERE {_IN} AND digest = ?", (*key, digest))
    return sorted(row[0] for row in rows)


def tags_between(reader: Reader, key: Key, first: str, last: str) -> list[Row]:
    """(digest, tag) of the images from the digest `first` to `last`, in order."""
    return reader.query(
        f"SELECT digest, tag FROM ecr_tags WHERE {_IN} AND digest >= ? AND digest <= ? ORDER BY digest, tag",
        (*key, first, last),
    )


def count_tags(reader: Reader, key: Key, digest: str) -> int:
    return int(reader.query(f"SELECT COUNT(*) FROM ecr_tags WHERE {_IN} AND digest = ?", (*key, digest))[0][0])


def all_tags(reader: Reader, key: Key) -> list[Row]:
    """(tag, digest) of all tags."""
    return reader.query(f"SELECT tag, digest FROM ecr_tags WHERE {_IN} ORDER BY tag", key)


def delete_tag(tx: Transaction, key: Key, tag: str) -> None:
    tx.execute(f"DELETE FROM ecr_tags WHERE {_IN} AND tag = ?", (*key, tag))


# What images need


def insert_references(tx: Transaction, key: Key, digest: str, targets: Iterable[str]) -> None:
    tx.execute_many(
        "INSERT INTO ecr_references (account, region, repository, digest, target) VALUES (?, ?, ?, ?, ?)",
        [(*key, digest, target) for target in sorted(set(targets))],
    )


def needed_by(reader: Reader, key: Key, digest: str) -> list[str]:
    """What an image needs."""
    rows = reader.query(f"SELECT target FROM ecr_references WHERE {_IN} AND digest = ?", (*key, digest))
    return [row[0] for row in rows]


def needs(reader: Reader, key: Key, target: str) -> list[str]:
    """Some images that need the layer or image `target`. To know whether there are any, see `is_needed`."""
    rows = reader.query(
        f"SELECT digest FROM ecr_references WHERE {_IN} AND target = ? ORDER BY digest LIMIT 10", (*key, target)
    )
    return [row[0] for row in rows]


def is_needed(reader: Reader, key: Key, target: str) -> bool:
    """True while an image needs the layer or image `target`."""
    # Asked for a column, SQLite goes through all references of the repository.
    return reader.one(f"SELECT 1 FROM ecr_references WHERE {_IN} AND target = ? LIMIT 1", (*key, target)) is not None


# Layers


def put_layer(tx: Transaction, key: Key, digest: str, size_bytes: int, expires_ms: int) -> None:
    tx.execute(
        "INSERT INTO ecr_layers (account, region, repository, digest, size_bytes, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, repository, digest) "
        "DO UPDATE SET expires_ms = excluded.expires_ms WHERE ecr_layers.expires_ms IS NOT NULL",
        (*key, digest, size_bytes, expires_ms),
    )


def layer(reader: Reader, key: Key, digest: str, now_ms: int) -> Row | None:
    """(size in bytes, when it will be forgotten or None); None for one that is due to be forgotten."""
    return reader.one(
        f"SELECT size_bytes, expires_ms FROM ecr_layers WHERE {_IN} AND digest = ? "
        "AND (expires_ms IS NULL OR expires_ms > ?)",
        (*key, digest, now_ms),
    )


def set_layer_expiry(tx: Transaction, key: Key, digest: str, expires_ms: int | None) -> None:
    tx.execute(f"UPDATE ecr_layers SET expires_ms = ? WHERE {_IN} AND digest = ?", (expires_ms, *key, digest))


def expired_layers(reader: Reader, now_ms: int, limit: int) -> list[Row]:
    """(account, region, repository, digest)."""
    return reader.query(
        "SELECT account, region, repository, digest FROM ecr_layers WHERE expires_ms IS NOT NULL AND expires_ms <= ? "
        "ORDER BY expires_ms LIMIT ?",
        (now_ms, limit),
    )


def delete_layer(tx: Transaction, key: Key, digest: str) -> None:
    tx.execute(f"DELETE FROM ecr_layers WHERE {_IN} AND digest = ?", (*key, digest))
