"""Reserved concurrency, and the account's limits and usage.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from cloudlet.services.base import Result
from cloudlet.services.lambda_ import layer_tables, limits, provisioned_tables, tables
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.function import reserved_changed
from cloudlet.services.lambda_.names import LATEST, FunctionRef
from cloudlet.store.base import Reader, Transaction


def reserved(reader: Reader, ref: FunctionRef) -> int | None:
    """What the function has reserved. Raises ResourceNotFound."""
    row = tables.function(reader, ref)
    if row is None:
        raise ref.not_found()
    return None if row[2] is None else int(row[2])


def put(tx: Transaction, ref: FunctionRef, amount: int, account_limit: int) -> None:
    """Reserve. Raises ResourceNotFound, InvalidParameterValue when too little is left for all others."""
    before = reserved(tx, ref.qualified(LATEST)) or 0
    own_provisioned = provisioned_tables.of_function(tx, ref)
    if amount < own_provisioned:
        raise InvalidParameterValue(
            f" ReservedConcurrentExecutions  {amount} should not be lower than function's total provisioned concurrency"
            f" [{own_provisioned}]."
        )
    _, _, all_reserved = tables.usage(tx, ref.account, ref.region)
    if account_limit - all_reserved + before - amount < limits.MINIMUM_UNRESERVED_CONCURRENCY:
        raise InvalidParameterValue(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{limits.MINIMUM_UNRESERVED_CONCURRENCY}].",
            typed=False,
        )
    _set(tx, ref, amount)


def delete(tx: Transaction, ref: FunctionRef) -> None:
    """Reserve nothing. Raises ResourceNotFound."""
    reserved(tx, ref)
    _set(tx, ref, None)


def account_settings(reader: Reader, account: str, region: str, account_limit: int) -> Result:
    """What GetAccountSettings answers."""
    functions, code_bytes, all_reserved = tables.usage(reader, account, region)
    code_bytes += layer_tables.stored_bytes(reader, account, region)
    return {
        "AccountLimit": {
            "TotalCodeSize": limits.TOTAL_CODE_BYTES,
            "CodeSizeUnzipped": limits.UNZIPPED_BYTES,
            "CodeSizeZipped": limits.ZIPPED_BYTES,
            "ConcurrentExecutions": account_limit,
            "UnreservedConcurrentExecutions": account_limit - all_reserved,
        },
        "AccountUsage": {"TotalCodeSize": code_bytes, "FunctionCount": functions},
    }


def _set(tx: Transaction, ref: FunctionRef, amount: int | None) -> None:
    tables.set_reserved_concurrency(tx, ref, amount)
    reserved_changed(tx, ref)
