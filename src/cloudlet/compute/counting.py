"""Concurrency: how many invocations of an account and of each of its functions run at this moment.

An account has a limit in a region. A function may reserve a part of it: then it always has that many and never more,
and all other functions share the rest. What runs is counted per function always, so that a change of what is reserved
takes effect at once and never loses count.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from collections.abc import Mapping

from cloudlet.compute.function import FunctionVersion, TooManyRequests

FUNCTION_RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"
DEFAULT_LIMIT = 1000
"""Concurrent executions of a new account: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class Slot:
    """One function's running invocations. `release` gives back what one `Counting.acquire` took."""

    __slots__ = ("_account", "reserved", "used")

    def __init__(self, account: "_Account") -> None:
        self._account = account
        self.used = 0
        self.reserved: int | None = None
        """None while the function shares the account's unreserved concurrency."""

    def acquire(self) -> None:
        """Count one more invocation. Raises TooManyRequests."""
        if self.reserved is None:
            account = self._account
            if account.unreserved_used >= account.unreserved_limit:
                raise TooManyRequests(ACCOUNT_LIMIT)
            account.unreserved_used += 1
        elif self.used >= self.reserved:
            raise TooManyRequests(FUNCTION_RESERVED)
        self.used += 1

    def release(self) -> None:
        """Count one invocation less."""
        assert self.used > 0, "released more often than acquired"
        self.used -= 1
        if self.reserved is None:
            self._account.unreserved_used -= 1


class _Account:
    """An account in one region."""

    __slots__ = ("slots", "unreserved_limit", "unreserved_used")

    def __init__(self, limit: int) -> None:
        self.unreserved_limit = limit
        self.unreserved_used = 0
        self.slots: dict[str, Slot] = {}

    def slot(self, name: str) -> Slot:
        slot = self.slots.get(name)
        if slot is None:
            slot = self.slots[name] = Slot(self)
        return slot


class Counting:
    """Counts the running invocations of all accounts on this node, and refuses those beyond a limit.

    Nothing waits here: what finds no slot is refused at once, so functions that call each other cannot deadlock.
    """

    def __init__(self, default_limit: int = DEFAULT_LIMIT) -> None:
        self._default_limit = default_limit
        self._accounts: dict[tuple[str, str], _Account] = {}

    def configure(self, account: str, region: str, limit: int, reserved: Mapping[str, int]) -> None:
        """Set an account's limit, and what its functions reserve, by their ARN; the others reserve nothing.

        Invocations that run go on, also where there are now more of them than allowed.
        """
        entry = self._account(account, region)
        prefix = f"arn:aws:lambda:{region}:{account}:function:"
        by_name = {arn.removeprefix(prefix): count for arn, count in reserved.items()}
        for name in by_name:
            entry.slot(name)
        for name, slot in list(entry.slots.items()):
            slot.reserved = by_name.get(name)
            if slot.reserved is None and slot.used == 0:
                del entry.slots[name]
        entry.unreserved_limit = max(0, limit - sum(by_name.values()))
        entry.unreserved_used = sum(slot.used for slot in entry.slots.values() if slot.reserved is None)

    def acquire(self, function: FunctionVersion) -> Slot:
        """Count an invocation of `function`; `release` the slot when it has ended.

        Raises TooManyRequests with the reason that AWS gives.
        """
        entry = self._accounts.get((function.account, function.region))
        if entry is None:
            entry = self._account(function.account, function.region)
        slot = entry.slots.get(function.name)
        if slot is None:
            slot = entry.slot(function.name)
        slot.acquire()
        return slot

    def running(self, account: str, region: str, name: str | None = None) -> int:
        """How many invocations run now, of one function or of the whole account."""
        entry = self._account(account, region)
        if name is not None:
            slot = entry.slots.get(name)
            return slot.used if slot else 0
        return sum(slot.used for slot in entry.slots.values())

    def _account(self, account: str, region: str) -> _Account:
        entry = self._accounts.get((account, region))
        if entry is None:
            entry = self._accounts[account, region] = _Account(self._default_limit)
        return entry
