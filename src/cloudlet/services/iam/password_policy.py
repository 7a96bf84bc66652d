"""The account's password policy.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html
"""

from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.iam import account_table
from cloudlet.iam.account_table import PASSWORD_POLICY
from cloudlet.services.iam.errors import NoSuchEntity
from cloudlet.store.base import Reader, Transaction

_DEFAULTS: dict[str, Any] = {
    "MinimumPasswordLength": 6,
    "RequireSymbols": False,
    "RequireNumbers": False,
    "RequireUppercaseCharacters": False,
    "RequireLowercaseCharacters": False,
    "AllowUsersToChangePassword": False,
}
"""What an update that leaves a member out sets it to."""


def find(reader: Reader, account: str) -> dict[str, Any] | None:
    """The account's password policy; None when AWS's own applies."""
    found = account_table.setting(reader, account, PASSWORD_POLICY)
    policy: dict[str, Any] | None = None if found is None else orjson.loads(found[0])
    return policy


def get(reader: Reader, account: str) -> dict[str, Any]:
    """The account's password policy as answers have it. Raises NoSuchEntity."""
    policy = find(reader, account)
    if policy is None:
        raise NoSuchEntity(f"The Password Policy with domain name {account} cannot be found.")
    return policy | {"ExpirePasswords": policy.get("MaxPasswordAge", 0) > 0}


def put(tx: Transaction, account: str, params: Mapping[str, Any], now: float) -> None:
    """Set the account's password policy."""
    account_table.put_setting(tx, account, PASSWORD_POLICY, orjson.dumps(_DEFAULTS | dict(params)).decode(), now)


def delete(tx: Transaction, account: str) -> None:
    """Let AWS's own policy apply. Raises NoSuchEntity."""
    if not account_table.delete_setting(tx, account, PASSWORD_POLICY):
        raise NoSuchEntity("The account policy with name PasswordPolicy cannot be found.")
