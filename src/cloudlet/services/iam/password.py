"""Passwords of users: hashed, and held to the account's password policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html
"""

import base64
import hashlib
import hmac
from typing import Any

from cloudlet.services.iam.errors import PasswordPolicyViolation

SYMBOLS = "!@#$%^&*()_+-=[]{}|'"
DEFAULT_MINIMUM_LENGTH = 8
"""Of an account without a password policy."""
SALT_BYTES = 16
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
_KINDS = (
    ("RequireUppercaseCharacters", "Password should have at least one uppercase letter", lambda c: "A" <= c <= "Z"),
    ("RequireLowercaseCharacters", "Password should have at least one lowercase letter", lambda c: "a" <= c <= "z"),
    ("RequireSymbols", "Password should have at least one symbol", lambda c: c in SYMBOLS),
    ("RequireNumbers", "Password should have at least one number", lambda c: "0" <= c <= "9"),
)


def hash_password(password: str, salt: bytes) -> str:
    """What is kept of a password. Takes tens of milliseconds: call it in a thread."""
    digest = hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT)
    return ".".join(base64.b64encode(part).decode() for part in (salt, digest))


def is_password(password: str, password_hash: str) -> bool:
    """True when `password_hash` is that of `password`. Takes tens of milliseconds: call it in a thread."""
    salt = base64.b64decode(password_hash.partition(".")[0])
    return hmac.compare_digest(hash_password(password, salt), password_hash)


def check_password(password: str, user_name: str, policy: dict[str, Any] | None) -> None:
    """Raise PasswordPolicyViolation unless an account's users may have this password; the policy is None for AWS's own.

    AWS's own wants eight characters of at least three of the four kinds, and not the user's name.
    """
    minimum = DEFAULT_MINIMUM_LENGTH if policy is None else policy["MinimumPasswordLength"]
    missing = [(name, text) for name, text, is_kind in _KINDS if not any(map(is_kind, password))]
    wanted = [text for name, text in missing if policy is not None and policy[name]]
    if len(password) < minimum:
        wanted.insert(0, f"Password should have a minimum length of {minimum}")
    if policy is None and len(missing) > 1:
        texts = ", ".join(text for _, text in missing)
        wanted.append(f"Password should meet {len(missing) - 1} more of the following requirements: {texts}")
    if policy is None and password.lower() == user_name.lower():
        wanted.append("Password should not be identical to the user name")
    if wanted:
        raise PasswordPolicyViolation(", ".join(wanted))
