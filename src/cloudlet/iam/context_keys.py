"""The condition keys of a request: those that every request has, and those of its service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cloudlet.arn import Arn
from cloudlet.iam.principals import Principal, RequestContext

Keys = dict[str, Sequence[str]]

_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
    "service": "Service",
}
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "cloudwatch:namespace": ("Namespace",),
    "iam:awsservicename": ("AWSServiceName",),
    "iam:permissionsboundary": ("PermissionsBoundary",),
    "iam:policyarn": ("PolicyArn",),
    "iam:servicespecificcredentialagedays": ("CredentialAgeDays",),
    "iam:servicespecificcredentialservicename": ("ServiceName",),
    "lambda:codesigningconfigarn": ("CodeSigningConfigArn",),
    "lambda:eventsourcetoken": ("EventSourceToken",),
    "lambda:functionurlauthtype": ("FunctionUrlAuthType", "AuthType"),
    "lambda:invokedviafunctionurl": ("InvokedViaFunctionUrl",),
    "lambda:layer": ("Layers",),
    "lambda:principal": ("Principal",),
    "sns:endpoint": ("Endpoint",),
    "sns:protocol": ("Protocol",),
    "sts:durationseconds": ("DurationSeconds",),
    "sts:externalid": ("ExternalId",),
    "sts:rolesessionname": ("RoleSessionName",),
    "sts:sourceidentity": ("SourceIdentity",),
    "sts:transitivetagkeys": ("TransitiveTagKeys",),
}
"""A service's condition key -> the member of a request that it is taken from."""


def global_keys(context: RequestContext) -> Keys:
    """The keys that say who calls, and how the call came; not those of time."""
    keys = _principal_keys(context.principal)
    single = {
        "aws:useragent": context.user_agent,
        "aws:requestedregion": context.region,
        "aws:sourcearn": context.source_arn,
        "aws:sourceip": "" if context.called_via else context.source_ip,
    }
    keys |= {name: (value,) for name, value in single.items() if value}
    # What services send each other does not leave the platform, nor what a function sends from its sandbox. A node in
    # dev mode speaks HTTP only; policies that want TLS are about networks, and there is none.
    is_internal = bool(context.called_via) or not context.endpoint or context.is_private
    keys["aws:securetransport"] = (str(is_internal or context.endpoint.startswith("https:")).lower(),)
    # With the caller's own credentials: a service that acts as itself, or in a role that it has taken on, has no key.
    is_forwarded = bool(context.called_via and context.principal.access_key_id)
    keys["aws:viaawsservice"] = (str(is_forwarded).lower(),)
    keys |= context.principal_keys
    if is_forwarded:
        keys["aws:calledvia"] = context.called_via
        keys["aws:calledviafirst"], keys["aws:calledvialast"] = context.called_via[:1], context.called_via[-1:]
    if context.principal.kind == "service":
        keys["aws:sourceaccount"] = (source_account(context),)
    return keys


def source_account(context: RequestContext) -> str:
    """The account that a service makes a call for."""
    account = Arn.parse(context.source_arn).account if context.source_arn else ""
    return account or context.principal.account


def time_keys(now: float) -> Keys:
    """The keys of the platform's time, seconds since the epoch."""
    moment = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"aws:currenttime": (moment,), "aws:epochtime": (str(int(now)),)}


def request_keys(params: Mapping[str, Any]) -> Keys:
    """The keys that a request's members tell: tags, and those of its service."""
    keys: Keys = {}
    tags = dict(_tags(params))
    if tags:
        keys |= {f"aws:requesttag/{name.lower()}": (value,) for name, value in tags.items()}
    tag_keys = params.get("TagKeys") or params.get("tagKeys") or list(tags)
    if isinstance(tag_keys, list) and tag_keys:
        keys["aws:tagkeys"] = tuple(str(key) for key in tag_keys)
    for name, members in _MEMBERS.items():
        for member in members:
            value = params.get(member)
            if isinstance(value, str | int) and value != "":
                keys[name] = (str(value),)
            elif isinstance(value, list) and value:
                keys[name] = tuple(str(one) for one in value)
    return keys


def resource_keys(account: str, tags: Mapping[str, str], prefix: str) -> Keys:
    """The keys that the resource tells: whose it is, and its tags, by the global name and the service's own."""
    keys: Keys = {"aws:resourceaccount": (account,)}
    for name, value in tags.items():
        for key in ("aws", prefix):
            keys[f"{key}:resourcetag/{name.lower()}"] = (value,)
    return keys


def _tags(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tags = params.get("Tags") or params.get("tags") or ()
    if isinstance(tags, dict):
        yield from ((str(name), str(value)) for name, value in tags.items())
    elif isinstance(tags, list):
        for tag in tags:
            if isinstance(tag, dict) and (name := tag.get("Key") or tag.get("key")):
                yield str(name), str(tag.get("Value") or tag.get("value") or "")


def _principal_keys(principal: Principal) -> Keys:
    keys: Keys = {
        "aws:principaltype": (_PRINCIPAL_TYPES[principal.kind],),
        "aws:principalisawsservice": (str(principal.kind == "service").lower(),),
    }
    if principal.kind == "anonymous":  # of no account, whatever account the call is about
        return keys | {"aws:userid": ("anonymous",)} | dict(principal.federation)
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
    if principal.source_function_arn:
        keys["lambda:sourcefunctionarn"] = (principal.source_function_arn,)
    if principal.is_session:
        keys["aws:multifactorauthpresent"] = ("false",)
        issued = datetime.fromtimestamp(int(principal.token_issued), UTC)
        keys["aws:tokenissuetime"] = (issued.strftime("%Y-%m-%dT%H:%M:%SZ"),)
    keys |= dict(principal.federation)
    return keys | {f"aws:principaltag/{name.lower()}": (value,) for name, value in principal.session_tags}
