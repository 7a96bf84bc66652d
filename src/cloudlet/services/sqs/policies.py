"""A queue's policy: what may be set as one.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
"""

from typing import Any, Final

import orjson

from cloudlet.iam.policy import Document, PolicyError, Statement, parse
from cloudlet.iam.policy_grammar import VERSIONS
from cloudlet.services.sqs.errors import InvalidAttributeValue, OverLimit

MAX_BYTES: Final = 8_192
MAX_STATEMENTS: Final = 20
MAX_PRINCIPALS: Final = 50
MAX_CONDITIONS: Final = 10
MAX_ACTIONS: Final = 7
"""In one statement."""


def check(text: str) -> None:
    """Raises InvalidAttributeValue for what is no policy of a queue, OverLimit for one that says too much."""
    if len(text.encode()) > MAX_BYTES or not _has_form(text):
        raise _invalid()
    try:
        document = parse(text)
    except PolicyError:
        raise _invalid() from None
    if not all(map(_is_of_queue, document.statements)):
        raise _invalid()
    _check_limits(document)


def _has_form(text: str) -> bool:
    try:
        policy = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(policy, dict) or policy.get("Version", VERSIONS[0]) not in VERSIONS:
        return False
    statements = statements_of(policy)
    sids = [statement.get("Sid") for statement in statements if isinstance(statement, dict) and statement.get("Sid")]
    return bool(statements) and all(isinstance(sid, str) for sid in sids) and len(sids) == len(set(sids))


def statements_of(policy: dict[str, Any]) -> list[Any]:
    """The statements of a policy, which has one or a list of them."""
    statements = policy.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _is_of_queue(statement: Statement) -> bool:
    principals = statement.principals if statement.principals is not None else statement.not_principals
    actions = statement.actions if statement.actions is not None else statement.not_actions
    resources = statement.resources if statement.resources is not None else statement.not_resources
    return bool(principals and actions and resources) and all(
        action == "*" or action.lower().startswith("sqs:") for action in actions or ()
    )


def _check_limits(document: Document) -> None:
    statements = document.statements
    for count, most, what in (
        (len(statements), MAX_STATEMENTS, "statements"),
        (sum(len(each.principals or each.not_principals or ()) for each in statements), MAX_PRINCIPALS, "principals"),
        (sum(len(each.conditions) for each in statements), MAX_CONDITIONS, "conditions"),
        (max(len(each.actions or each.not_actions or ()) for each in statements), MAX_ACTIONS, "Actions"),
    ):
        if count > most:
            raise too_many(count, most, what)


def too_many(count: int, most: int, what: str) -> OverLimit:
    """The error for a policy that says too much."""
    return OverLimit(f"{count} {what} were found, maximum allowed is {most}.")


def _invalid() -> InvalidAttributeValue:
    return InvalidAttributeValue("Invalid value for the parameter Policy.")
