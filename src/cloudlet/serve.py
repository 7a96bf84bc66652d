"""A node as a process: its loop, its signals, its log."""

import asyncio
import gc
import logging
import os
import signal
import sys

import uvloop

from cloudlet import __version__, observe
from cloudlet.config import Config
from cloudlet.errors import CloudletError
from cloudlet.node import Node

logger = logging.getLogger(__name__)


class NodeFailed(CloudletError):
    """A part of the node has failed, and the node has stopped. Its log says more."""


def run(config: Config) -> None:
    """Run a node until SIGTERM, SIGINT or SIGHUP (its terminal is gone); a second signal hurries its end.

    Raises what `Node` raises at its start, and NodeFailed.
    """
    os.umask(0o077)
    observe.configure(config.log_format, sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Process(config).serve())


def _settle_memory() -> None:
    """Take what the start has made out of the collector's sight: it stays, and each look through it costs 20 ms.

    The command line starts a node without the collector.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def _announce(line: str) -> None:
    """Print a line. A node goes on that nobody listens to, or whose disk is full."""
    try:
        print(line, flush=True)
    except OSError as error:
        logger.warning("nobody takes what this prints", extra={"reason": error.strerror})
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # the line waits in a buffer, and would fail again at the end
        os.close(nowhere)


class _Process:
    def __init__(self, config: Config) -> None:
        self._node = Node(config)
        self._stop = asyncio.Event()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(self._serve())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
                loop.add_signal_handler(number, self._signalled, serving)
        try:
            await serving
        except asyncio.CancelledError:
            if not self._stop.is_set():
                raise

    async def _serve(self) -> None:
        async with self._node as node:
            _announce(f"Cloudlet {__version__} serves at {node.endpoint}")
            _settle_memory()
            _announce("Ready.")
            stop, failed = asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(node.failed())
            await asyncio.wait([stop, failed], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            failed.cancel()
        if not self._stop.is_set():
            raise NodeFailed("A part of the node has failed, and the node has stopped; its log says more.")

    def _signalled(self, serving: asyncio.Task[None]) -> None:
        if self._stop.is_set():
            self._node.hurry()
        elif not self._node.is_ready:
            serving.cancel()  # still starting: nothing is there to be finished
        self._stop.set()
