"""What hangs on an entity of IAM - a user, a group, a role ...: tags, inline policies, attached policies.

`kind` and `key` name the entity: ("role", its name in lower case). Every change tells all nodes that the entity is not
what it was.
"""

from collections.abc import Iterable

from cloudlet.iam.tables import changed
from cloudlet.store.base import Reader, Transaction

_CASELESS = frozenset({"user", "role"})
"""The kinds whose tags are told apart without regard to upper and lower case.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating
"""


def tag_key(kind: str, name: str) -> str:
    """The name of a tag as it is unique on an entity of this kind."""
    return name.lower() if kind in _CASELESS else name


def rename(tx: Transaction, account: str, kind: str, key: str, new_key: str) -> None:
    """Let all that hangs on an entity go with its new name."""
    for table in ("iam_tags", "iam_inline_policies", "iam_attachments"):
        tx.execute(
            f"UPDATE {table} SET entity_key = ? WHERE account = ? AND kind = ? AND entity_key = ?",
            (new_key, account, kind, key),
        )


def tags(
    reader: Reader, account: str, kind: str, key: str, after: str = "", limit: int = 1000
) -> list[tuple[str, str]]:
    """Up to `limit` tags, name and value, in the order of their keys (`tag_key`)."""
    rows = reader.query(
        "SELECT name, value FROM iam_tags WHERE account = ? AND kind = ? AND entity_key = ? AND tag_key > ? "
        "ORDER BY tag_key LIMIT ?",
        (account, kind, key, after, limit),
    )
    return [(str(name), str(value)) for name, value in rows]


def put_tags(tx: Transaction, account: str, kind: str, key: str, tags: Iterable[tuple[str, str]]) -> None:
    """Add tags; those of the same name are replaced."""
    tx.execute_many(
        "INSERT INTO iam_tags (account, kind, entity_key, tag_key, name, value) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, kind, entity_key, tag_key) DO UPDATE SET name = excluded.name, value = excluded.value",
        [(account, kind, key, tag_key(kind, name), name, value) for name, value in tags],
    )
    changed(tx, account, kind, key)


def delete_tags(tx: Transaction, account: str, kind: str, key: str, names: Iterable[str]) -> None:
    """Take tags away; those that are not there do not matter."""
    tx.execute_many(
        "DELETE FROM iam_tags WHERE account = ? AND kind = ? AND entity_key = ? AND tag_key = ?",
        [(account, kind, key, tag_key(kind, name)) for name in names],
    )
    changed(tx, account, kind, key)


def delete_all_tags(tx: Transaction, account: str, kind: str, key: str) -> None:
    """Take all tags away."""
    tx.execute("DELETE FROM iam_tags WHERE account = ? AND kind = ? AND entity_key = ?", (account, kind, key))


def inline_policy(reader: Reader, account: str, kind: str, key: str, name: str) -> tuple[str, str] | None:
    """The name and the document of an inline policy."""
    row = reader.one(
        "SELECT policy_name, document FROM iam_inline_policies "
        "WHERE account = ? AND kind = ? AND entity_key = ? AND policy_key = ?",
        (account, kind, key, name.lower()),
    )
    return None if row is None else (str(row[0]), str(row[1]))


def inline_policies(
    reader: Reader, account: str, kind: str, key: str, after: str = "", limit: int = 1000
) -> list[tuple[str, str]]:
    """Up to `limit` inline policies, name and document, in the order of their names in lower case."""
    rows = reader.query(
        "SELECT policy_name, document FROM iam_inline_policies "
        "WHERE account = ? AND kind = ? AND entity_key = ? AND policy_key > ? ORDER BY policy_key LIMIT ?",
        (account, kind, key, after, limit),
    )
    return [(str(name), str(document)) for name, document in rows]


def put_inline_policy(tx: Transaction, account: str, kind: str, key: str, name: str, document: str) -> None:
    """Keep an inline policy; one of the same name is replaced."""
    tx.execute(
        "INSERT INTO iam_inline_policies (account, kind, entity_key, policy_key, policy_name, document) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, kind, entity_key, policy_key) "
        "DO UPDATE SET document = excluded.document",
        (account, kind, key, name.lower(), name, document),
    )
    changed(tx, account, kind, key)


def delete_inline_policy(tx: Transaction, account: str, kind: str, key: str, name: str) -> bool:
    """Forget an inline policy; False when there is none of this name."""
    deleted = tx.execute(
        "DELETE FROM iam_inline_policies WHERE account = ? AND kind = ? AND entity_key = ? AND policy_key = ?",
        (account, kind, key, name.lower()),
    )
    changed(tx, account, kind, key)
    return deleted > 0


def attached(reader: Reader, account: str, kind: str, key: str, after: str = "", limit: int = 1000) -> list[str]:
    """Up to `limit` ARNs of the managed policies that are attached, in their order."""
    rows = reader.query(
        "SELECT policy_arn FROM iam_attachments WHERE account = ? AND kind = ? AND entity_key = ? AND policy_arn > ? "
        "ORDER BY policy_arn LIMIT ?",
        (account, kind, key, after, limit),
    )
    return [str(row[0]) for row in rows]


def attach(tx: Transaction, account: str, kind: str, key: str, policy_arn: str) -> None:
    """Attach a managed policy; nothing happens when it is attached already."""
    tx.execute(
        "INSERT INTO iam_attachments (account, kind, entity_key, policy_arn) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (account, kind, entity_key, policy_arn) DO NOTHING",
        (account, kind, key, policy_arn),
    )
    changed(tx, account, kind, key)


def detach(tx: Transaction, account: str, kind: str, key: str, policy_arn: str) -> bool:
    """Detach a managed policy; False when it was not attached."""
    deleted = tx.execute(
        "DELETE FROM iam_attachments WHERE account = ? AND kind = ? AND entity_key = ? AND policy_arn = ?",
        (account, kind, key, policy_arn),
    )
    changed(tx, account, kind, key)
    return deleted > 0


def attachment_counts(reader: Reader, account: str) -> dict[str, int]:
    """How many entities of an account each policy is attached to; policies without any are not in it."""
    rows = reader.query(
        "SELECT policy_arn, count(*) FROM iam_attachments WHERE account = ? GROUP BY policy_arn", (account,)
    )
    return {str(arn): int(count) for arn, count in rows}
