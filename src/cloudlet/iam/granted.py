"""The compiled policies of callers, kept in memory until IAM tells that something under them has changed."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cloudlet.iam import policy_table
from cloudlet.iam.compiled import CompiledPolicy, compile_document, compiled
from cloudlet.iam.imagined import EVERYTHING, is_imagined
from cloudlet.iam.policies_of import IdentityPolicies, NamedDocument, identity_policies
from cloudlet.iam.policy import Document, PolicyError, Statement
from cloudlet.iam.principals import Principal
from cloudlet.iam.tables import CHANNEL
from cloudlet.store.base import Reader, Store

KEPT = 10_000
_DENY_ALL = compile_document(Document((Statement("Deny", actions=("*",), resources=("*",)),)), "unreadable policy")


@dataclass(frozen=True, slots=True)
class Granted:
    """What a caller's own side says."""

    identity: tuple[CompiledPolicy, ...]
    boundary: CompiledPolicy | None
    session: tuple[CompiledPolicy, ...] | None
    tags: Mapping[str, str]


class GrantedPolicies:
    """Reads and keeps what is granted to callers. One per node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str], tuple[Granted, frozenset[str]]] = OrderedDict()
        self._users: dict[str, set[tuple[str, str]]] = {}
        """Payload on the channel -> the callers whose policies rest on it."""
        self._changes = 0
        self._end_listening = store.listen(CHANNEL, self._changed)

    def close(self) -> None:
        """Hear of changes no more."""
        self._end_listening()

    async def of(self, principal: Principal) -> Granted:
        """The policies of `principal`: identity, boundary and session."""
        key = (principal.arn, principal.access_key_id)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept[0]
        before = self._changes
        found, documents, imagined = await self._store.read(
            lambda reader: (*_read(reader, principal), is_imagined(reader, principal))
        )
        granted = _compiled(found, documents)
        if imagined:
            granted = replace(granted, identity=(EVERYTHING,))
        if before == self._changes:
            self._keep(key, granted, found.rests_on | {_payload(arn) for arn in principal.session_policy_arns})
        return granted

    def _keep(self, key: tuple[str, str], granted: Granted, rests_on: frozenset[str]) -> None:
        self._kept[key] = granted, rests_on
        for payload in rests_on:
            self._users.setdefault(payload, set()).add(key)
        if len(self._kept) > KEPT:
            self._drop(next(iter(self._kept)))

    def _changed(self, payload: str) -> None:
        self._changes += 1
        for key in self._users.pop(payload, set()):
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        kept = self._kept.pop(key, None)
        for payload in kept[1] if kept is not None else ():
            if (users := self._users.get(payload)) is not None:
                users.discard(key)
                if not users:
                    del self._users[payload]

    def forget(self) -> None:
        """The store was emptied."""
        self._changes += 1
        self._kept.clear()
        self._users.clear()


def _read(reader: Reader, principal: Principal) -> tuple[IdentityPolicies, list[NamedDocument] | None]:
    """The policies of the entity, and those of the session; None for a session that narrows nothing.

    A federated user has what the session's policies allow, so that it has nothing without one.
    """
    found = identity_policies(reader, principal)
    if principal.kind != "federated-user" and not principal.session_policies and not principal.session_policy_arns:
        return found, None
    inline = [("session policy", document) for document in principal.session_policies]
    managed = [(arn, policy_table.default_document(reader, arn) or "") for arn in principal.session_policy_arns]
    return found, inline + managed


def _compiled(found: IdentityPolicies, session: list[NamedDocument] | None) -> Granted:
    return Granted(
        tuple(_policy(one) for one in found.documents),
        None if found.boundary is None else _policy(found.boundary),
        None if session is None else tuple(_policy(one) for one in session),
        found.tags,
    )


def _policy(named: NamedDocument) -> CompiledPolicy:
    """A policy that cannot be read is never in its bearer's favour: it denies."""
    name, document = named
    try:
        return compiled(document, name)
    except PolicyError:
        return _DENY_ALL


def _payload(arn: str) -> str:
    return f"{arn.split(':')[4]}/{policy_table.KIND}/{arn.rpartition('/')[2].lower()}"
