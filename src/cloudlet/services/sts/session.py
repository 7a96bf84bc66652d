"""Sessions: what of a request to assume a role becomes part of the session, and what it may not ask for.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.arn import Arn
from cloudlet.errors import AccessDenied, OperationNotImplemented, ValidationError
from cloudlet.iam import policy_table
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.principals import Principal
from cloudlet.iam.role_table import Role
from cloudlet.services.sts.errors import InvalidParameterValue, MalformedPolicyDocument, PackedPolicyTooLarge
from cloudlet.store.base import Reader

DEFAULT_DURATION_S = 3600
MAX_CHAINED_S = 3600
"""A role that is assumed with the credentials of another one is assumed for an hour at most."""
SERVICE_DURATION_S = 12 * 3600
"""A service's session is not held to the role's maximum."""
POLICY_CHARACTERS = 2048
"""The session policies of a request together."""
PACKED_BYTES = 2048
"""What PackedPolicySize is a percentage of. AWS does not say how much it is there."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a caller gives a session on its way: policies that narrow it, tags, and who stands behind it."""

    policies: tuple[str, ...]
    policy_arns: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    """The session's tags, those that it inherits included."""
    transitive_tag_keys: tuple[str, ...]
    source_identity: str
    packed_percent: int | None
    """How much of the room for policies and tags the request takes; None when it has neither."""


def read(params: Mapping[str, Any], caller: Principal) -> Narrowing:
    """What the parameters of AssumeRole give to a session of `caller`. Raises ServiceError."""
    if params.get("SerialNumber") or params.get("TokenCode"):
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    if params.get("ProvidedContexts"):
        raise OperationNotImplemented("sts:AssumeRole with ProvidedContexts is not implemented by Cloudlet.")
    policies = (params["Policy"],) if "Policy" in params else ()
    policy_arns = tuple(policy["arn"] for policy in params.get("PolicyArns", ()))
    for document in policies:
        try:
            check_identity_policy(document)
        except MalformedPolicy as error:
            raise MalformedPolicyDocument(str(error)) from error
    tags, transitive = _tags(params, caller)
    packed_percent = _packed_percent([*policies, *policy_arns], params.get("Tags", ()))
    source_identity = params.get("SourceIdentity", "")
    return Narrowing(policies, policy_arns, tags, transitive, source_identity or caller.source_identity, packed_percent)


def _tags(params: Mapping[str, Any], caller: Principal) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The tags of the session and the keys of those that are transitive."""
    given = [(tag["Key"], tag["Value"]) for tag in params.get("Tags", ())]
    keys = {key.lower() for key, _ in given}
    if len(keys) != len(given):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    inherited_keys = {key.lower() for key in caller.transitive_tag_keys}
    if inherited_keys & keys:
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    transitive = tuple(params.get("TransitiveTagKeys", ()))
    if any(key.lower() not in keys for key in transitive):
        raise InvalidParameterValue("The specified transitive tag key must be included in the requested tags.")
    inherited = [(key, value) for key, value in caller.session_tags if key.lower() in inherited_keys]
    return (*inherited, *given), (*caller.transitive_tag_keys, *transitive)


def _packed_percent(policies: list[str], tags: Any) -> int | None:
    if not policies and not tags:
        return None
    if sum(len(policy) for policy in policies) > POLICY_CHARACTERS:
        raise PackedPolicyTooLarge(f"Session policies are longer than {POLICY_CHARACTERS} characters.")
    text = "\n".join([*policies, *(f"{tag['Key']}={tag['Value']}" for tag in tags)])
    percent = math.ceil(100 * len(zlib.compress(text.encode())) / PACKED_BYTES)
    if percent > 100:
        raise PackedPolicyTooLarge(f"Packed policy consumes {percent}% of allotted space, please use smaller policy.")
    return percent


def check_policies_exist(reader: Reader, account: str, policy_arns: tuple[str, ...]) -> None:
    """Raise ValidationError unless these managed policies are the account's, or AWS's."""
    for arn in policy_arns:
        policy = policy_table.find(reader, arn)
        if policy is None or policy.account not in (account, policy_table.AWS_ACCOUNT):
            raise ValidationError(f"{arn} is invalid")


def duration_s(requested_s: int | None, role: Role, caller: Principal) -> int:
    """How long a session of `role` lasts for `caller`. Raises ValidationError."""
    if caller.kind == "service":
        return requested_s or SERVICE_DURATION_S
    if requested_s is None:
        return DEFAULT_DURATION_S
    if caller.kind == "assumed-role" and requested_s > MAX_CHAINED_S:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if requested_s > role.max_session_s:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return requested_s


def principal(
    role: Role,
    session_name: str,
    narrowing: Narrowing,
    federation: tuple[tuple[str, tuple[str, ...]], ...] = (),
    source_function_arn: str = "",
) -> Principal:
    """Who bears the credentials of a session of `role`; `federation` are the keys that a provider vouches for.

    `source_function_arn` is the function that Lambda assumes the role for.
    """
    return Principal(
        "assumed-role",
        role.account,
        str(Arn("sts", "", role.account, f"assumed-role/{role.name}/{session_name}")),
        f"{role.role_id}:{session_name}",
        role_arn=role.arn,
        session_policies=narrowing.policies,
        session_policy_arns=narrowing.policy_arns,
        session_tags=narrowing.tags,
        transitive_tag_keys=narrowing.transitive_tag_keys,
        source_identity=narrowing.source_identity,
        federation=federation,
        source_function_arn=source_function_arn,
    )
