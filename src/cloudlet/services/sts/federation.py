"""Sessions of users: those of GetFederationToken, which only what is handed to them allows anything.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
"""

from cloudlet.arn import Arn
from cloudlet.errors import AccessDenied
from cloudlet.iam.principals import Principal
from cloudlet.services.sts.session import Narrowing

USER_TOKEN_S = 12 * 3600
ROOT_TOKEN_S = 3600
"""The default for a user, and the most that root gets."""


def check_lasting(caller: Principal, operation: str) -> None:
    """Raise AccessDenied unless the caller has credentials that last: a user's or root's."""
    if caller.kind not in ("root", "user") or caller.is_session:
        raise AccessDenied(f"Cannot call {operation} with session credentials")


def duration_s(requested_s: int | None, caller: Principal) -> int:
    """How long a session of a user or of root lasts."""
    if caller.kind == "root":
        return min(requested_s or ROOT_TOKEN_S, ROOT_TOKEN_S)
    return requested_s or USER_TOKEN_S


def principal(caller: Principal, name: str, narrowing: Narrowing) -> Principal:
    """Who bears the credentials of a federated user of this name."""
    is_user = caller.kind == "user"
    return Principal(
        "federated-user",
        caller.account,
        str(Arn("sts", "", caller.account, f"federated-user/{name}")),
        f"{caller.account}:{name}",
        session_policies=narrowing.policies,
        session_policy_arns=narrowing.policy_arns,
        session_tags=narrowing.tags,
        issuer_arn=caller.arn if is_user else "",
        issuer_id=caller.user_id if is_user else "",
    )
