"""Extensions for tests: Python scripts that run in sandboxes as external extensions, with a few functions at hand."""

import hashlib
import textwrap
from collections.abc import Mapping

from tests.support.compute_engine import Engine
from tests.support.sandboxes import write_files

PRELUDE = '''#!/var/lang/bin/python3
import http.client, http.server, json, os, socketserver, sys, threading

NAME = os.path.basename(sys.argv[0])
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
IDENTIFIER = ""


def say(*words):
    """A line of the log, whole."""
    texts = [word if isinstance(word, str) else json.dumps(word) for word in words]
    os.write(1, (" ".join([NAME, *texts]) + "\\n").encode())


def call(method, path, body=None, **headers):
    """Status, headers and body of what the platform answers."""
    connection = http.client.HTTPConnection(API)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if IDENTIFIER:
        named.setdefault("Lambda-Extension-Identifier", IDENTIFIER)
    connection.request(method, path, None if body is None else json.dumps(body), named)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def register(*events, name=NAME):
    global IDENTIFIER
    status, headers, body = call(
        "POST",
        "/2020-01-01/extension/register",
        {"events": list(events)},
        Lambda_Extension_Name=name,
        Lambda_Extension_Accept_Feature="accountId",
    )
    IDENTIFIER = headers.get("Lambda-Extension-Identifier", IDENTIFIER)
    return status, json.loads(body)


def next_event():
    return json.loads(call("GET", "/2020-01-01/extension/event/next")[2])


def listen(take, port=8080):
    """Serve on `port`; `take` gets the events of every batch."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("sandbox.localdomain", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def subscribe(types, uri="http://sandbox.localdomain:8080", api="2022-07-01/telemetry", version="2022-12-13", **more):
    body = {"schemaVersion": version, "types": types, "destination": {"protocol": "HTTP", "URI": uri}, **more}
    status, _, answer = call("PUT", "/" + api, body)
    return status, answer.decode()


'''


def script(source: str) -> str:
    """An executable file that runs `source` with the functions above."""
    return PRELUDE + textwrap.dedent(source)


def layer(engine: Engine, files: Mapping[str, str]) -> str:
    """A layer with these files; what a function names in its `layers`."""
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    if digest not in engine.code.folders:
        engine.code.folders[digest] = write_files(engine.folder / digest[:16], files)
    return digest


def extensions(engine: Engine, **sources: str) -> tuple[str, ...]:
    """Layers with one extension for each of `sources`."""
    return (layer(engine, {f"extensions/{name}": script(source) for name, source in sources.items()}),)
