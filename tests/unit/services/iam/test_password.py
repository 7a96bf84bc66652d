"""Passwords: how they are kept, and which may be."""

import pytest

from cloudlet.services.iam.errors import PasswordPolicyViolation
from cloudlet.services.iam.password import check_password, hash_password, is_password

POLICY = {
    "MinimumPasswordLength": 10,
    "RequireSymbols": True,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
}


def test_a_hash_tells_its_password_from_others() -> None:
    kept = hash_password("secret", b"salt" * 4)
    assert "secret" not in kept
    assert is_password("secret", kept)
    assert not is_password("Secret", kept)
    assert kept != hash_password("secret", b"tlas" * 4)


def test_a_password_needs_all_that_the_policy_wants() -> None:
    check_password("Abcdefg-12", "alice", POLICY)
    with pytest.raises(PasswordPolicyViolation) as raised:
        check_password("abcdefghij", "alice", POLICY)
    assert raised.value.message == (
        "Password should have at least one uppercase letter, Password should have at least one symbol, "
        "Password should have at least one number"
    )
    with pytest.raises(PasswordPolicyViolation, match="minimum length of 10"):
        check_password("Abcdef-12", "alice", POLICY)


@pytest.mark.parametrize("password", ["Abcdefg1", "abcdef-1", "ABCDEF-1", "Abcdefg-"])
def test_without_a_policy_three_kinds_of_characters_do(password: str) -> None:
    check_password(password, "alice", None)


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("Abcdef1", "Password should have a minimum length of 8"),
        (
            "abcdefg1",
            "Password should meet 1 more of the following requirements: Password should have at least one uppercase "
            "letter, Password should have at least one symbol",
        ),
        ("Alice-01", "Password should not be identical to the user name"),
    ],
)
def test_without_a_policy_awss_own_applies(password: str, text: str) -> None:
    with pytest.raises(PasswordPolicyViolation) as raised:
        check_password(password, "alice-01", None)
    assert raised.value.message == text
