"""Layers: numbered packages that functions share, and who may use them.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import orjson

from cloudlet.errors import ValidationError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.lambda_ import layer_tables, limits, runtime_names
from cloudlet.services.lambda_.errors import (
    InvalidParameterValue,
    PolicyLengthExceeded,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from cloudlet.services.lambda_.layer_tables import LayerKey
from cloudlet.services.lambda_.version import format_time
from cloudlet.store.base import Reader, Row, Transaction

MAX_LAYERS = 5
_LAYER = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9-_]+)"
)
_VERSION = re.compile(_LAYER.pattern + r":(?P<version>\d{1,18})")
_STALE_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetLayerPolicy API to retrieve the latest Revision Id"
)


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One row of lambda_layer_versions, its fields in the columns' order."""

    account: str
    region: str
    name: str
    version: int
    digest: str
    size_bytes: int
    unpacked_bytes: int
    description: str
    license: str
    runtimes: str
    """JSON: a list, or null where the publisher gave none."""
    architectures: str
    created_ms: int
    statements: str = "[]"
    """JSON: the statements of its policy."""
    revision_id: str = ""

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    def put(self, tx: Transaction) -> None:
        """Add the row."""
        layer_tables.put_version(tx, [getattr(self, field.name) for field in fields(self)])

    @property
    def key(self) -> LayerKey:
        return self.account, self.region, self.name

    @property
    def layer_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{self.name}"

    @property
    def arn(self) -> str:
        return f"{self.layer_arn}:{self.version}"

    @property
    def policy(self) -> str | None:
        """The policy as JSON; None for a version without one."""
        statements = orjson.loads(self.statements)
        if not statements:
            return None
        return orjson.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements}).decode()

    def use(self) -> dict[str, Any]:
        """What a function's configuration keeps of it."""
        return {"arn": self.arn, "digest": self.digest, "size": self.size_bytes, "unpacked": self.unpacked_bytes}

    def listed(self) -> dict[str, Any]:
        """As lists show it."""
        shown: dict[str, Any] = {
            "LayerVersionArn": self.arn,
            "Version": self.version,
            "Description": self.description,
            "CreatedDate": format_time(self.created_ms),
        }
        for member, value in (("CompatibleRuntimes", self.runtimes), ("CompatibleArchitectures", self.architectures)):
            if value != "null":
                shown[member] = orjson.loads(value)
        if self.license:
            shown["LicenseInfo"] = self.license
        return shown

    def shown(self, location: str) -> dict[str, Any]:
        """As the API shows one; `location` downloads it."""
        content = {
            "Location": location,
            "CodeSha256": base64.b64encode(bytes.fromhex(self.digest)).decode(),
            "CodeSize": self.size_bytes,
        }
        return {**self.listed(), "LayerArn": self.layer_arn, "Content": content}


def key_of(context: RequestContext, name: str) -> LayerKey:
    """The layer that a name or an ARN means to this caller. Raises ResourceNotFound for another region."""
    match = _LAYER.fullmatch(name)
    if match is None:
        return context.account, context.region, name
    if match["region"] != context.region:
        raise ResourceNotFound(f"Layers from '{match['region']}' are not reachable in this region ('{context.region}')")
    return match["account"], match["region"], match["name"]


def parse_arn(arn: str) -> tuple[LayerKey, int] | None:
    """The layer and the number in a layer version's ARN; None for anything else."""
    match = _VERSION.fullmatch(arn)
    return ((match["account"], match["region"], match["name"]), int(match["version"])) if match else None


def arn_of(key: LayerKey, number: int) -> str:
    """The ARN of a layer version."""
    account, region, name = key
    return f"arn:aws:lambda:{region}:{account}:layer:{name}:{number}"


def find(reader: Reader, key: LayerKey, number: int) -> LayerVersion | None:
    """A version of a layer."""
    row = layer_tables.version(reader, key, number)
    return LayerVersion.from_row(row) if row is not None else None


def existing(reader: Reader, key: LayerKey, number: int) -> LayerVersion:
    """A version of a layer. Raises ResourceNotFound."""
    found = find(reader, key, number)
    if found is None:
        raise ResourceNotFound(f"Layer version {arn_of(key, number)} does not exist.")
    return found


def check_runtimes(runtimes: Sequence[str] | None) -> None:
    """Raises ValidationError for a runtime that never was one."""
    unknown = [each for each in runtimes or () if each not in runtime_names.KNOWN]
    if unknown:
        raise ValidationError(
            f"1 validation error detected: Value '[{', '.join(runtimes or ())}]' at 'compatibleRuntimes' failed to "
            "satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: "
            f"[{', '.join(runtime_names.CURRENT)}]]"
        )


def check_arns(arns: Sequence[str], region: str) -> None:
    """Raises InvalidParameterValue for layers that a function cannot have together."""
    if len(arns) > MAX_LAYERS:
        raise InvalidParameterValue(f"Cannot reference more than {MAX_LAYERS} layers.")
    seen: dict[LayerKey, str] = {}
    for arn in arns:
        parsed = parse_arn(arn)
        if parsed is None:
            raise InvalidParameterValue(f"Layer version {arn} does not exist.")
        key = parsed[0]
        if key[1] != region:
            raise InvalidParameterValue(
                f"Layers are not in the same region as the function. Layers are expected to be in region {region}."
            )
        if key in seen:
            raise InvalidParameterValue(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{seen[key]} and {arn} are versions of the same layer."
            )
        seen[key] = arn


def check_size(code_bytes: int, layers: Sequence[Mapping[str, Any]]) -> None:
    """Raises InvalidParameterValue when code and layers, unpacked, are too large together."""
    size = code_bytes + sum(int(each["unpacked"]) for each in layers)
    if size > limits.UNZIPPED_BYTES:
        raise InvalidParameterValue(
            f"Function code combined with layers exceeds the maximum allowed size of {limits.UNZIPPED_BYTES} bytes. "
            f"The actual size is {size} bytes."
        )


def add_statement(tx: Transaction, found: LayerVersion, params: Mapping[str, Any], revision_id: str) -> str:
    """Add a statement to the policy of a layer version; it as JSON. Raises ResourceConflict, PreconditionFailed."""
    _check_revision(found, params.get("RevisionId"))
    statements = orjson.loads(found.statements)
    sid = params["StatementId"]
    if any(statement["Sid"] == sid for statement in statements):
        raise ResourceConflict(
            f"The statement id ({sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    principal = params["Principal"]
    account = f"arn:aws:iam::{principal}:root" if principal.isdigit() else principal
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": account},
        "Action": params["Action"],
        "Resource": found.arn,
    }
    if organization := params.get("OrganizationId"):
        if principal != "*":
            raise InvalidParameterValue("OrganizationId can only be given together with the principal *.")
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": organization}}
    statements.append(statement)
    text = orjson.dumps(statements).decode()
    if len(text) > limits.POLICY_BYTES:
        raise PolicyLengthExceeded(
            f"The final policy size ({len(text)}) is bigger than the limit ({limits.POLICY_BYTES})."
        )
    layer_tables.set_statements(tx, found.key, found.version, text, revision_id)
    return orjson.dumps(statement).decode()


def remove_statement(tx: Transaction, found: LayerVersion, sid: str, expected: str | None, revision_id: str) -> None:
    """Remove a statement. Raises ResourceNotFound, PreconditionFailed."""
    statements = orjson.loads(found.statements)
    if not any(statement["Sid"] == sid for statement in statements):
        raise ResourceNotFound(f"Statement {sid} is not found in resource policy.")
    _check_revision(found, expected)
    kept = [statement for statement in statements if statement["Sid"] != sid]
    layer_tables.set_statements(tx, found.key, found.version, orjson.dumps(kept).decode(), revision_id)


def _check_revision(found: LayerVersion, expected: str | None) -> None:
    if expected and expected != found.revision_id:
        raise PreconditionFailed(_STALE_REVISION)
