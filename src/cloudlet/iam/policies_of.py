"""The policies that say what a caller may do: its own, those of its groups, and its boundary.

Read by the rights layer when it does not have them in memory. What the answer rests on is part of it, so that a change
of any of these - `cloudlet.iam.tables.CHANNEL` tells of it - is known to make the answer old.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cloudlet.iam import entity_table, group_table, policy_table, role_table, user_table
from cloudlet.iam.principals import Principal
from cloudlet.iam.role_table import Role
from cloudlet.iam.user_table import User
from cloudlet.store.base import Reader

NamedDocument = tuple[str, str]
"""A policy's name and its document. A managed policy is named by its ARN, an inline one by what it hangs on and its
name, as IAM's simulator does: `user_alice_its-name`, `group_admins_its-name`, `role_worker_its-name`."""


@dataclass(frozen=True, slots=True)
class IdentityPolicies:
    """What is granted to a user or a role, and what bounds it. A caller that is not there any more has nothing."""

    documents: tuple[NamedDocument, ...] = ()
    boundary: NamedDocument | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The tags of the user or the role, as they are written; session tags are the principal's own matter."""
    rests_on: frozenset[str] = frozenset()
    """The payloads on `CHANNEL` that make this old: `<account>/<kind>/<entity key>` of all that was read."""


def identity_policies(reader: Reader, principal: Principal) -> IdentityPolicies:
    """The policies of the user or the role behind `principal`; nothing for root, services and nobody.

    One that was deleted has no policies, and neither has another one that was made under its name since: sessions go
    by the unique id.
    """
    if principal.kind == "user":
        return policies_of_user(reader, principal.account, principal.arn.rpartition("/")[2], principal.user_id)
    if principal.kind == "assumed-role":
        account, name = principal.role_arn.split(":")[4], principal.role_arn.rpartition("/")[2]
        return policies_of_role(reader, account, name, principal.user_id.partition(":")[0])
    if principal.kind == "federated-user":
        return _policies_of_federated_user(reader, principal)
    return IdentityPolicies()


def _policies_of_federated_user(reader: Reader, principal: Principal) -> IdentityPolicies:
    """What the user has who made the session: everything, where root did. The session's own policies narrow it."""
    if not principal.issuer_id:
        return IdentityPolicies((("root", _EVERYTHING),))
    name = principal.issuer_arn.rpartition("/")[2]
    return replace(policies_of_user(reader, principal.account, name, principal.issuer_id), tags={})


def policies_of_user(reader: Reader, account: str, name: str, user_id: str = "") -> IdentityPolicies:
    """The policies of a user: of this unique id where one is given, else of this name. Nothing when there is none."""
    # A session goes on when its user gets another name, which its token does not know.
    user = user_table.find_by_id(reader, account, user_id) if user_id else user_table.find(reader, account, name)
    rests_on = {_payload(account, user_table.KIND, name.lower())}
    if user is None:
        return IdentityPolicies(rests_on=frozenset(rests_on))
    rests_on.add(_payload(account, user_table.KIND, user.key))
    groups = group_table.groups_of(reader, account, user.key)
    rests_on |= {_payload(account, group_table.KIND, group.key) for group in groups}
    holders = [(user_table.KIND, user.key, user.name), *((group_table.KIND, one.key, one.name) for one in groups)]
    return _gather(reader, user, user_table.KIND, holders, rests_on)


def policies_of_role(reader: Reader, account: str, name: str, role_id: str = "") -> IdentityPolicies:
    """The policies of a role; nothing when there is none, or one of another id where `role_id` is given."""
    role = role_table.find(reader, account, name)
    rests_on = {_payload(account, role_table.KIND, name.lower())}
    if role is None or (role_id and role.role_id != role_id):
        return IdentityPolicies(rests_on=frozenset(rests_on))
    return _gather(reader, role, role_table.KIND, [(role_table.KIND, role.key, role.name)], rests_on)


def _gather(
    reader: Reader, entity: User | Role, kind: str, holders: list[tuple[str, str, str]], rests_on: set[str]
) -> IdentityPolicies:
    documents: dict[str, str] = {}
    for holder_kind, key, name in holders:
        for policy_name, document in entity_table.inline_policies(reader, entity.account, holder_kind, key):
            documents[f"{holder_kind}_{name}_{policy_name}"] = document
        documents |= _managed(reader, entity.account, holder_kind, key)
    boundary = None
    if entity.boundary_arn is not None:
        # A boundary that is not there any more allows nothing.
        boundary = entity.boundary_arn, policy_table.default_document(reader, entity.boundary_arn) or _NOTHING
    arns = [*documents, *((entity.boundary_arn,) if entity.boundary_arn else ())]
    rests_on |= {
        _payload(arn.split(":")[4], policy_table.KIND, arn.rpartition("/")[2].lower())
        for arn in arns
        if arn.startswith("arn:")
    }
    tags = MappingProxyType(dict(entity_table.tags(reader, entity.account, kind, entity.key)))
    return IdentityPolicies(tuple(documents.items()), boundary, tags, frozenset(rests_on))


def _managed(reader: Reader, account: str, kind: str, key: str) -> Iterator[NamedDocument]:
    for arn in entity_table.attached(reader, account, kind, key):
        document = policy_table.default_document(reader, arn)
        if document is not None:
            yield arn, document


def _payload(account: str, kind: str, key: str) -> str:
    return f"{account}/{kind}/{key}"


_NOTHING = '{"Version": "2012-10-17", "Statement": []}'
_EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
