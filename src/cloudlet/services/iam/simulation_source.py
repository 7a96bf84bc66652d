"""The policies of a user, a group or a role, as the simulator takes them.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyIdentifier.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudlet.iam import entity_table, group_table, organisation, policy_table, role_table, user_table
from cloudlet.iam.compiled import CompiledPolicy
from cloudlet.iam.policies_of import NamedDocument, policies_of_role, policies_of_user
from cloudlet.iam.policy_table import AWS_ACCOUNT
from cloudlet.iam.principals import Principal
from cloudlet.iam.wildcards import glob
from cloudlet.services.iam.errors import InvalidInput, NoSuchEntity
from cloudlet.services.iam.simulation import Source
from cloudlet.store.base import Reader

_ENTITY = re.compile(r"arn:[^:]+:iam::(\d{12}):(user|group|role)/(?:.*/)?([^/]+)")


@dataclass(frozen=True, slots=True)
class Entity:
    """Whose policies are simulated."""

    arn: str
    account: str
    kind: str
    name: str

    @classmethod
    def parse(cls, arn: str) -> "Entity":
        """The entity that an ARN names. Raises InvalidInput."""
        match = _ENTITY.fullmatch(arn)
        if match is None:
            raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
        return cls(arn, match[1], match[2], match[3])


@dataclass(frozen=True, slots=True)
class Granted:
    """An entity, what is granted to it, and what bounds it."""

    caller: Principal
    identity: Sequence[Source] = ()
    boundary: Source | None = None
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The condition keys that the entity's tags and its account's organisation give."""
    organisation: Sequence[Sequence[CompiledPolicy]] = ()
    """The service control policies of each level above the account."""


def caller(arn: str) -> Principal:
    """Who a simulated call is made as. Raises InvalidInput."""
    try:
        entity = Entity.parse(arn)
    except InvalidInput as error:
        raise InvalidInput("Invalid caller - Caller must be an IAM user, role or group in this context.") from error
    if entity.kind == role_table.KIND:
        return Principal("assumed-role", entity.account, arn, arn, role_arn=arn)
    return Principal("user", entity.account, arn, arn)


def granted(reader: Reader, entity: Entity, exclusions: Sequence[Mapping[str, Any]]) -> Granted:
    """What `entity` has, but for the policies that `exclusions` name. Raises NoSuchEntity, InvalidInput."""
    excluded = _excluded(exclusions)
    principal = caller(entity.arn)
    membership = organisation.read(reader, entity.account)
    levels = () if any(one.get("PolicyType") == "scp" for one in exclusions) else membership.levels_for(principal)
    boundary: NamedDocument | None = None
    tags: Mapping[str, str] = {}
    if entity.kind == group_table.KIND:
        documents: Iterable[NamedDocument] = _of_group(reader, entity)
    else:
        _check_is_there(reader, entity)
        read = policies_of_user if entity.kind == user_table.KIND else policies_of_role
        found = read(reader, entity.account, entity.name)
        documents, boundary, tags = found.documents, found.boundary, found.tags
    if boundary is not None and excluded(boundary[0], is_boundary=True):
        boundary = None
    return Granted(
        principal,
        [Source(_shown(name), text) for name, text in documents if not excluded(name, is_boundary=False)],
        None if boundary is None else Source(_shown(boundary[0]), boundary[1], "IAM Permissions Boundary Policy"),
        {**membership.keys, **{f"aws:principaltag/{name.lower()}": (value,) for name, value in tags.items()}},
        levels,
    )


def _check_is_there(reader: Reader, entity: Entity) -> None:
    find = user_table.find if entity.kind == user_table.KIND else role_table.find
    found = find(reader, entity.account, entity.name)
    if found is None or found.arn != entity.arn:
        raise NoSuchEntity(f"The {entity.kind} with name {entity.name} cannot be found.")


def _of_group(reader: Reader, entity: Entity) -> list[NamedDocument]:
    group = group_table.find(reader, entity.account, entity.name)
    if group is None or group.arn != entity.arn:
        raise NoSuchEntity(f"The group with name {entity.name} cannot be found.")
    inline = entity_table.inline_policies(reader, group.account, group_table.KIND, group.key)
    found = [(f"group_{group.name}_{name}", document) for name, document in inline]
    for arn in entity_table.attached(reader, group.account, group_table.KIND, group.key):
        document = policy_table.default_document(reader, arn)
        if document is not None:
            found.append((arn, document))
    return found


def _shown(name: str) -> str:
    """How answers name a policy: a managed one by its name, without the rest of its ARN."""
    return name.rpartition("/")[2] if name.startswith("arn:") else name


def _excluded(exclusions: Sequence[Mapping[str, Any]]) -> Callable[..., bool]:
    """Whether a policy of this name is left out. Raises InvalidInput for an identifier that has no valid form."""
    kinds = {one["PolicyType"] for one in exclusions if "PolicyType" in one}
    arns = [_pattern(one["PolicyArn"]) for one in exclusions if "PolicyArn" in one]
    inline = [
        _pattern(f"{given['AttachmentType'].lower()}_{given['AttachmentName']}_{given['PolicyName']}")
        for one in exclusions
        if (given := one.get("InlinePolicyIdentifier"))
    ]

    def excluded(name: str, *, is_boundary: bool) -> bool:
        if any(pattern(name) for pattern in arns):
            return True
        if is_boundary:
            return "permission-boundary" in kinds
        if not name.startswith("arn:"):
            return "inline" in kinds or any(pattern(name) for pattern in inline)
        return ("aws-managed" if name.split(":")[4] == AWS_ACCOUNT else "user-managed") in kinds

    return excluded


def _pattern(text: str) -> Callable[[str], bool]:
    if text.count("*") > 1 or ("_" not in text and not text.startswith("arn:")):
        raise InvalidInput(f"Invalid policy identifier: {text}.")
    if text.startswith("arn:") and "*" in text.rpartition("/")[0]:
        raise InvalidInput(f"Invalid policy identifier: {text}.")
    return glob(text)
