"""Responses that are passed on while the function writes them."""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient

BOOTSTRAP = """#!/usr/bin/env python3
import base64, json, os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
base = "/2018-06-01/runtime/invocation/"

def ask(head, body=b""):
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.encode() + b"\\r\\n" + body)
    return connection

def event():
    reader = ask("GET " + base + "next HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n").makefile("rb")
    headers = {}
    for line in iter(reader.readline, b"\\r\\n"):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return headers["lambda-runtime-aws-request-id"], json.loads(reader.read(int(headers["content-length"])))

while True:
    request, asked = event()
    head = "POST " + base + request + "/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
    head += "Content-Type: " + asked.get("type", "text/plain") + "\\r\\n"
    head += "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n"
    if asked.get("fail"):
        head += "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n"
    connection = ask(head)
    def write(data):
        connection.sendall(b"%x\\r\\n" % len(data) + data + b"\\r\\n")
    for chunk in asked.get("chunks", ()):
        write(chunk.encode())
    for _ in range(asked.get("blocks", 0)):
        write(bytes(65536))
    if asked.get("hang"):
        time.sleep(1000)
    connection.sendall(b"0\\r\\n")
    if asked.get("fail"):
        error = base64.b64encode(json.dumps({"errorType": "Broken", "errorMessage": "off"}).encode())
        connection.sendall(b"Lambda-Runtime-Function-Error-Type: Broken\\r\\n")
        connection.sendall(b"Lambda-Runtime-Function-Error-Body: " + error + b"\\r\\n")
    connection.sendall(b"\\r\\n")
    connection.recv(4096)
"""
PLAIN = "def handler(event, context):\n    if event.get('fail'):\n        raise ValueError('no')\n    return event\n"


def create_streaming(aws: Any, name: str = "fn", **settings: Any) -> Any:
    """A function that streams what its event says."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, BOOTSTRAP)
    return create_function(aws, name, "", Runtime="provided.al2023", Code={"ZipFile": code.getvalue()}, **settings)


def stream(aws: Any, event: Any, **params: Any) -> Any:
    return aws.invoke_with_response_stream(FunctionName="fn", Payload=json.dumps(event), **params)


def parts(answer: Any) -> tuple[bytes, dict[str, Any]]:
    """All chunks together, and what the completion says."""
    body, complete = b"", {}
    for event in answer["EventStream"]:
        if "PayloadChunk" in event:
            body += event["PayloadChunk"]["Payload"]
        else:
            complete = event["InvokeComplete"]
    return body, complete


def test_a_response_comes_whole(client: MakeClient) -> None:
    aws = client("lambda")
    create_streaming(aws)
    answer = stream(aws, {"chunks": ["one ", "two"]}, LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    body, complete = parts(answer)
    assert body == b"one two"
    assert complete.keys() == {"LogResult"}


def test_a_chunk_arrives_before_the_function_has_ended(client: MakeClient) -> None:
    aws = client("lambda")
    create_streaming(aws, Timeout=60)
    events = stream(aws, {"chunks": ["first"], "hang": True})["EventStream"]
    assert next(iter(events))["PayloadChunk"]["Payload"] == b"first"
    events.close()
    aws.delete_function(FunctionName="fn")


def test_a_timeout_breaks_the_stream_off(client: MakeClient) -> None:
    aws = client("lambda")
    create_streaming(aws, Timeout=1)
    body, complete = parts(stream(aws, {"chunks": ["first"], "hang": True}))
    assert body == b"first"
    assert complete["ErrorCode"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in complete["ErrorDetails"]


def test_an_error_in_the_middle_ends_the_stream(client: MakeClient) -> None:
    aws = client("lambda")
    create_streaming(aws)
    body, complete = parts(stream(aws, {"chunks": ["first"], "fail": True}))
    assert body == b"first"
    assert complete["ErrorCode"] == "Broken"
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "off"
    assert parts(stream(aws, {"chunks": ["again"]}))[0] == b"again"


def test_a_function_that_answers_in_one_piece_streams_one(client: MakeClient) -> None:
    aws = client("lambda")
    create_function(aws, "fn", PLAIN)
    assert parts(stream(aws, {"a": 1})) == (b'{"a": 1}', {})
    body, complete = parts(stream(aws, {"fail": 1}))
    assert body == b""
    assert (complete["ErrorCode"], json.loads(complete["ErrorDetails"])["errorMessage"]) == ("ValueError", "no")


def test_a_stream_is_gathered_for_who_wants_it_in_one_piece(client: MakeClient) -> None:
    aws = client("lambda")
    create_streaming(aws)
    answer = aws.invoke(FunctionName="fn", Payload=json.dumps({"chunks": ["one ", "two"]}))
    assert answer["Payload"].read() == b"one two"


def test_more_than_6_mb_can_be_streamed(client: MakeClient) -> None:
    aws = client("lambda")
    create_streaming(aws, Timeout=60)
    body, complete = parts(stream(aws, {"blocks": 320}))
    assert (len(body), complete) == (320 * 65536, {})


def test_a_reader_that_goes_away_does_not_end_the_function(client: MakeClient) -> None:
    aws, logs = client("lambda"), client("logs")
    create_streaming(aws, Timeout=60)
    answer = stream(aws, {"blocks": 160})
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    found: list[Any] = []
    while not found:
        if logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/fn")["logGroups"]:
            found = logs.filter_log_events(logGroupName="/aws/lambda/fn", filterPattern="REPORT")["events"]
    assert "Status" not in found[0]["message"]


def test_errors_before_the_first_byte_are_plain_ones(client: MakeClient) -> None:
    aws = client("lambda")
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        stream(aws, {})
    create_streaming(aws)
    aws.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refused:
        stream(aws, {})
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"


def test_many_streams_run_beside_each_other(client: MakeClient) -> None:
    aws = client("lambda", max_pool_connections=8)
    create_streaming(aws)
    found: list[bytes] = []

    def run(number: int) -> Callable[[], None]:
        return lambda: found.append(parts(stream(aws, {"chunks": [str(number)] * 50}))[0])

    threads = [threading.Thread(target=run(number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [str(number).encode() * 50 for number in range(8)]
