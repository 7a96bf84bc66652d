"""One invocation on its way through the engine."""

import asyncio
from collections.abc import Callable

from cloudlet.compute.function import Invocation, InvocationResult
from cloudlet.compute.meter import Outcome


class ActiveInvocation:
    """An invocation with the caller who waits for it, and the concurrency it holds until it has really ended.

    A caller who goes away does not end what runs: as on AWS, the function runs on and is counted until it is done.
    """

    __slots__ = ("_release", "future", "invocation", "started")

    def __init__(
        self, invocation: Invocation, future: "asyncio.Future[InvocationResult]", release: Callable[[Outcome], None]
    ) -> None:
        self.invocation = invocation
        self.future = future
        self.started = 0.0
        """When it was handed to an environment, on the monotonic clock."""
        self._release: Callable[[Outcome], None] | None = release

    @property
    def is_over(self) -> bool:
        """True once it was resolved or failed."""
        return self._release is None

    def answer(self, result: InvocationResult) -> None:
        """Give the caller the result, while the environment is still at it: extensions may have more to do."""
        if self._release is not None and not self.future.done():
            self.future.set_result(result)

    def resolve(self, result: InvocationResult) -> None:
        """Give the caller the result. Only the first of `resolve`, `fail` and `abandon` counts."""
        release = self._release
        if release is not None:
            self._release = None
            release(result)
            if not self.future.done():
                self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Tell the caller that the platform could not run it."""
        release = self._release
        if release is not None:
            self._release = None
            release(error)
            if not self.future.done():
                self.future.set_exception(error)

    def abandon(self) -> None:
        """Nobody waits for it any more, and it has not begun."""
        release = self._release
        if release is not None:
            self._release = None
            release(None)
            self.future.cancel()
