"""STS as boto3 sees it: who calls, sessions of roles and what they inherit; held to AWS's recorded answers."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from tests.support.iam_world import ALLOW_ALL, policy, trust
from tests.support.issuer import make_key, running_issuer
from tests.support.nodes import MakeClient
from tests.support.recordings import Comparison, answer_of, recordings

RECORDED = recordings("sts")
OTHER_ACCOUNT = "222222222222"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

Json = dict[str, Any]
CreateRole = Callable[..., str]

needs_recordings = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")


@pytest.fixture
def sts(client: MakeClient) -> Any:
    """STS for root of the test's account."""
    return client("sts")


@pytest.fixture
def create_role(client: MakeClient, account: str) -> CreateRole:
    """Makes a role that trusts its account, or whom it is told; its ARN."""

    def create(name: str = "worker", trusted: Any = None, *actions: str, **extra: Any) -> str:
        options = {key: extra.pop(key) for key in ("MaxSessionDuration",) if key in extra}
        document = trust(trusted or {"AWS": account}, *actions, **extra)
        role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document, **options)["Role"]
        return str(role["Arn"])

    return create


@pytest.fixture
def as_session(client: MakeClient) -> Callable[..., Any]:
    """A client with the credentials of an answer."""

    def make(answer: Json, service: str = "sts") -> Any:
        credentials = answer["Credentials"]
        keys = credentials["AccessKeyId"], credentials["SecretAccessKey"]
        return client(service, keys=keys, token=credentials["SessionToken"])

    return make


def refusal(call: Callable[[], Any]) -> tuple[str, int, str]:
    """Code, status and message of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


# As recorded


@needs_recordings
def test_what_is_no_role_is_refused_as_recorded(sts: Any, create_role: CreateRole) -> None:
    recorded = RECORDED["TestSTSIntegrations::test_sts_invalid_parameters"]
    arns = {
        "malformed-arn": "nothing-valid-in-here",
        "no-partition": "arn::b:::something/test-role",
        "no-resource": "arn:a:a::aaaaaaaaaa:",
        "no-service": "arn:a::::something/test-role",
        "not-enough-colons": "arn:a:::something/test-role",
    }
    answers = {name: answer_of(sts.assume_role, RoleArn=arn, RoleSessionName="Session1") for name, arn in arns.items()}
    answers["invalid-session-name"] = answer_of(sts.assume_role, RoleArn=create_role(), RoleSessionName="Session1:2")
    assert answers.keys() == recorded.keys()
    for name, answer in answers.items():
        Comparison().check(recorded[name], answer)


@needs_recordings
def test_transitive_tags_cannot_be_overridden_as_recorded(
    client: MakeClient, sts: Any, create_role: CreateRole, as_session: Callable[..., Any]
) -> None:
    recorded = RECORDED["TestSTSAssumeRoleTagging::test_iam_role_chaining_override_transitive_tags"]
    first, second = (create_role(name, None, "sts:AssumeRole", "sts:TagSession") for name in ("first", "second"))
    client("iam").put_role_policy(RoleName="first", PolicyName="all", PolicyDocument=ALLOW_ALL)
    session = as_session(
        sts.assume_role(
            RoleArn=first,
            RoleSessionName="Session1",
            Tags=[{"Key": "SessionTag1", "Value": "1"}],
            TransitiveTagKeys=["SessionTag1"],
        )
    )
    for name, key in (
        ("override-transitive-tag-error", "SessionTag1"),
        ("override-transitive-tag-case-ignore-error", "sessiontag1"),
    ):
        tags = [{"Key": key, "Value": "2"}]
        answer = answer_of(session.assume_role, RoleArn=second, RoleSessionName="Session2", Tags=tags)
        Comparison().check(recorded[name], answer)


# Who calls


def test_root_is_told_apart_by_its_account(sts: Any, account: str) -> None:
    identity = sts.get_caller_identity()
    assert identity["UserId"] == identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:iam::{account}:root"


def test_a_session_is_its_role_and_its_name(
    sts: Any, create_role: CreateRole, as_session: Callable[..., Any], account: str
) -> None:
    answer = sts.assume_role(RoleArn=create_role(), RoleSessionName="me@home")
    assert "PackedPolicySize" not in answer
    identity = as_session(answer).get_caller_identity()
    assert identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/worker/me@home" == answer["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert identity["UserId"].endswith(":me@home")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_an_access_key_tells_its_account(sts: Any, create_role: CreateRole, account: str) -> None:
    key = sts.assume_role(RoleArn=create_role(), RoleSessionName="me")["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=key)["Account"] == account
    assert refusal(lambda: sts.get_access_key_info(AccessKeyId="AKIA!!!!!!!!!!!!!!!!"))[0] == "ValidationError"


# Assuming roles


def test_a_role_of_another_account_is_assumed_when_it_trusts_the_caller(
    client: MakeClient, create_role: CreateRole, as_session: Callable[..., Any], account: str
) -> None:
    arn = create_role("shared", {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})
    stranger = client("sts", account=OTHER_ACCOUNT)
    session = as_session(stranger.assume_role(RoleArn=arn, RoleSessionName="guest"))
    assert session.get_caller_identity()["Account"] == account
    assert refusal(lambda: client("sts").assume_role(RoleArn=arn, RoleSessionName="own"))[0] == "AccessDenied"


def test_who_is_not_trusted_and_what_is_not_there_look_the_same(
    sts: Any, create_role: CreateRole, account: str
) -> None:
    arn = create_role("worker", {"Service": "lambda.amazonaws.com"})
    for role in (arn, f"{arn}2"):
        assert refusal(lambda role=role: sts.assume_role(RoleArn=role, RoleSessionName="me")) == (  # type: ignore[misc]
            "AccessDenied",
            403,
            f"User: arn:aws:iam::{account}:root is not authorized to perform: sts:AssumeRole on resource: {role}",
        )


def test_an_external_id_is_asked_for(sts: Any, create_role: CreateRole) -> None:
    arn = create_role(Condition={"StringEquals": {"sts:ExternalId": "secret-1"}})
    assert sts.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="secret-1")
    for params in ({}, {"ExternalId": "secret-2"}):
        assert refusal(lambda params=params: sts.assume_role(RoleArn=arn, RoleSessionName="me", **params))[0] == (  # type: ignore[misc]
            "AccessDenied"
        )


def test_a_condition_that_cannot_be_evaluated_refuses(sts: Any, create_role: CreateRole) -> None:
    arn = create_role(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}})
    assert refusal(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="me"))[0] == "AccessDenied"


def test_only_the_role_that_is_trusted_assumes_the_next_one(
    sts: Any, create_role: CreateRole, as_session: Callable[..., Any]
) -> None:
    first = create_role("first")
    second = create_role("second", {"AWS": first})
    session = as_session(sts.assume_role(RoleArn=first, RoleSessionName="me"))
    assert session.assume_role(RoleArn=second, RoleSessionName="me")["AssumedRoleUser"]["Arn"].endswith("/second/me")
    assert refusal(lambda: sts.assume_role(RoleArn=second, RoleSessionName="me"))[0] == "AccessDenied"


@pytest.mark.parametrize(("duration_s", "is_taken"), [(900, True), (7200, True), (7201, False), (43200, False)])
def test_a_session_lasts_no_longer_than_its_role_allows(
    sts: Any, create_role: CreateRole, duration_s: int, *, is_taken: bool
) -> None:
    arn = create_role(MaxSessionDuration=7200)

    def assume() -> Json:
        return dict(sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=duration_s))

    if is_taken:
        assert assume()["Credentials"]["Expiration"]
    else:
        assert refusal(assume) == (
            "ValidationError",
            400,
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


@pytest.mark.parametrize("duration_s", [899, 43201])
def test_the_duration_has_limits(client: MakeClient, create_role: CreateRole, duration_s: int) -> None:
    sts = client("sts", parameter_validation=False)
    arn = create_role(MaxSessionDuration=43200)
    code, _, message = refusal(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=duration_s))
    assert code == "ValidationError"
    assert f"Value '{duration_s}' at 'durationSeconds' failed to satisfy constraint" in message


def test_a_chain_lasts_an_hour_at_most(
    client: MakeClient, sts: Any, create_role: CreateRole, as_session: Callable[..., Any]
) -> None:
    arn = create_role(MaxSessionDuration=43200)
    client("iam").put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=ALLOW_ALL)
    session = as_session(sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=43200))
    assert session.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=3600)
    assert refusal(lambda: session.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=3601)) == (
        "ValidationError",
        400,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    )


def test_a_sessions_end_goes_by_the_platforms_clock(
    sts: Any, create_role: CreateRole, as_session: Callable[..., Any], advance: Callable[[float], None]
) -> None:
    session = as_session(sts.assume_role(RoleArn=create_role(), RoleSessionName="me"))
    assert session.get_caller_identity()
    advance(3600)
    assert refusal(session.get_caller_identity) == (
        "ExpiredToken",
        403,
        "The security token included in the request is expired",
    )


def test_session_policies_are_checked_and_counted(sts: Any, create_role: CreateRole) -> None:
    arn = create_role()
    narrow = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="me", Policy=narrow, PolicyArns=[{"arn": BASIC}])
    assert 0 < answer["PackedPolicySize"] < 100

    def assume(**params: Any) -> tuple[str, int, str]:
        return refusal(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="me", **params))

    assert assume(Policy="{}")[:2] == ("MalformedPolicyDocument", 400)
    long = ALLOW_ALL.replace('"*"', f'"s3:{"x" * 2048}"', 1)
    assert assume(Policy=long)[:2] == ("PackedPolicyTooLarge", 400)
    assert assume(PolicyArns=[{"arn": BASIC + "2"}])[0] == "ValidationError"


def test_tags_need_the_trust_policys_word(sts: Any, create_role: CreateRole) -> None:
    tags = [{"Key": "Team", "Value": "blue"}]
    plain, tagging = create_role("plain"), create_role("tagging", None, "sts:AssumeRole", "sts:TagSession")
    message = refusal(lambda: sts.assume_role(RoleArn=plain, RoleSessionName="me", Tags=tags))[2]
    assert "is not authorized to perform: sts:TagSession on resource:" in message
    assert sts.assume_role(RoleArn=tagging, RoleSessionName="me", Tags=tags)["PackedPolicySize"] > 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]},
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        ({"TransitiveTagKeys": ["a"]}, "The specified transitive tag key must be included in the requested tags."),
    ],
)
def test_tags_have_to_fit(sts: Any, create_role: CreateRole, params: Json, message: str) -> None:
    arn = create_role("tagging", None, "sts:AssumeRole", "sts:TagSession")
    answer = refusal(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="me", **params))
    assert answer == ("InvalidParameterValue", 400, message)


def test_transitive_tags_and_the_source_identity_go_down_the_chain(
    sts: Any, create_role: CreateRole, as_session: Callable[..., Any]
) -> None:
    first = create_role("first", None, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    condition = {"StringEquals": {"aws:PrincipalTag/Team": "blue", "aws:SourceIdentity": "alice"}}
    second = create_role("second", {"AWS": first}, Condition=condition)
    third = create_role("third", {"AWS": second}, Condition=condition)
    answer = sts.assume_role(
        RoleArn=first,
        RoleSessionName="me",
        Tags=[{"Key": "Team", "Value": "blue"}, {"Key": "Stage", "Value": "test"}],
        TransitiveTagKeys=["Team"],
        SourceIdentity="alice",
    )
    assert answer["SourceIdentity"] == "alice"
    next_answer = as_session(answer).assume_role(RoleArn=second, RoleSessionName="me")
    assert next_answer["SourceIdentity"] == "alice"
    assert as_session(next_answer).assume_role(RoleArn=third, RoleSessionName="me")


def test_nobody_in_a_chain_changes_who_stands_behind_it(
    sts: Any, create_role: CreateRole, as_session: Callable[..., Any]
) -> None:
    first = create_role("first", None, "sts:AssumeRole", "sts:SetSourceIdentity")
    second = create_role("second", {"AWS": first}, "sts:AssumeRole", "sts:SetSourceIdentity")
    session = as_session(sts.assume_role(RoleArn=first, RoleSessionName="me", SourceIdentity="alice"))
    code, status, text = refusal(
        lambda: session.assume_role(RoleArn=second, RoleSessionName="me", SourceIdentity="mallory")
    )
    assert (code, status, "perform: sts:SetSourceIdentity on resource" in text) == ("AccessDenied", 403, True)


def test_multi_factor_authentication_is_not_pretended(sts: Any, create_role: CreateRole) -> None:
    answer = refusal(
        lambda: sts.assume_role(
            RoleArn=create_role(), RoleSessionName="me", SerialNumber="GAHT12345678", TokenCode="123456"
        )
    )
    assert answer == ("AccessDenied", 403, "MultiFactorAuthentication failed with invalid MFA one time pass code.")


def test_a_token_may_be_asked_to_be_long(sts: Any, create_role: CreateRole, as_session: Callable[..., Any]) -> None:
    answer = sts.assume_role(RoleArn=create_role(), RoleSessionName="me", MinimumSessionTokenSize=4000)
    assert 4000 <= len(answer["Credentials"]["SessionToken"]) == answer["SessionTokenSize"]
    assert as_session(answer).get_caller_identity()


# Federation


@needs_recordings
def test_a_federated_user_is_answered_as_recorded(sts: Any, account: str) -> None:
    recorded = json.dumps(RECORDED["TestSTSIntegrations::test_get_federation_token"]["get-federation-token"])
    answer = answer_of(sts.get_federation_token, Name="TestName", DurationSeconds=900)
    answer["Credentials"]["Expiration"] = str(answer["Credentials"]["Expiration"])
    Comparison().check(json.loads(recorded.replace("111111111111", account)), answer)


def test_who_may_federate_is_asked_by_name(
    sts: Any, create_role: CreateRole, as_session: Callable[..., Any], account: str
) -> None:
    session = as_session(sts.assume_role(RoleArn=create_role(), RoleSessionName="me"))
    text = refusal(lambda: session.get_federation_token(Name="bob"))[2]
    assert f"sts:GetFederationToken on resource: arn:aws:sts::{account}:federated-user/bob" in text


def test_an_identity_token_needs_no_signature(
    client: MakeClient, create_role: CreateRole, as_session: Callable[..., Any], account: str
) -> None:
    with running_issuer() as issuer:
        provider = client("iam").create_open_id_connect_provider(Url=issuer.url, ClientIDList=["app"])
        arn = create_role("web", {"Federated": provider["OpenIDConnectProviderArn"]}, "sts:AssumeRoleWithWebIdentity")
        now = int(time.time())
        claims = {"sub": "me", "aud": "app", "iat": now, "exp": now + 10 * 365 * 86400}
        sts = client("sts", signature_version=UNSIGNED)

        def assume(token: str) -> Any:
            return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="me", WebIdentityToken=token)

        identity = as_session(assume(issuer.token(claims))).get_caller_identity()
        assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/web/me"
        forged, old = issuer.token(claims, make_key()), issuer.token({**claims, "exp": now - 1})
        assert refusal(lambda: assume(forged))[:2] == ("InvalidIdentityToken", 400)
        assert refusal(lambda: assume(old))[:2] == ("ExpiredTokenException", 400)


# Session tokens


def test_root_gets_a_session_of_an_hour_at_most(sts: Any, as_session: Callable[..., Any], account: str) -> None:
    short, long = (sts.get_session_token(DurationSeconds=seconds)["Credentials"] for seconds in (900, 129600))
    assert 2600 < (long["Expiration"] - short["Expiration"]).total_seconds() <= 2701
    session = as_session({"Credentials": long})
    assert session.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    assert refusal(session.get_session_token) == (
        "AccessDenied",
        403,
        "Cannot call GetSessionToken with session credentials",
    )


@pytest.mark.parametrize("operation", ["get_session_token", "get_federation_token"])
def test_a_users_session_cannot_call_iam(client: MakeClient, as_session: Callable[..., Any], operation: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_request.html"""
    iam = client("iam")
    iam.create_user(UserName="alice")
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    sts = client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    given = {"Name": "bob", "Policy": json.dumps(everything)} if operation == "get_federation_token" else {}
    answer = getattr(sts, operation)(**given)
    assert as_session(answer, "logs").describe_log_groups()["logGroups"] == []
    assert refusal(as_session(answer, "iam").list_users) == (
        "InvalidClientTokenId",
        403,
        "The security token included in the request is invalid.",
    )


def test_forged_tokens_are_refused(client: MakeClient, sts: Any, create_role: CreateRole) -> None:
    arn = create_role()
    one, two = (sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"] for _ in range(2))
    keys = one["AccessKeyId"], one["SecretAccessKey"]
    sealed = bytearray(base64.b64decode(one["SessionToken"]))
    sealed[40] ^= 1
    forged = base64.b64encode(sealed).decode()
    for token in (None, two["SessionToken"], forged, "token"):
        answer = refusal(client("sts", keys=keys, token=token).get_caller_identity)
        assert answer == ("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
    wrong = client("sts", keys=(keys[0], two["SecretAccessKey"]), token=one["SessionToken"])
    assert refusal(wrong.get_caller_identity)[0] == "SignatureDoesNotMatch"
