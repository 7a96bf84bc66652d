"""JSON Web Tokens are believed for a good signature by the right kind of key, and for nothing else."""

import json

import pytest

from cloudlet.services.sts.jwt import ALGORITHMS, MalformedJwt, read_jwt
from tests.support.issuer import encoded, jwk, make_key, make_token

CLAIMS = {"iss": "https://issuer.example", "sub": "me"}


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_token_is_verified_with_the_key_that_signed_it(algorithm: str) -> None:
    key = make_key(algorithm)
    token = read_jwt(make_token(key, algorithm, "one", CLAIMS))
    assert token.claims == CLAIMS
    assert token.is_signed_by([jwk(make_key(algorithm), algorithm, "one"), jwk(key, algorithm, "one")])
    assert not token.is_signed_by([jwk(make_key(algorithm), algorithm, "one")])


@pytest.mark.parametrize(
    "member", [{"kid": "two"}, {"alg": "PS256"}, {"use": "enc"}, {"kty": "EC"}, {"n": "?"}, {"n": 1}, {"e": ""}]
)
def test_a_key_for_something_else_verifies_nothing(member: dict[str, str]) -> None:
    key = make_key()
    token = read_jwt(make_token(key, "RS256", "one", CLAIMS))
    assert not token.is_signed_by([{**jwk(key, "RS256", "one"), **member}])


def test_a_changed_claim_ends_the_signature() -> None:
    key = make_key()
    head, _, signature = make_token(key, "RS256", "one", CLAIMS).split(".")
    forged = f"{head}.{encoded(json.dumps({**CLAIMS, 'sub': 'you'}).encode())}.{signature}"
    assert not read_jwt(forged).is_signed_by([jwk(key, "RS256", "one")])


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": None}, {"kid": 1}, {"crit": ["exp"]}])
def test_what_is_not_signed_with_a_known_algorithm_is_no_token(header: dict[str, object]) -> None:
    with pytest.raises(MalformedJwt):
        read_jwt(make_token(make_key(), "RS256", "one", CLAIMS, **header))


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "!.e30.e30", "W10.W10.", "e30.bm8.", "é.e30.e30"])
def test_what_is_not_of_the_form_is_no_token(text: str) -> None:
    with pytest.raises(MalformedJwt):
        read_jwt(text)
