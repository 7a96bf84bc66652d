"""Resource-based policies: who else may use a function, a version or an alias.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from cloudlet.services.lambda_ import alias, limits, tables
from cloudlet.services.lambda_.errors import (
    InvalidParameterValue,
    PolicyLengthExceeded,
    ResourceConflict,
    ResourceNotFound,
)
from cloudlet.services.lambda_.function import check_exists, check_revision
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_alias, is_version
from cloudlet.services.lambda_.version import Version, find
from cloudlet.store.base import Reader, Transaction

NO_PRINCIPAL = "The provided principal was invalid. Please check the principal and try again."
_IAM_PRINCIPAL = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts):")
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazon\.com)")


def add(tx: Transaction, ref: FunctionRef, params: Mapping[str, Any], revision_id: str) -> str:
    """Add a statement; it as JSON. Raises ResourceNotFound, ResourceConflict, PreconditionFailed and others."""
    if ref.qualifier == LATEST:
        raise InvalidParameterValue("We currently do not support adding policies for $LATEST.")
    check_exists(tx, ref)
    check_revision(params.get("RevisionId"), _revision(tx, ref))
    sid = params["StatementId"]
    statement = orjson.dumps(_statement(ref.qualified_arn, params)).decode()
    qualifier = ref.qualifier or LATEST
    if not tables.insert_statement(tx, ref, qualifier, sid, statement):
        raise ResourceConflict(
            f"The statement id ({sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    size = len(_document(tables.statements(tx, ref, qualifier)).encode())
    if size > limits.POLICY_BYTES:
        raise PolicyLengthExceeded(f"The final policy size ({size}) is bigger than the limit ({limits.POLICY_BYTES}).")
    _revise(tx, ref, revision_id)
    return statement


def remove(tx: Transaction, ref: FunctionRef, sid: str, expected: str | None, revision_id: str) -> None:
    """Remove a statement. Raises ResourceNotFound, PreconditionFailed."""
    if tables.function(tx, ref) is None:
        raise ResourceNotFound(f"No policy found for: {ref.arn}")
    current = _revision(tx, ref)
    qualifier = ref.qualifier or LATEST
    if not tables.statements(tx, ref, qualifier):
        raise ResourceNotFound("No policy is associated with the given resource.")
    if not tables.delete_statement(tx, ref, qualifier, sid):
        raise ResourceNotFound(f"Statement {sid} is not found in resource policy.")
    check_revision(expected, current)
    _revise(tx, ref, revision_id)


def policy(reader: Reader, ref: FunctionRef) -> tuple[str, str]:
    """The policy as JSON, and the revision of what it belongs to. Raises ResourceNotFound."""
    check_exists(reader, ref)
    statements = tables.statements(reader, ref, ref.qualifier or LATEST)
    if not statements:
        raise ResourceNotFound("The resource you requested does not exist.")
    return _document(statements), _revision(reader, ref)


def document(reader: Reader, ref: FunctionRef) -> str:
    """The policy as JSON, whether it says something or not, and whether the function is there or not."""
    return _document(tables.statements(reader, ref, ref.qualifier or LATEST))


def _document(statements: list[str]) -> str:
    return f'{{"Version":"2012-10-17","Id":"default","Statement":[{",".join(statements)}]}}'


def _revision(reader: Reader, ref: FunctionRef) -> str:
    """The revision of the alias or version that a policy belongs to. Raises ResourceNotFound."""
    if is_alias(ref.qualifier):
        return alias.get(reader, ref, ref.qualifier).revision_id
    if ref.qualifier and not is_version(ref.qualifier) and ref.qualifier != LATEST:
        raise ref.not_found()
    return find(reader, ref).revision_id


def _revise(tx: Transaction, ref: FunctionRef, revision_id: str) -> None:
    if is_alias(ref.qualifier):
        found = alias.get(tx, ref, ref.qualifier)
        tables.update_alias(
            tx,
            ref,
            (found.name, found.sequence, found.description, found.other_sequence, found.weight, revision_id),
        )
    else:
        version: Version = find(tx, ref)
        replace(version, revision_id=revision_id).put(tx)


def _statement(arn: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that AWS makes of AddPermission's parameters."""
    auth_type = params.get("FunctionUrlAuthType")
    if auth_type and params["Action"] != "lambda:InvokeFunctionUrl":
        raise InvalidParameterValue("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
    equals = {
        "lambda:FunctionUrlAuthType": auth_type,
        "aws:PrincipalOrgID": params.get("PrincipalOrgID"),
        "AWS:SourceAccount": params.get("SourceAccount"),
        "lambda:EventSourceToken": params.get("EventSourceToken"),
    }
    condition: dict[str, dict[str, str]] = {}
    if given := {key: value for key, value in equals.items() if value}:
        condition["StringEquals"] = given
    if (via_url := params.get("InvokedViaFunctionUrl")) is not None:
        condition["Bool"] = {"lambda:InvokedViaFunctionUrl": str(via_url).lower()}
    if source_arn := params.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": source_arn}
    statement = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": arn,
    }
    return {**statement, "Condition": condition} if condition else statement


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return principal
    if re.fullmatch(r"\d{12}", principal, re.ASCII):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if _IAM_PRINCIPAL.match(principal):
        return {"AWS": principal}
    if _SERVICE_PRINCIPAL.fullmatch(principal):
        return {"Service": principal}
    raise InvalidParameterValue(NO_PRINCIPAL)
