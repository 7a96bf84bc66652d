"""The queue's policy, statement by statement. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sqs import policies
from cloudlet.services.sqs.errors import invalid, missing
from cloudlet.services.sqs.operations.queues import QueueOperations
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as types

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_SHARED: Final = frozenset(
    (
        "*",
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
    )
)
"""What others may be allowed; the rest is the owner's."""
_OWNERS: Final = frozenset(
    (
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    )
)


class PermissionOperations(QueueOperations):
    """AddPermission and RemovePermission."""

    @operation("AddPermission")
    async def add_permission(self, context: RequestContext, params: "types.AddPermissionRequestTypeDef") -> Result:
        label, accounts, actions = params["Label"], list(params["AWSAccountIds"]), list(params["Actions"])
        if not _LABEL.fullmatch(label):
            raise invalid(label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")  # fmt: skip # noqa: E501
        principals = [f"arn:aws:iam::{each}:root" for each in dict.fromkeys(accounts) if _ACCOUNT.fullmatch(each)]
        if not principals:
            raise invalid(f"[{', '.join(accounts)}]", "PrincipalId", "Unable to verify.")
        if not actions:
            raise missing("Actions")
        if len(actions) > policies.MAX_ACTIONS:
            raise policies.too_many(len(actions), policies.MAX_ACTIONS, "Actions")
        for action in actions:
            _check_action(action)
        named = [f"SQS:{action}" for action in dict.fromkeys(actions)]

        def change(_tx: Transaction, queue: Queue) -> Queue:
            policy = _policy(queue)
            if any(statement.get("Sid") == label for statement in policy["Statement"]):
                raise invalid(label, "Label", "Already exists.")
            statement = {
                "Sid": label,
                "Effect": "Allow",
                "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
                "Action": named[0] if len(named) == 1 else named,
                "Resource": queue.key.arn,
            }
            policy["Statement"].append(statement)
            return self._with_policy(queue, policy)

        await self.change_queue(context, params, change)
        return {}

    @operation("RemovePermission")
    async def remove_permission(
        self, context: RequestContext, params: "types.RemovePermissionRequestTypeDef"
    ) -> Result:
        label = params["Label"]

        def change(_tx: Transaction, queue: Queue) -> Queue:
            policy = _policy(queue)
            kept = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
            if len(kept) == len(policy["Statement"]):
                raise invalid(label, "Label", "can't find label.")
            policy["Statement"] = kept
            return self._with_policy(queue, policy)

        await self.change_queue(context, params, change)
        return {}

    def _with_policy(self, queue: Queue, policy: dict[str, Any]) -> Queue:
        settings = {name: value for name, value in queue.attributes.items() if name != "Policy"}
        if policy["Statement"]:
            settings["Policy"] = orjson.dumps(policy).decode()
            policies.check(settings["Policy"])
        return replace(queue, attributes=settings, modified_ms=self.exchange.now_ms())


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.attributes.get("Policy")
    if not text:
        return {"Version": "2012-10-17", "Id": f"{queue.key.arn}/SQSDefaultPolicy", "Statement": []}
    policy: dict[str, Any] = orjson.loads(text)
    policy["Statement"] = policies.statements_of(policy)
    return policy


def _check_action(action: str) -> None:
    if action in _SHARED:
        return
    reason = "Please refer to the appropriate WSDL for a list of valid actions."
    if action in _OWNERS:
        reason = "Only the queue owner is allowed to invoke this action."
    raise invalid(f"SQS:{action}", "ActionName", reason)
