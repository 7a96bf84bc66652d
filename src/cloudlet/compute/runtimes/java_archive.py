"""Makes the archive of classes that a Java runtime starts with: a third of the time that it takes without.

The runtime client is run once, answers one event, and Java writes down all classes that this took ("dynamic class data
sharing", https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html). An archive is good only for the same
jars at the same paths, so the client is run where a sandbox has it, at /var/runtime. Without namespaces, or should
anything else go wrong, there is no archive, and Java starts as it always does.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from .interpreter import Interpreter

VERSION: Final = "2"
"""Of the way in which it is made."""
ARCHIVE: Final = "runtime.jsa"
MAIN_JAR: Final = "runtime.jar"
_LIMIT_S = 60.0
_EVENT = b'{"text":"","number":1,"fraction":2.5,"list":[true,null],"object":{"a":1}}'
_HANDLER = "java.util.HashMap::putAll"
"""A method that takes an event: the class library has it, so that nothing must be compiled."""
_JNI = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI"
_LAUNCHER = Path(__file__).parents[1] / "launcher"
_STAND_IN = "import sys; sys.path.insert(0, sys.argv[1]); from agent.stand_in import main; main(*sys.argv[2:])"


def make(interpreter: Interpreter, folder: Path) -> bool:
    """Put the archive into `folder`, which holds all else. Returns whether there is one now."""
    java = [
        str(interpreter.executable), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:cds*=off",
        f"-XX:ArchiveClassesAtExit=/var/runtime/{ARCHIVE}", f"-D{_JNI}=/var/runtime/jni.so",
        "-jar", f"/var/runtime/{MAIN_JAR}", _HANDLER,
    ]  # fmt: skip
    command = [sys.executable, "-I", "-S", "-c", _STAND_IN, str(_LAUNCHER), str(folder), *java]
    with _runtime_api() as (address, has_answered):
        environment = {
            "AWS_LAMBDA_RUNTIME_API": address, "LAMBDA_TASK_ROOT": "/tmp", "AWS_REGION": "us-east-1",  # noqa: S108
            "AWS_LAMBDA_FUNCTION_NAME": "prepare", "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_GROUP_NAME": "-",
            "AWS_LAMBDA_LOG_STREAM_NAME": "-", "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        process = subprocess.Popen(
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            if _wait(process, has_answered):
                process.send_signal(signal.SIGTERM)  # on which Java ends in order, and writes the archive
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LIMIT_S)
        finally:
            process.kill()
            process.wait()
    return (folder / ARCHIVE).is_file() and os.stat(folder / ARCHIVE).st_size > 0  # noqa: PTH116


def _wait(process: subprocess.Popen[bytes], has_answered: threading.Event) -> bool:
    """True once it has answered; False when it has ended instead."""

    def watch() -> None:
        process.wait()
        ended.set()
        has_answered.set()

    ended = threading.Event()
    threading.Thread(target=watch, daemon=True).start()
    return has_answered.wait(_LIMIT_S) and not ended.is_set()


@contextlib.contextmanager
def _runtime_api() -> Iterator[tuple[str, threading.Event]]:
    """A Runtime API with one event. Gives its address, and what is set once a second event is asked for."""
    has_answered = threading.Event()
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        events = 0

        def do_GET(self) -> None:
            Handler.events += 1
            if Handler.events > 1:
                has_answered.set()
                is_over.wait(_LIMIT_S)
                return
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
            self.send_header("Lambda-Runtime-Deadline-Ms", "4000000000000")
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:0:function:prepare")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(_EVENT)))
            self.end_headers()
            self.wfile.write(_EVENT)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", has_answered
        finally:
            is_over.set()
            server.shutdown()
