"""The topic's policy, statement by statement. https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sns import topic_attributes
from cloudlet.services.sns.errors import NotFound, invalid
from cloudlet.services.sns.operations.base import Operations
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as types

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")


class PermissionOperations(Operations):
    """AddPermission and RemovePermission."""

    @operation("AddPermission")
    async def add_permission(self, context: RequestContext, params: "types.AddPermissionInputTypeDef") -> Result:
        label, accounts, actions = params["Label"], list(params["AWSAccountId"]), list(params["ActionName"])
        if not _LABEL.fullmatch(label):
            raise invalid("Label")
        if not accounts or not all(re.fullmatch(r"\d{12}", account) for account in accounts):
            raise invalid("AWSAccountId")
        if not actions or not all(action in topic_attributes.ACTIONS for action in actions):
            raise invalid("Policy statement action out of service scope!")

        def change(_tx: Transaction, topic: Topic) -> Topic:
            policy = _policy(topic)
            if any(statement.get("Sid") == label for statement in policy["Statement"]):
                raise invalid("Statement already exists")
            principals = [f"arn:aws:iam::{account}:root" for account in accounts]
            named = [f"SNS:{action}" for action in actions]
            policy["Statement"].append(
                {
                    "Sid": label,
                    "Effect": "Allow",
                    "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
                    "Action": named[0] if len(named) == 1 else named,
                    "Resource": topic.arn,
                }
            )
            changed = _with_policy(topic, policy)
            topic_attributes.check_policy(changed.policy)
            return changed

        await self.change_topic(self.key(context, params), change)
        return {}

    @operation("RemovePermission")
    async def remove_permission(self, context: RequestContext, params: "types.RemovePermissionInputTypeDef") -> Result:
        label = params["Label"]

        def change(_tx: Transaction, topic: Topic) -> Topic:
            policy = _policy(topic)
            kept = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
            if len(kept) == len(policy["Statement"]):
                raise NotFound("Policy statement does not exist")
            policy["Statement"] = kept
            return _with_policy(topic, policy)

        await self.change_topic(self.key(context, params), change)
        return {}


def _policy(topic: Topic) -> dict[str, Any]:
    policy: dict[str, Any] = orjson.loads(topic.policy)
    statements = policy.get("Statement", [])
    policy["Statement"] = statements if isinstance(statements, list) else [statements]
    return policy


def _with_policy(topic: Topic, policy: dict[str, Any]) -> Topic:
    return replace(topic, attributes={**topic.attributes, "Policy": orjson.dumps(policy).decode()})
