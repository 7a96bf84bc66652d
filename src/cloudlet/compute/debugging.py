"""A debugger's way to a function: connections to a port of this machine end at a port of the function's sandbox.

    IDE --> 127.0.0.1:PORT, this node --> a socket in the sandbox's network --> debugpy, or the inspector of Node.js

The sandbox has no way out, and needs none: the launcher makes sockets in its network, and the node connects them.
"""

import asyncio
import contextlib
from typing import Final

from cloudlet.compute.sandbox import Sandbox

INNER_PORT: Final = 49678
"""Where a debugger listens in the sandbox; 5678 and 9229 may be taken where a sandbox shares the host's network."""
TIMEOUT_S: Final = 24 * 3600
"""Of a function that is debugged: its own is not counted, nor is that of its init phase."""
MORE_MEMORY_MB: Final = 512
"""What a debugger needs beside the function."""
AGAIN_S: Final = 0.05
"""Until a debugger listens that does not yet."""
GRACE_S: Final = 1.0
CHUNK_BYTES: Final = 64 * 1024


class DebugSession:
    """One function that is debugged. Open it, give its sandbox to it, and close it in the end."""

    def __init__(self, port: int) -> None:
        self.attached = asyncio.Event()
        """Set once a debugger has been connected."""
        self._port = port
        self._sandbox: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on loopback. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    @property
    def port(self) -> int:
        """Where debuggers connect to."""
        assert self._server is not None, "not open"
        return int(self._server.sockets[0].getsockname()[1])

    def launched(self, sandbox: Sandbox) -> None:
        """The function's sandbox is there."""
        if not self._sandbox.done():
            self._sandbox.set_result(sandbox)

    def kill(self) -> None:
        """End the function, if it runs."""
        if self._sandbox.done() and not self._sandbox.cancelled():
            self._sandbox.result().kill()

    async def close(self) -> None:
        """Listen no more, and break what is connected once the sandbox has had time to end. May be called twice."""
        if self._server is not None:
            self._server.close()
        self._sandbox.cancel()
        if tasks := list(self._connections):
            await asyncio.wait(tasks, timeout=GRACE_S)  # a debugger is still to be told that its function goes on
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name=f"debugger on {self._port}")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await self._dial()
        except OSError:  # the sandbox has ended
            writer.close()
            return
        except asyncio.CancelledError:
            writer.close()
            raise
        self.attached.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, inner_writer))
                tasks.create_task(_pump(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the debugger in the sandbox, as soon as it listens. Raises OSError."""
        loop = asyncio.get_running_loop()
        sandbox = await asyncio.shield(self._sandbox)
        while True:
            sock = await sandbox.new_socket()
            try:
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", INNER_PORT))
                return await asyncio.open_connection(sock=sock)
            except ConnectionRefusedError:
                sock.close()
            except BaseException:
                sock.close()
                raise
            await asyncio.sleep(AGAIN_S)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until there is no more, and then say that there is no more."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


Debuggers = dict[str, DebugSession]
"""By the environment id of the function that is debugged."""
