"""Services assume roles through the dispatcher, as Lambda does for its functions."""

from pathlib import Path

import pytest

from cloudlet.errors import AccessDenied, ValidationError
from cloudlet.iam.principals import Principal
from tests.support.iam_world import ACCOUNT, ANYBODY_HERE, OTHER_ACCOUNT, IamWorld, iam_world, trust

LAMBDA = Principal.service("lambda.amazonaws.com", ACCOUNT)
EVENTS = Principal.service("events.amazonaws.com", ACCOUNT)
MISSING = f"arn:aws:iam::{ACCOUNT}:role/path/missing"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"


async def test_a_function_gets_its_role(world: IamWorld) -> None:
    arn = await world.create_role(trust_policy=trust({"Service": "lambda.amazonaws.com"}))
    answer = await world.assume(arn, LAMBDA, "function")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/function"
    principal = await world.bearer(answer["Credentials"])
    assert principal.role_arn == arn
    assert principal.kind == "assumed-role"
    assert principal.session_tags == ()


async def test_a_services_session_lasts_as_long_as_an_environment_does(world: IamWorld) -> None:
    arn = await world.create_role(trust_policy=trust({"Service": "lambda.amazonaws.com"}))
    answer = await world.assume(arn, LAMBDA)
    assert answer["Credentials"]["Expiration"].timestamp() - world.clock.now() == 12 * 3600


async def test_a_role_that_does_not_trust_lambda_is_refused(world: IamWorld) -> None:
    arn = await world.create_role(trust_policy=ANYBODY_HERE)
    with pytest.raises(AccessDenied, match=r"not authorized to perform: sts:AssumeRole on resource: arn"):
        await world.assume(arn, LAMBDA)


async def test_the_trust_policy_may_ask_which_function_it_is_for(world: IamWorld) -> None:
    condition = {"ArnEquals": {"aws:SourceArn": FUNCTION}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
    arn = await world.create_role(trust_policy=trust({"Service": "lambda.amazonaws.com"}, Condition=condition))
    params = {"RoleArn": arn, "RoleSessionName": "f1"}
    assert await world.call("sts", "AssumeRole", LAMBDA, FUNCTION, **params)
    with pytest.raises(AccessDenied):
        await world.call("sts", "AssumeRole", LAMBDA, FUNCTION + "2", **params)


async def test_in_dev_mode_lambda_may_assume_a_role_that_does_not_exist(world: IamWorld) -> None:
    first, second = [await world.assume(MISSING, LAMBDA, "function") for _ in range(2)]
    assert first["AssumedRoleUser"] == second["AssumedRoleUser"]
    assert first["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/missing/function"
    role_id, _, session = first["AssumedRoleUser"]["AssumedRoleId"].partition(":")
    assert (role_id[:4], len(role_id), session) == ("AROA", 21, "function")
    assert (await world.bearer(first["Credentials"])).role_arn == MISSING


@pytest.mark.parametrize(
    ("caller", "role_arn"),
    [
        (EVENTS, MISSING),
        (Principal.root(ACCOUNT), MISSING),
        (LAMBDA, MISSING.replace(ACCOUNT, OTHER_ACCOUNT)),
        (LAMBDA, f"arn:aws:iam::{ACCOUNT}:user/missing"),
        (LAMBDA, f"arn:aws:s3:::{ACCOUNT}/role/missing"),
    ],
)
async def test_others_may_not_and_not_elsewhere(world: IamWorld, caller: Principal, role_arn: str) -> None:
    with pytest.raises(AccessDenied):
        await world.assume(role_arn, caller)


async def test_nor_where_permissions_are_enforced(data_folder: Path) -> None:
    async with iam_world(data_folder, auth="enforced") as world:
        with pytest.raises(AccessDenied):
            await world.assume(MISSING, LAMBDA)


async def test_a_role_of_another_path_is_another_role(world: IamWorld) -> None:
    await world.create_role(Path="/app/", trust_policy=ANYBODY_HERE)
    with pytest.raises(AccessDenied):
        await world.assume(f"arn:aws:iam::{ACCOUNT}:role/worker")
    assert await world.assume(f"arn:aws:iam::{ACCOUNT}:role/app/worker")


async def test_a_services_session_is_limited_by_the_model_only(world: IamWorld) -> None:
    arn = await world.create_role(trust_policy=trust({"Service": "lambda.amazonaws.com"}))
    assert await world.assume(arn, LAMBDA, DurationSeconds=43200)
    with pytest.raises(ValidationError):
        await world.assume(arn, LAMBDA, DurationSeconds=43201)
