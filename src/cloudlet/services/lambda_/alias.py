"""Aliases: names that point to a version, or to two of them with a weight.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from cloudlet.services.lambda_ import provisioned_tables, tables
from cloudlet.services.lambda_.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound
from cloudlet.services.lambda_.function import changed, check_revision, reserved_changed
from cloudlet.services.lambda_.names import LATEST, FunctionRef
from cloudlet.services.lambda_.version import sequence_of
from cloudlet.store.base import Reader, Row, Transaction

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import AliasConfigurationTypeDef


@dataclass(frozen=True, slots=True)
class Alias:
    """One row of lambda_aliases, its fields in the columns' order."""

    name: str
    sequence: int
    description: str
    other_sequence: int | None
    """The version that gets `weight` (0 to 1) of the invocations, when there is one."""
    weight: float | None
    revision_id: str

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    def describe(self, ref: FunctionRef) -> "AliasConfigurationTypeDef":
        """The alias as the API shows it."""
        shown: AliasConfigurationTypeDef = {
            "AliasArn": ref.qualified(self.name).qualified_arn,
            "Name": self.name,
            "FunctionVersion": str(self.sequence) if self.sequence else LATEST,
            "Description": self.description,
            "RevisionId": self.revision_id,
        }
        if self.other_sequence is not None and self.weight is not None:
            shown["RoutingConfig"] = {"AdditionalVersionWeights": {str(self.other_sequence): self.weight}}
        return shown


def find(reader: Reader, ref: FunctionRef, name: str) -> Alias | None:
    row = tables.alias(reader, ref, name)
    return None if row is None else Alias.from_row(row)


def get(reader: Reader, ref: FunctionRef, name: str) -> Alias:
    """Raises ResourceNotFound."""
    alias = find(reader, ref, name)
    if alias is None:
        raise ResourceNotFound(f"Cannot find alias arn: {ref.qualified(name).qualified_arn}")
    return alias


def create(tx: Transaction, ref: FunctionRef, params: Mapping[str, Any], revision_id: str) -> Alias:
    """Raises ResourceNotFound, ResourceConflict, InvalidParameterValue."""
    sequence = _existing(tx, ref, params["FunctionVersion"])
    name = params["Name"]
    if find(tx, ref, name) is not None:
        raise _exists(ref, name)
    other, weight = _routing(tx, ref, sequence, params.get("RoutingConfig"))
    alias = Alias(name, sequence, params.get("Description") or "", other, weight, revision_id)
    if not tables.insert_alias(tx, ref, astuple(alias)):
        raise _exists(ref, name)
    changed(tx, ref)
    return alias


def update(tx: Transaction, ref: FunctionRef, params: Mapping[str, Any], revision_id: str) -> Alias:
    """Change what `params` have; the revision changes always. Raises as `create` does, and PreconditionFailed."""
    name = params["Name"]
    alias = find(tx, ref, name)
    if alias is None:
        raise ResourceNotFound(f"Alias not found: {ref.qualified(name).qualified_arn}")
    check_revision(params.get("RevisionId"), alias.revision_id)
    alias = replace(alias, revision_id=revision_id)
    if (number := params.get("FunctionVersion")) is not None:
        alias = replace(alias, sequence=_existing(tx, ref, number))
    if (description := params.get("Description")) is not None:
        alias = replace(alias, description=description)
    routing = params.get("RoutingConfig")
    if routing is None and alias.other_sequence is not None:
        routing = {"AdditionalVersionWeights": {str(alias.other_sequence): alias.weight}}
    other, weight = _routing(tx, ref, alias.sequence, routing)
    alias = replace(alias, other_sequence=other, weight=weight)
    tables.update_alias(tx, ref, astuple(alias))
    changed(tx, ref)
    if provisioned_tables.one(tx, ref.qualified(name)) is not None:
        reserved_changed(tx, ref)  # what it has provisioned goes to the version that it points to now
    return alias


def delete(tx: Transaction, ref: FunctionRef, name: str) -> None:
    """An alias that is not there is none to delete."""
    if provisioned_tables.one(tx, ref.qualified(name)) is not None:
        reserved_changed(tx, ref)
    if tables.delete_alias(tx, ref, name):
        changed(tx, ref)


def _exists(ref: FunctionRef, name: str) -> ResourceConflict:
    return ResourceConflict(f"Alias already exists: {ref.qualified(name).qualified_arn}")


def _existing(tx: Transaction, ref: FunctionRef, number: str) -> int:
    sequence = sequence_of(number)
    if tables.version(tx, ref, sequence) is None:
        raise ref.qualified(number).not_found()
    return sequence


def _routing(
    tx: Transaction, ref: FunctionRef, sequence: int, routing: Mapping[str, Any] | None
) -> tuple[int | None, float | None]:
    """The second version and its weight. The model has checked that keys are numbers and weights from 0 to 1."""
    weights: Mapping[str, float] = (routing or {}).get("AdditionalVersionWeights") or {}
    if not weights:
        return None, None
    if len(weights) > 1:
        raise InvalidParameterValue("Number of items in AdditionalVersionWeights cannot be greater than 1")
    [(number, weight)] = weights.items()
    if sequence_of(number) == sequence:
        raise InvalidParameterValue(
            f"Invalid function version {number}. "
            f"Function version {number} is already included in routing configuration."
        )
    if sequence == 0:
        raise InvalidParameterValue(
            "$LATEST is not supported for an alias pointing to more than 1 version", typed=False
        )
    return _existing(tx, ref, number), float(weight)
