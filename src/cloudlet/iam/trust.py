"""Who may assume a role: its trust policy, evaluated for a caller of STS.

The trust policy is the resource's side of the decision. It is the whole of it where it names the caller itself, or a
service; where it names an account, that account's own policies have to allow the call as well, which the dispatcher's
`Authorizer` has decided before STS is called.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudlet.arn import Arn
from cloudlet.iam.compiled import compiled
from cloudlet.iam.policy import PolicyError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.request import AccessRequest

_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
    "service": "Service",
}


@dataclass(frozen=True, slots=True)
class AssumeRequest:
    """What a caller of AssumeRole asks for, as far as a trust policy can ask back."""

    role_arn: str
    session_name: str = ""
    external_id: str = ""
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()

    @property
    def actions(self) -> tuple[str, ...]:
        """All actions that the trust policy has to allow."""
        actions = ["sts:AssumeRole"]
        if self.tags:
            actions.append("sts:TagSession")
        if self.source_identity:
            actions.append("sts:SetSourceIdentity")
        return tuple(actions)


def refused_action(trust_policy: str, request: AssumeRequest, context: RequestContext) -> str | None:
    """The first action of `request` that the trust policy does not allow to the caller; None when it allows all."""
    try:
        policy = compiled(trust_policy)
    except PolicyError:
        return request.actions[0]
    keys = _keys(request, context)
    for action in request.actions:
        verdict = policy.verdict(AccessRequest(context.principal, action, request.role_arn, keys))
        if verdict is None or verdict.effect == "Deny":
            return action
    return None


def _keys(request: AssumeRequest, context: RequestContext) -> dict[str, tuple[str, ...]]:
    """The condition keys that a trust policy can use.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """
    keys = _principal_keys(context.principal)
    single = {
        "sts:rolesessionname": request.session_name,
        "sts:externalid": request.external_id,
        "sts:sourceidentity": request.source_identity,
        "aws:sourceip": context.source_ip,
        "aws:useragent": context.user_agent,
        "aws:requestedregion": context.region,
        "aws:sourcearn": context.source_arn,
    }
    keys |= {name: (value,) for name, value in single.items() if value}
    if context.principal.kind == "service":
        account = Arn.parse(context.source_arn).account if context.source_arn else ""
        keys["aws:sourceaccount"] = (account or context.principal.account,)
    if request.tags:
        keys |= {f"aws:requesttag/{name.lower()}": (value,) for name, value in request.tags.items()}
        keys["aws:tagkeys"] = tuple(request.tags)
    if request.transitive_tag_keys:
        keys["sts:transitivetagkeys"] = request.transitive_tag_keys
    return keys


def _principal_keys(principal: Principal) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {
        "aws:principaltype": (_PRINCIPAL_TYPES[principal.kind],),
        "aws:principalisawsservice": (str(principal.kind == "service").lower(),),
    }
    if principal.kind == "service":
        return keys | {"aws:principalservicename": (principal.source_service,)}
    keys |= {
        "aws:principalarn": (principal.role_arn or principal.arn,),
        "aws:principalaccount": (principal.account,),
        "aws:userid": (principal.user_id,),
    }
    if principal.kind == "user":
        keys["aws:username"] = (principal.arn.rpartition("/")[2],)
    if principal.source_identity:
        keys["aws:sourceidentity"] = (principal.source_identity,)
    if principal.is_session:
        keys["aws:multifactorauthpresent"] = ("false",)
    return keys | {f"aws:principaltag/{name.lower()}": (value,) for name, value in principal.session_tags}
