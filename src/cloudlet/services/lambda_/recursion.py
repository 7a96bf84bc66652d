"""Recursive loops: a function that comes back again and again in one chain of events is stopped.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from cloudlet.compute import lineage
from cloudlet.compute.function import Invocation
from cloudlet.services.lambda_ import code_signing_tables
from cloudlet.services.lambda_.errors import RecursiveInvocation
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.store.base import Reader

ALLOW, TERMINATE = "Allow", "Terminate"
INVOCATIONS = 16
"""So often a function runs in one chain of events."""
CONDITION = "RecursiveInvocation"
"""Why an event of such a chain is given to its destination for failures."""
STOPPED = (
    "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and "
    "stopped your function's invocation."
)


def setting(reader: Reader, ref: FunctionRef) -> str:
    """`Terminate`, unless the function's owner has said `Allow`."""
    _, recursive_loop = code_signing_tables.settings(reader, ref)
    return recursive_loop or TERMINATE


def enter(invocation: Invocation, function_arn: str, *, is_allowed: bool) -> None:
    """The function is about to run: its chain of events, if it is in one, gets longer.

    Raises RecursiveInvocation where it has run often enough in it, unless that `is_allowed`.
    """
    if not invocation.trace_id:
        return  # the first of a chain: compute gives it a header
    trace_id, returns = lineage.entered(invocation.trace_id, function_arn)
    if returns >= INVOCATIONS and not is_allowed:
        raise RecursiveInvocation(STOPPED)
    invocation.trace_id = trace_id
