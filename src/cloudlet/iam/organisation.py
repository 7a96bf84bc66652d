"""What an organisation says of its accounts: service control policies, and the condition keys of membership.

    root --- unit --- unit --- account        each of these levels has to allow

The management account is bound by none of it. An account that was closed may do nothing.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudlet.iam import organisation_table as table
from cloudlet.iam.compiled import CompiledPolicy, compiled
from cloudlet.iam.policy import PolicyError
from cloudlet.iam.principals import Principal
from cloudlet.store.base import Reader, Store

KEPT = 10_000
_SERVICE_LINKED = ":role/aws-service-role/"
Level = tuple[CompiledPolicy, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """An account's place in an organisation."""

    levels: tuple[Level, ...] = ()
    """The policies of each level, from the root down to the account; nothing where none binds the account."""
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The condition keys of principals of the account, in lower case."""

    def levels_for(self, principal: Principal) -> tuple[Level, ...]:
        """The levels that bind this principal: not services, nor the roles that belong to them."""
        if principal.kind in ("service", "anonymous") or _SERVICE_LINKED in principal.role_arn:
            return ()
        return self.levels


ALONE = Membership()


class Memberships:
    """Reads and keeps the memberships of accounts until an organisation changes. One per node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Membership] = OrderedDict()
        self._changes = 0
        self._end_listening = store.listen(table.CHANNEL, lambda _payload: self.forget())

    def close(self) -> None:
        """Hear of changes no more."""
        self._end_listening()

    def forget(self) -> None:
        """An organisation has changed, or the store was emptied."""
        self._changes += 1
        self._kept.clear()

    async def of(self, account: str) -> Membership:
        """The membership of an account; `ALONE` where it is in no organisation."""
        kept = self._kept.get(account)
        if kept is not None:
            return kept
        before = self._changes
        found = await self._store.read(lambda reader: read(reader, account))
        if before == self._changes:
            self._kept[account] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


def read(reader: Reader, account: str) -> Membership:
    """The membership of an account as the store has it."""
    found = table.of_member(reader, account)
    if found is None:
        return ALONE
    organisation, member = found
    path = table.ancestors(reader, organisation, member.parent_id)
    keys = {
        "aws:principalorgid": (organisation.organization_id,),
        "aws:principalorgpaths": ("/".join((organisation.organization_id, *path, "")),),
    }
    if member.status != "ACTIVE":
        return Membership(((),), keys)
    if account == organisation.account or not organisation.has_service_control:
        return Membership((), keys)
    return Membership(tuple(_level(reader, organisation.account, target) for target in [*path, account]), keys)


def _level(reader: Reader, account: str, target_id: str) -> Level:
    return tuple(
        policy for found in table.attached(reader, account, target_id) if (policy := _compiled(found)) is not None
    )


def _compiled(policy: table.Policy) -> CompiledPolicy | None:
    try:
        return compiled(policy.content, policy.policy_id)
    except PolicyError:
        return None  # it was checked when it was put; should it be unreadable all the same, it allows nothing
