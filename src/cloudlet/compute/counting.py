"""Concurrency: how many invocations of an account and of each of its functions run at this moment.

An account has a limit in a region. A function may reserve a part of it: then it always has that many and never more,
and all other functions share the rest. Of what a function has, versions may have some provisioned: an invocation of
such a version takes these first, and nothing else can; what is left of a function's is for all its versions.

What runs is counted per function always, so that a change of what is reserved takes effect at once and never loses
count. Requests are limited too: ten times the concurrency in a second (see `Rate`).

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from collections.abc import Mapping
from typing import Protocol

from cloudlet.compute.function import FunctionVersion, TooManyRequests
from cloudlet.compute.request_rate import Rate

FUNCTION_RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"
FUNCTION_RATE = "ReservedFunctionInvocationRateLimitExceeded"
ACCOUNT_RATE = "FunctionInvocationRateLimitExceeded"
DEFAULT_LIMIT = 1000
"""Concurrent executions of a new account: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

Provisioned = Mapping[str, Mapping[str, int]]
"""What functions, by their ARN, have provisioned of each version."""


class Counted(Protocol):
    """What was taken by `Counting.acquire`."""

    def release(self) -> None:
        """Give it back."""


class ProvisionedSlot:
    """One version's invocations on what it has provisioned."""

    __slots__ = ("limit", "used")

    def __init__(self) -> None:
        self.used = 0
        self.limit = 0

    def release(self) -> None:
        """Count one invocation less."""
        assert self.used > 0, "released more often than acquired"
        self.used -= 1


class Slot:
    """One function's running invocations. `release` gives back what one `Counting.acquire` took."""

    __slots__ = ("_account", "provisioned", "rate", "reserved", "used")

    def __init__(self, account: "_Account") -> None:
        self._account = account
        self.used = 0
        self.reserved: int | None = None
        """None while the function shares the account's unreserved concurrency. Without what is provisioned."""
        self.rate: Rate | None = None
        """Of a function with a reservation."""
        self.provisioned: dict[str, ProvisionedSlot] | None = None
        """By version."""

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

    @property
    def total_used(self) -> int:
        """All that run."""
        return self.used + sum(slot.used for slot in (self.provisioned or {}).values())

    def provision(self, by_version: Mapping[str, int]) -> None:
        """Set what versions have provisioned. What runs on that of a version that has none any more runs on."""
        slots = self.provisioned or {}
        for version in by_version:
            slots.setdefault(version, ProvisionedSlot())
        for version, slot in list(slots.items()):
            slot.limit = by_version.get(version, 0)
            if not slot.limit and not slot.used:
                del slots[version]
        self.provisioned = slots or None


class _Account:
    """An account in one region."""

    __slots__ = ("rate", "slots", "unreserved_limit", "unreserved_used")

    def __init__(self, limit: int, rate: Rate | None) -> None:
        self.unreserved_limit = limit
        self.unreserved_used = 0
        self.rate = rate
        """Of all functions without a reservation."""
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

    def __init__(self, default_limit: int = DEFAULT_LIMIT, rate_factor: int = 0) -> None:
        """`rate_factor`: requests in a second per unit of concurrency; 0 for any number."""
        self._default_limit = default_limit
        self._rate_factor = rate_factor
        self._accounts: dict[tuple[str, str], _Account] = {}

    def configure(
        self,
        account: str,
        region: str,
        limit: int,
        reserved: Mapping[str, int],
        provisioned: Provisioned | None = None,
    ) -> None:
        """Set an account's limit, and what its functions reserve, by their ARN; the others reserve nothing.

        Invocations that run go on, also where there are now more of them than allowed.
        """
        entry = self._account(account, region)
        prefix = f"arn:aws:lambda:{region}:{account}:function:"
        by_name = {arn.removeprefix(prefix): count for arn, count in reserved.items()}
        versions = {arn.removeprefix(prefix): counts for arn, counts in (provisioned or {}).items()}
        for name in (*by_name, *versions):
            entry.slot(name)
        shared_provisioned = 0
        for name, slot in list(entry.slots.items()):
            total = by_name.get(name)
            own = versions.get(name, {})
            slot.provision(own)
            slot.reserved = None if total is None else max(0, total - sum(own.values()))
            slot.rate = None if total is None else self._rate(slot.rate, total, FUNCTION_RATE)
            if total is None:
                shared_provisioned += sum(own.values())
                if slot.used == 0 and slot.provisioned is None:
                    del entry.slots[name]
        unreserved = max(0, limit - sum(by_name.values()))
        entry.unreserved_limit = max(0, unreserved - shared_provisioned)
        entry.rate = self._rate(entry.rate, unreserved, ACCOUNT_RATE)
        entry.unreserved_used = sum(slot.used for slot in entry.slots.values() if slot.reserved is None)

    def acquire(self, function: FunctionVersion, *, is_event: bool = False) -> Counted:
        """Count an invocation of `function`; `release` what it returns when it has ended.

        The rate of events of the platform's own queue is not limited. Raises TooManyRequests with the reason that
        AWS gives.
        """
        entry = self._accounts.get((function.account, function.region))
        if entry is None:
            entry = self._account(function.account, function.region)
        slot = entry.slots.get(function.name)
        if slot is None:
            slot = entry.slot(function.name)
        if not is_event:
            rate = entry.rate if slot.reserved is None else slot.rate
            if rate is not None:
                rate.take()
        if slot.provisioned is not None:
            own = slot.provisioned.get(function.version)
            if own is not None and own.used < own.limit:
                own.used += 1
                return own
        slot.acquire()
        return slot

    def running(self, account: str, region: str, name: str | None = None) -> int:
        """How many invocations run now, of one function or of the whole account."""
        entry = self._account(account, region)
        if name is not None:
            slot = entry.slots.get(name)
            return slot.total_used if slot else 0
        return sum(slot.total_used for slot in entry.slots.values())

    def _account(self, account: str, region: str) -> _Account:
        entry = self._accounts.get((account, region))
        if entry is None:
            rate = self._rate(None, self._default_limit, ACCOUNT_RATE)
            entry = self._accounts[account, region] = _Account(self._default_limit, rate)
        return entry

    def _rate(self, current: Rate | None, concurrency: int, reason: str) -> Rate | None:
        if not self._rate_factor:
            return None
        rate = current or Rate(reason)
        rate.limit = concurrency * self._rate_factor
        return rate
