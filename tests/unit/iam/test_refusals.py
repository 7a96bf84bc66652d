"""What a denied caller is told: by AWS's spelling, and nothing that is hidden."""

from pathlib import Path

import pytest

from cloudlet.errors import ServiceError
from cloudlet.iam.corrections import HIDDEN
from cloudlet.iam.enforce import PolicyAuthorizer, refusal_text
from cloudlet.iam.evaluate import Decision, Source
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.requirements import Requirement, action_of
from cloudlet.iam.unsigned import ANONYMOUS
from tests.support.iam_world import ACCOUNT, MODELS, OTHER_ACCOUNT, iam_world

USER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/u", "AIDAU")
QUEUE_URL = f"http://localhost/{OTHER_ACCOUNT}/q"


@pytest.mark.parametrize(
    ("action", "spoken"),
    [
        ("sqs:SendMessage", "sqs:sendmessage"),
        ("sns:Publish", "SNS:Publish"),
        ("logs:GetLogEvents", "logs:GetLogEvents"),
    ],
)
def test_services_spell_their_actions_in_their_own_way(action: str, spoken: str) -> None:
    text = refusal_text(USER, Requirement(action, ("arn:x",)), Decision(False, Source.IDENTITY))
    assert text == (
        f"User: {USER.arn} is not authorized to perform: {spoken} on resource: arn:x because no identity-based policy"
        f" allows the {spoken} action"
    )


async def _refusal(folder: Path, principal: Principal, service: str, operation: str, **params: str) -> ServiceError:
    async with iam_world(folder) as world:
        authorizer = PolicyAuthorizer(world.store, world.clock)
        context = RequestContext(principal, "us-east-1", "id", service, operation, endpoint="http://localhost")
        with pytest.raises(ServiceError) as raised:
            await authorizer.authorize(context, params)
        return raised.value


@pytest.mark.parametrize(
    ("service", "operation"), [(service, name) for service in sorted(ANONYMOUS) for name in sorted(ANONYMOUS[service])]
)
async def test_who_is_nobody_learns_nothing(data_folder: Path, service: str, operation: str) -> None:
    names = {"QueueUrl": QUEUE_URL, "TopicArn": f"arn:aws:sns:us-east-1:{OTHER_ACCOUNT}:t"}
    error = await _refusal(data_folder, Principal.anonymous(), service, operation, **names)
    code, text = {
        "sqs": ("AccessDeniedException", "Access to the resource http://localhost/ is denied."),
        "sns": ("MissingAuthenticationToken", "Request is missing Authentication Token"),
    }[service]
    assert (error.code, error.message, error.status) == (code, text, 403)


def test_what_anybody_may_ask_for_is_there_and_means_an_action() -> None:
    for service, names in ANONYMOUS.items():
        assert names <= MODELS.service(service).operation_names
        assert all(action_of(service, name) for name in names)


@pytest.mark.parametrize(("service", "operation"), sorted(HIDDEN))
async def test_anothers_resource_is_hidden(data_folder: Path, service: str, operation: str) -> None:
    code, text = HIDDEN[service, operation]
    theirs = {"QueueName": "q", "QueueOwnerAWSAccountId": OTHER_ACCOUNT}
    error = await _refusal(data_folder, USER, service, operation, **theirs)
    assert (error.code, error.message) == (code, text)
    error = await _refusal(data_folder / "own", USER, service, operation, QueueName="q")
    assert error.code == "AccessDeniedException"
