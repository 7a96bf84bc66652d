"""The lineage of an invocation: how often a function has been in the chain of events that leads to it.

It is a part of the X-Ray trace header, which the SDKs hand on from a function to whatever they call:

    Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=3:a87bd80c:1
                                                                        invocations ^        ^ returns to the
                                                       in the chain, up to 255      function of this hash

One function of the chain is marked by its hash, and its returns are counted. Where it has not come back, each second,
fourth, eighth ... invocation marks its own function instead (Brent's algorithm for cycles), so that a loop that is
entered from outside is found too; the header stays short, however long the chain is.
"""

import re
import zlib
from functools import lru_cache
from typing import Final

MAX_INVOCATIONS: Final = 255
_LINEAGE = re.compile(r";?Lineage=(\d{1,3}):([0-9a-f]{8}):(\d{1,5})(?=;|$)")


def entered(trace: str, function_arn: str) -> tuple[str, int]:
    """The header with which this function runs, given the one that came; and how often it has come back by now.

    `function_arn` is without qualifier: all versions of a function are one.
    """
    own = _hash(function_arn)
    if "Lineage=" not in trace or (found := _LINEAGE.search(trace)) is None:
        return f"{trace};Lineage=1:{own}:0", 0
    invocations, marked, returns = int(found[1]), found[2], int(found[3])
    invocations = invocations + 1 if invocations < MAX_INVOCATIONS else 1
    is_marking = invocations & (invocations - 1) == 0
    if marked == own:
        returns += 1
    elif is_marking and (returns == 0 or invocations == 1):
        marked, returns = own, 0
    rest = trace[: found.start()] + trace[found.end() :]
    return f"{rest};Lineage={invocations}:{marked}:{returns}", returns if marked == own else 0


@lru_cache(maxsize=4096)
def _hash(function_arn: str) -> str:
    return f"{zlib.crc32(function_arn.encode()):08x}"
