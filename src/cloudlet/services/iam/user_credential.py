"""What is common to signing certificates, SSH keys and service-specific credentials of users."""

from collections.abc import Mapping
from typing import Any

from cloudlet.iam import user_credential_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.user_credential_table import UserCredential
from cloudlet.services.iam import user as users
from cloudlet.services.iam.errors import NoSuchEntity
from cloudlet.store.base import Reader

SIGNING_CERTIFICATE = "signing-certificate"
SSH_KEY = "ssh-key"
SERVICE = "service"
_MISSING = {
    SIGNING_CERTIFICATE: "The Certificate with id {} cannot be found.",
    SSH_KEY: "The Public Key with id {} cannot be found.",
    SERVICE: "No such credential {} exists",
}


def owner(reader: Reader, context: RequestContext, params: Mapping[str, Any]) -> tuple[str, str]:
    """The key and the name of the user whose credentials a request is about, both empty for root.

    Raises NoSuchEntity, ValidationError.
    """
    name = users.named(context, params)
    if name is None:
        return "", ""
    user = users.get(reader, context.account, name)
    return user.key, user.name


def get(
    reader: Reader, context: RequestContext, params: Mapping[str, Any], kind: str, credential_id: str
) -> tuple[UserCredential, str]:
    """A credential of the user that a request is about, and the user's name. Raises NoSuchEntity, ValidationError."""
    user_key, user_name = owner(reader, context, params)
    found = user_credential_table.find(reader, context.account, kind, credential_id)
    if found is None or found.user_key != user_key:
        raise NoSuchEntity(_MISSING[kind].format(credential_id))
    return found, user_name
