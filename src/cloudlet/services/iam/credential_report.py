"""The credential report: every user of an account, and what each has to show who it is, as CSV.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
"""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cloudlet.iam import access_key_table, login_table, user_credential_table, user_table
from cloudlet.iam.user_table import User
from cloudlet.services.iam import limits, password_policy
from cloudlet.services.iam.user_credential import SIGNING_CERTIFICATE
from cloudlet.store.base import Reader

VALID_S = 4 * 3600
"""How long a report is the one that is given; no new one is made before."""
_KEY_FIELDS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
FIELDS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    *(f"access_key_{number}_{field}" for number in (1, 2) for field in _KEY_FIELDS),
    *(f"cert_{number}_{field}" for number in (1, 2) for field in ("active", "last_rotated")),
)
_NONE = "N/A"


def report(reader: Reader, account: str, now: float) -> str:
    """The report of an account as it is now."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerow(_root_row(reader, account, now))
    policy = password_policy.find(reader, account)
    for user in user_table.page(reader, account, "/", "", limits.USERS_PER_ACCOUNT):
        writer.writerow(_user_row(reader, user, policy))
    return out.getvalue().removesuffix("\n")


def _root_row(reader: Reader, account: str, now: float) -> list[str]:
    keys = access_key_table.of_user(reader, account, "")
    created = keys[0].created if keys else now
    return [
        "<root_account>",
        f"arn:aws:iam::{account}:root",
        _date(created),
        "not_supported",
        "no_information",
        "not_supported",
        "not_supported",
        "false",
        *_keys_and_certificates(reader, account, ""),
    ]


def _user_row(reader: Reader, user: User, policy: dict[str, Any] | None) -> list[str]:
    profile = login_table.find(reader, user.account, user.key)
    max_age_days = (policy or {}).get("MaxPasswordAge", 0)
    if profile is None:
        password = ["false", _NONE, _NONE, _NONE]
    else:
        rotation = _date(profile.changed + max_age_days * 86400) if max_age_days else _NONE
        password = ["true", "no_information", _date(profile.changed), rotation]
    rest = _keys_and_certificates(reader, user.account, user.key)
    return [user.name, user.arn, _date(user.created), *password, "false", *rest]


def _keys_and_certificates(reader: Reader, account: str, user_key: str) -> Iterator[str]:
    keys = access_key_table.of_user(reader, account, user_key)[:2]
    for key in keys:
        yield from (_flag(key.status), _date(key.created))
        use = access_key_table.last_use(reader, key.access_key_id)
        yield from (_NONE, _NONE, _NONE) if use is None else (_date(use.used), use.region, use.service)
    for _ in range(2 - len(keys)):
        yield from ("false", *[_NONE] * (len(_KEY_FIELDS) - 1))
    certificates = user_credential_table.of_user(reader, account, user_key, SIGNING_CERTIFICATE)[:2]
    for certificate in certificates:
        yield from (_flag(certificate.status), _date(certificate.created))
    for _ in range(2 - len(certificates)):
        yield from ("false", _NONE)


def _flag(status: str) -> str:
    return "true" if status == "Active" else "false"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
