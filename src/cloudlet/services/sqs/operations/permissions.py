"""The queue's policy, statement by statement. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sqs.errors import OverLimit, invalid, missing
from cloudlet.services.sqs.operations.queues import QueueOperations
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as types

MAX_ACTIONS: Final = 7
MAX_STATEMENTS: Final = 20
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
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


class PermissionOperations(QueueOperations):
    """AddPermission and RemovePermission."""

    @operation("AddPermission")
    async def add_permission(self, context: RequestContext, params: "types.AddPermissionRequestTypeDef") -> Result:
        label, accounts, actions = params["Label"], list(params["AWSAccountIds"]), list(params["Actions"])
        if not _LABEL.fullmatch(label):
            raise invalid(label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")  # fmt: skip # noqa: E501
        if not accounts:
            raise missing("AWSAccountIds")
        if not actions:
            raise missing("Actions")
        if len(actions) > MAX_ACTIONS:
            raise OverLimit(f"{len(actions)} Actions were found, maximum allowed is {MAX_ACTIONS}.")
        for action in actions:
            if action not in _SHARED:
                raise invalid(f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action.")

        def change(_tx: Transaction, queue: Queue) -> Queue:
            policy = _policy(queue)
            if any(statement.get("Sid") == label for statement in policy["Statement"]):
                raise invalid(label, "Label", "Already exists.")
            if len(policy["Statement"]) >= MAX_STATEMENTS:
                raise OverLimit(
                    f"{len(policy['Statement']) + 1} statements were found, maximum allowed is {MAX_STATEMENTS}."
                )
            principals = [f"arn:aws:iam::{account}:root" for account in accounts]
            actions_named = [f"SQS:{action}" for action in actions]
            statement = {
                "Sid": label,
                "Effect": "Allow",
                "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
                "Action": actions_named[0] if len(actions_named) == 1 else actions_named,
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
        return replace(queue, attributes=settings, modified_ms=self.exchange.now_ms())


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.attributes.get("Policy")
    if not text:
        return {"Version": "2012-10-17", "Id": f"{queue.key.arn}/SQSDefaultPolicy", "Statement": []}
    policy: dict[str, Any] = orjson.loads(text)
    statements = policy.get("Statement", [])
    policy["Statement"] = statements if isinstance(statements, list) else [statements]
    return policy
