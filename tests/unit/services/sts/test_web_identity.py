"""Roles are assumed with identity tokens of providers that their account knows, and of nobody else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.principals import Principal
from cloudlet.services.sts.errors import (
    ExpiredToken,
    IdpCommunicationError,
    IdpRejectedClaim,
    InvalidIdentityToken,
)
from tests.support.iam_world import ACCOUNT, OTHER_ACCOUNT, IamWorld, trust
from tests.support.issuer import Issuer, jwk, make_key, running_issuer

ACTION = "sts:AssumeRoleWithWebIdentity"
CLIENT = "my-app"
Assume = Callable[..., Any]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
async def role_arn(world: IamWorld, issuer: Issuer) -> str:
    """A role that trusts who the issuer vouches for, for one client and one subject."""
    await world.call("iam", "CreateOpenIDConnectProvider", Url=issuer.url, ClientIDList=[CLIENT])
    condition = {"StringEquals": {f"{issuer.name}:aud": CLIENT, f"{issuer.name}:sub": "me"}}
    provider = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.name}"}
    actions = ACTION, "sts:TagSession", "sts:SetSourceIdentity"
    return await world.create_role(trust_policy=trust(provider, *actions, Condition=condition))


@pytest.fixture
def assume(world: IamWorld, role_arn: str) -> Assume:
    """AssumeRoleWithWebIdentity, called by nobody."""

    async def call(token: str, **params: Any) -> Any:
        nobody = Principal.anonymous("000000000000")
        given = {"RoleArn": role_arn, "RoleSessionName": "web", "WebIdentityToken": token, **params}
        return await world.call("sts", "AssumeRoleWithWebIdentity", nobody, **given)

    return call


@pytest.fixture
def claims(world: IamWorld) -> dict[str, Any]:
    now = int(world.clock.now())
    return {"sub": "me", "aud": CLIENT, "iat": now, "exp": now + 600}


async def test_a_token_gives_a_session_of_the_role(
    world: IamWorld, issuer: Issuer, assume: Assume, claims: dict[str, Any], role_arn: str
) -> None:
    answer = await assume(issuer.token(claims))
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/web"
    assert (answer["SubjectFromWebIdentityToken"], answer["Audience"]) == ("me", CLIENT)
    assert answer["Provider"] == issuer.url
    bearer = await world.bearer(answer["Credentials"])
    assert bearer.role_arn == role_arn
    keys = dict(bearer.federation)
    assert keys[f"{issuer.name}:sub"] == ("me",)
    assert keys["aws:federatedprovider"] == (f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.name}",)


async def test_the_issuer_is_asked_once(issuer: Issuer, assume: Assume, claims: dict[str, Any]) -> None:
    for _ in range(3):
        await assume(issuer.token(claims))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_new_key_of_the_issuer_is_found(
    world: IamWorld, issuer: Issuer, assume: Assume, claims: dict[str, Any]
) -> None:
    await assume(issuer.token(claims))
    key = make_key()
    issuer.publish(jwk(key, "RS256", "two"))
    with pytest.raises(InvalidIdentityToken, match="retrieve verification key"):
        await assume(issuer.token(claims, key, "two"))
    world.clock.advance(20)
    assert await assume(issuer.token(claims, key, "two"))
    with pytest.raises(InvalidIdentityToken, match="retrieve verification key"):
        await assume(issuer.token(claims))


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"sub": "you"}, AccessDenied, "^Not authorized to perform sts:AssumeRoleWithWebIdentity$"),
        ({"aud": "another"}, InvalidIdentityToken, "^Incorrect token audience$"),
        ({"azp": "another"}, InvalidIdentityToken, "^Incorrect token audience$"),
        ({"sub": None}, InvalidIdentityToken, "sub"),
        ({"exp": None}, InvalidIdentityToken, "exp"),
        ({"iat": None}, InvalidIdentityToken, "iat"),
        ({"iss": None}, InvalidIdentityToken, "iss"),
        ({"iss": "https://127.0.0.1:1"}, InvalidIdentityToken, "No OpenIDConnect provider found in your account for"),
        (
            {"exp": 1_000},
            ExpiredToken,
            r"^Token expired: current date/time \d+ must be before the expiration date/time",
        ),
        ({"nbf": 99_999_999_999}, IdpRejectedClaim, "not valid yet"),
        ({"iat": 99_999_999_999}, IdpRejectedClaim, "not valid yet"),
    ],
)
async def test_a_token_of_which_something_is_wrong_is_refused(
    issuer: Issuer,
    assume: Assume,
    claims: dict[str, Any],
    change: dict[str, Any],
    error: type[ServiceError],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        await assume(issuer.token({**claims, **change}))


async def test_one_of_several_audiences_is_enough(issuer: Issuer, assume: Assume, claims: dict[str, Any]) -> None:
    assert (await assume(issuer.token({**claims, "aud": ["another", CLIENT]})))["Audience"] == CLIENT
    assert (await assume(issuer.token({**claims, "aud": "another", "azp": CLIENT})))["Audience"] == CLIENT


async def test_who_has_not_the_issuers_key_is_refused(issuer: Issuer, assume: Assume, claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdentityToken, match="signature"):
        await assume(issuer.token(claims, make_key()))
    with pytest.raises(InvalidIdentityToken, match="not a valid JWT"):
        await assume("an-access-token")


async def test_the_token_may_bring_tags_and_a_source_identity(
    world: IamWorld, issuer: Issuer, assume: Assume, claims: dict[str, Any]
) -> None:
    tags = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
    more = {"https://aws.amazon.com/tags": tags, "https://aws.amazon.com/source_identity": "alice"}
    answer = await assume(issuer.token({**claims, **more}))
    bearer = await world.bearer(answer["Credentials"])
    assert (bearer.session_tags, bearer.transitive_tag_keys) == ((("team", "red"),), ("team",))
    assert answer["SourceIdentity"] == bearer.source_identity == "alice"


@pytest.mark.parametrize(
    "document",
    [{"issuer": "https://another.example", "jwks_uri": "https://another.example/keys"}, {}, [], b"{", None],
)
async def test_an_issuer_that_tells_no_keys_is_of_no_use(
    issuer: Issuer, assume: Assume, claims: dict[str, Any], document: Any
) -> None:
    issuer.documents["/.well-known/openid-configuration"] = document
    with pytest.raises(InvalidIdentityToken, match="Couldn't retrieve verification key from your identity provider"):
        await assume(issuer.token(claims))


async def test_an_issuer_that_does_not_answer_is_said_so(assume: Assume, issuer: Issuer, world: IamWorld) -> None:
    with running_issuer() as gone:
        pass
    await world.call("iam", "CreateOpenIDConnectProvider", Url=gone.url, ClientIDList=[CLIENT])
    with pytest.raises(IdpCommunicationError):
        await assume(gone.token({"sub": "me"}))


async def test_another_accounts_provider_means_nothing(
    world: IamWorld, issuer: Issuer, assume: Assume, claims: dict[str, Any]
) -> None:
    there = f"arn:aws:iam::{OTHER_ACCOUNT}:role/worker"
    with pytest.raises(InvalidIdentityToken, match="No OpenIDConnect provider found in your account"):
        await assume(issuer.token(claims), RoleArn=there)


async def test_a_role_that_does_not_exist_is_not_told_apart(
    issuer: Issuer, assume: Assume, claims: dict[str, Any]
) -> None:
    with pytest.raises(AccessDenied, match=f"^Not authorized to perform {ACTION}$"):
        await assume(issuer.token(claims), RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none")
