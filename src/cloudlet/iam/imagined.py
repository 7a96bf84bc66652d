"""Roles that are not there: in dev mode, Lambda takes them for ones that are, so that who only tries functions out, or
brings tests written for another tool, need not make any. What such a role grants is not written anywhere; its sessions
may do everything in their account, until a role of this name is made.
"""

import base64
from hashlib import sha256

from cloudlet.iam import role_table
from cloudlet.iam.compiled import CompiledPolicy, compile_document
from cloudlet.iam.policy import Document, Statement
from cloudlet.iam.principals import Principal
from cloudlet.store.base import Reader

EVERYTHING: CompiledPolicy = compile_document(
    Document((Statement("Allow", actions=("*",), resources=("*",)),)), "a role that is not there, in dev mode"
)


def imagined_role_id(role_arn: str) -> str:
    """The unique id of a role that is not there."""
    return f"AROA{base64.b32encode(sha256(role_arn.encode()).digest()).decode()[:17]}"


def is_imagined(reader: Reader, principal: Principal) -> bool:
    """True for a session of a role that was not there when it began, and is not there now."""
    if principal.kind != "assumed-role" or not principal.user_id.startswith(imagined_role_id(principal.role_arn)):
        return False
    return role_table.find(reader, principal.account, principal.role_arn.rpartition("/")[2]) is None
