"""What Lambda needs of the compute engine, and nothing more: `FrontEnd`, `Counting` and the rest are these."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult

Prepare = Callable[[FunctionVersion], Awaitable[None]]
"""Makes a first launch a fast one: the package unpacked, the runtime there. Raises ComputeError."""

Logged = Callable[[], Awaitable[None]]
"""Waits until all that functions have logged so far is on disk."""


class Compute(Protocol):
    """Runs functions."""

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> InvocationResult:
        """Run one invocation. Raises TooManyRequests, RuntimeMissing, SandboxFailure."""

    def retire(self, function_arn: str, keep: Collection[str]) -> None:
        """Drain the function's environments but those of the ids in `keep`."""


class Limits(Protocol):
    """Counts what runs."""

    def configure(
        self,
        account: str,
        region: str,
        limit: int,
        reserved: Mapping[str, int],
        provisioned: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        """Set an account's limit and what its functions (by ARN) have reserved and, by version, provisioned of it."""


class FoundRuntime(Protocol):
    """A runtime that this machine has."""

    @property
    def name(self) -> str:
        """What it really is: another than was asked for, when only the nearest version is there."""


class RuntimeFinder(Protocol):
    """Knows the runtimes of this machine: `Runtimes`."""

    def resolve(self, name: str) -> FoundRuntime:
        """The runtime that serves functions of runtime `name`. Raises RuntimeMissing, with how to add it."""

    def snapshot_obstacle(self, name: str) -> str:
        """Why no snapshot of functions of runtime `name` can be taken; empty when it can. Raises RuntimeMissing."""
