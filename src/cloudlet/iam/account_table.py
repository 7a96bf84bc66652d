"""What belongs to an account as a whole: its alias, its password policy, its credential report."""

from cloudlet.store.base import Reader, Transaction

ALIAS = "alias"
PASSWORD_POLICY = "password-policy"
CREDENTIAL_REPORT = "credential-report"


def setting(reader: Reader, account: str, name: str) -> tuple[str, float] | None:
    """A setting of an account, and when it was made (seconds since the epoch, platform time)."""
    row = reader.one("SELECT value, changed FROM iam_account_settings WHERE account = ? AND name = ?", (account, name))
    return None if row is None else (str(row[0]), float(row[1]))


def put_setting(tx: Transaction, account: str, name: str, value: str, now: float) -> None:
    """Keep a setting of an account. Raises UniqueViolation for an alias that another account has."""
    tx.execute(
        "INSERT INTO iam_account_settings (account, name, value, changed) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (account, name) DO UPDATE SET value = excluded.value, changed = excluded.changed",
        (account, name, value, now),
    )


def delete_setting(tx: Transaction, account: str, name: str) -> bool:
    """Forget a setting of an account; False when there is none."""
    return tx.execute("DELETE FROM iam_account_settings WHERE account = ? AND name = ?", (account, name)) > 0


def delete_settings_before(tx: Transaction, account: str, prefix: str, moment: float) -> None:
    """Forget the settings whose names begin with `prefix` and that were made before `moment`."""
    tx.execute(
        "DELETE FROM iam_account_settings WHERE account = ? AND substr(name, 1, CAST(? AS INTEGER)) = ? "
        "AND changed < ?",
        (account, len(prefix), prefix, moment),
    )


def account_of_alias(reader: Reader, alias: str) -> str | None:
    """The account that has this alias."""
    row = reader.one("SELECT account FROM iam_account_settings WHERE value = ? AND name = 'alias'", (alias,))
    return None if row is None else str(row[0])


def policy_versions(reader: Reader, account: str) -> int:
    """How many versions the managed policies of an account have together."""
    row = reader.one("SELECT count(*) FROM iam_policy_versions WHERE account = ?", (account,))
    return int(row[0]) if row else 0
