"""A thread that runs jobs one after the other and reports to the event loop."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

Job = Callable[[], None]
Done = Callable[[BaseException | None], None]


class Worker:
    """One thread and its jobs. Less than half the cost of an executor's hop, which each commit takes."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job, done: Done) -> None:
        """Run `job` in the thread, then `done(error)` in the event loop."""
        self._jobs.put((job, done))

    def stop(self) -> None:
        """End the thread once its jobs are done."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, done = entry
            error: BaseException | None = None
            try:
                job()
            except BaseException as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(done, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
