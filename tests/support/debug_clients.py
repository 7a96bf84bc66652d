"""Debuggers: as much of the Debug Adapter Protocol and of the inspector's protocol as shows that one can be used."""

import base64
import json
import os
import socket
import struct
import urllib.request
from typing import Any, Self
from urllib.parse import urlsplit

Json = dict[str, Any]


class _Client:
    """A connection to a debugger: what was sent is numbered, and what came before it was wanted is kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=100)
        self._stream = self._socket.makefile("rb")
        self._sequence = 0
        self._kept: list[Json] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()


class DebugAdapterClient(_Client):
    """What an editor is to debugpy. https://microsoft.github.io/debug-adapter-protocol/specification"""

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; its number."""
        self._sequence += 1
        message = {"seq": self._sequence, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return self._sequence

    def request(self, command: str, **arguments: Any) -> Json:
        """Send a request; the body of its answer."""
        number = self.send(command, **arguments)
        answer = self._await(lambda each: each.get("request_seq") == number)
        assert answer["success"], answer
        body: Json = answer.get("body") or {}
        return body

    def event(self, name: str) -> Json:
        """The next event of this name."""
        body: Json = self._await(lambda each: each.get("event") == name).get("body") or {}
        return body

    def _await(self, is_wanted: Any) -> Json:
        for place, message in enumerate(self._kept):
            if is_wanted(message):
                return self._kept.pop(place)
        while True:
            message = self._read()
            if is_wanted(message):
                return message
            self._kept.append(message)

    def _read(self) -> Json:
        length = 0
        while line := self._stream.readline().strip():
            length = int(line.removeprefix(b"Content-Length:"))
        message: Json = json.loads(self._stream.read(length))
        return message


class InspectorClient(_Client):
    """What an editor is to Node.js: a WebSocket client. https://chromedevtools.github.io/devtools-protocol/v8/"""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=100) as answer:
            [target] = json.load(answer)
        path = urlsplit(target["webSocketDebuggerUrl"]).path
        super().__init__(port)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in self._stream.readline()
        while self._stream.readline().strip():
            pass

    def send(self, method: str, **params: Any) -> int:
        """Call a method, without waiting for its result; the number of the call."""
        self._sequence += 1
        self._send(json.dumps({"id": self._sequence, "method": method, "params": params}).encode())
        return self._sequence

    def call(self, method: str, **params: Any) -> Json:
        """Call a method; its result."""
        number = self.send(method, **params)
        while True:
            message = self._read()
            if message.get("id") == number:
                assert "error" not in message, message
                result: Json = message["result"]
                return result
            self._kept.append(message)

    def event(self, method: str) -> Json:
        """The next event of this name."""
        while True:
            message = self._kept.pop(0) if self._kept else self._read()
            if message.get("method") == method:
                params: Json = message["params"]
                return params

    def _send(self, data: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self._socket.sendall(b"\x81" + length + mask + masked)

    def _read(self) -> Json:
        _, length = self._stream.read(2)
        if length == 126:
            [length] = struct.unpack(">H", self._stream.read(2))
        elif length == 127:
            [length] = struct.unpack(">Q", self._stream.read(8))
        message: Json = json.loads(self._stream.read(length))
        return message
