"""Who is calling."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PrincipalKind = Literal["root", "user", "assumed-role", "federated-user", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller, as IAM names it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
    """

    kind: PrincipalKind
    account: str
    arn: str
    user_id: str
    """The unique id: the account for root, AIDA... for a user, `AROA...:session` for an assumed role."""
    access_key_id: str = ""
    role_arn: str = ""
    """The role behind an assumed-role session; empty for all others."""
    session_policies: tuple[str, ...] = ()
    """Policy documents that narrow a session, as JSON."""
    session_policy_arns: tuple[str, ...] = ()
    """Managed policies that narrow a session."""
    session_tags: tuple[tuple[str, str], ...] = ()
    transitive_tag_keys: tuple[str, ...] = ()
    """The session tags that go on to the sessions that this one starts."""
    source_identity: str = ""
    """Who stands behind a chain of sessions; once set it stays."""
    token_issued: float = 0.0
    """When the session began: seconds since the epoch, platform time; 0 for a caller without a session."""
    issuer_arn: str = ""
    """The user who made a federated-user session; empty where root did, and for all others."""
    issuer_id: str = ""
    federation: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The condition keys that an identity provider vouches for, in lower case, and their values."""
    source_function_arn: str = ""
    """The function whose credentials these are (`lambda:SourceFunctionArn`); empty for all others."""
    source_service: str = ""
    """For calls that a service makes for a user: `events.amazonaws.com` and the like."""

    @classmethod
    def root(cls, account: str, access_key_id: str = "") -> "Principal":
        """The account's root."""
        return cls("root", account, f"arn:aws:iam::{account}:root", account, access_key_id)

    @classmethod
    def anonymous(cls, account: str = "") -> "Principal":
        """Nobody: a caller who has not signed. `account`: the one that an operation which takes no signature is about;
        none where only the policy of a resource can let nobody in."""
        return cls("anonymous", account, "", "")

    @property
    def is_session(self) -> bool:
        """True for a caller with temporary credentials."""
        return self.token_issued > 0

    @classmethod
    def service(cls, name: str, account: str) -> "Principal":
        """A part of the platform itself, acting in `account`: `lambda.amazonaws.com` and the like."""
        return cls("service", account, name, name, source_service=name)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What an access key stands for."""

    secret: str | None
    """What its requests are signed with; None for a key of dev mode, whose signature is not checked."""
    principal: Principal
    expires: float | None = None
    """Seconds since the epoch, platform time; None for a key that lasts."""


@dataclass(slots=True)
class RequestContext:
    """One call: who makes it, where it goes, and how it came. Handed to every operation.

    The dispatcher sets `service` and `operation`; an internal call makes a context of its own with `for_call`.
    """

    principal: Principal
    region: str
    request_id: str
    service: str = ""
    operation: str = ""
    source_ip: str = ""
    user_agent: str = ""
    endpoint: str = ""
    """`http://host:port` as the client addressed the node, for URLs in answers."""
    called_via: tuple[str, ...] = ()
    """The services that the call has come through, first one first (`aws:CalledVia`)."""
    trace_id: str = ""
    """The X-Ray trace header, when the client sent one."""
    source_arn: str = ""
    """The resource that a service makes this call for (`aws:SourceArn`): the function whose role is assumed, the rule
    whose target is called. Its account is `aws:SourceAccount`."""
    principal_keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Condition keys of the caller that its account's organisation tells, in lower case; the authoriser sets them."""
    resource_tags: dict[str, str] = field(default_factory=dict)
    is_private: bool = False
    """True for a call that comes over no network: from inside a sandbox, and from anywhere to a node in dev mode, which
    listens on loopback only."""
    gone: Callable[[], Awaitable[object]] | None = None
    """Ends when the client has closed its connection, for who waits long before there is an answer; None for a call
    from inside."""

    @property
    def account(self) -> str:
        """The account that the call is made in."""
        return self.principal.account

    def for_call(self, principal: Principal, request_id: str, via: str, source_arn: str = "") -> "RequestContext":
        """The context of a call that service `via` makes because of this one, as `principal`, for `source_arn`."""
        return RequestContext(
            principal,
            self.region,
            request_id,
            endpoint=self.endpoint,
            called_via=(*self.called_via, via),
            trace_id=self.trace_id,
            source_arn=source_arn,
        )
