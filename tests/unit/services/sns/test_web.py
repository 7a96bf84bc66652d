"""What is sent to the web: how fast."""

import asyncio
import base64
import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import quote

import pytest

from cloudlet.services.sns import endpoints
from cloudlet.services.sns.envelope import Envelopes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.sending import NotNow, NotSent
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.web import Web
from tests.support.clock import ManualClock

KEY = SubscriptionKey(TopicKey("000000000000", "us-east-1", "t"), "1")
ENDPOINT = Subscription(KEY, "000000000000", "http", "http://x", {}, "", True, True, False, 0)

TOPIC = Topic(KEY.topic, "i", {}, {}, "", 0)
MESSAGE = Message("m", KEY.topic, "i", "text", 0)
ENVELOPES = Envelopes(MESSAGE, None, "1", "")
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_a_throttle_policy_paces_messages() -> None:
    clock = ManualClock()
    web = Web(clock)
    web._pace(ENDPOINT, 2)
    with pytest.raises(NotNow) as raised:
        web._pace(ENDPOINT, 2)
    assert raised.value.after_s == pytest.approx(0.5)
    clock.advance(0.5)
    web._pace(ENDPOINT, 2)
    web._pace(ENDPOINT, None)


@asynccontextmanager
async def answering(answer: Answer, backlog: int = 100) -> AsyncIterator[Subscription]:
    """A subscription of an endpoint, each of whose connections is given to `answer`, and closed after it."""
    connections: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await answer(reader, writer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.create_task(connected(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=backlog)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield replace(ENDPOINT, endpoint=url, attributes={"RawMessageDelivery": "true"})
    finally:
        server.close()
        await asyncio.gather(*connections)


@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize("is_raw", [True, False])
async def test_each_protocol_has_its_text(protocol: str, is_raw: bool) -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))[15:])
        received.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    message = replace(MESSAGE, texts={"http": "open", "https": "secret"})
    web = Web(ManualClock())
    async with answering(answer) as subscription:
        attributes = {"RawMessageDelivery": str(is_raw).lower()}
        to = replace(subscription, protocol=protocol, attributes=attributes)
        await web.send(TOPIC, to, message, Envelopes(message, None, "1", ""))
        await web.close()
    text = message.texts[protocol]
    assert received[0].decode() == text if is_raw else json.loads(received[0])["Message"] == text


CHALLENGES = {"Basic": 'Basic realm="r"', "Digest": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
@pytest.mark.parametrize("password", ["p@ss:w", "wrong"])
async def test_an_endpoint_that_asks_is_told_its_user(scheme: str, password: str) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html"""
    given: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
            await reader.readexactly(int(headers["content-length"]))
            authorization = next((line for line in head.splitlines() if line.startswith("Authorization")), "")
            given.append(authorization)
            status = "200 OK" if is_right(authorization) else "401 No"
            told = f"HTTP/1.1 {status}\r\nWWW-Authenticate: {CHALLENGES[scheme]}\r\nContent-Length: 0\r\n\r\n"
            writer.write(told.encode())

    def is_right(authorization: str) -> bool:
        if scheme == "Basic":
            return authorization == f"Authorization: Basic {base64.b64encode(b'me:p@ss:w').decode()}"
        found = dict(re.findall(r'(\w+)="?([^",]*)"?', authorization))
        if found.get("username") != "me":
            return False
        first, second = (hashlib.md5(each).hexdigest() for each in (b"me:r:p@ss:w", b"POST:/x"))
        text = f"{first}:n:{found['nc']}:{found['cnonce']}:auth:{second}"
        return bool(found["response"] == hashlib.md5(text.encode()).hexdigest())

    web = Web(ManualClock())
    async with answering(answer) as subscription:
        url = subscription.endpoint.replace("//", f"//me:{quote(password)}@") + "x"
        to = replace(subscription, endpoint=url)
        if password == "wrong":
            with pytest.raises(NotSent, match="HTTP status 401") as raised:
                await web.send(TOPIC, to, MESSAGE, ENVELOPES)
            assert raised.value.is_permanent
        else:
            await web.send(TOPIC, to, MESSAGE, ENVELOPES)
        assert given[0] == ""
        await web.close()


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://me:secret@host/x?a=b@c", "https://me:****@host/x?a=b@c"),
        ("https://me:a:b@c@host/", "https://me:****@host/"),
        ("https://me@host/a:b@c", "https://me@host/a:b@c"),
        ("http://host:80/@", "http://host:80/@"),
    ],
)
def test_passwords_are_not_listed(endpoint: str, expected: str) -> None:
    assert endpoints.shown("https", endpoint) == expected


async def test_an_answer_is_not_unpacked() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = gzip.compress(bytes(1_000_000))
        writer.write(b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    web = Web(ManualClock())
    async with answering(answer) as subscription:
        with pytest.raises(NotSent, match=r"^HTTP status 500: $"):
            await web.send(TOPIC, subscription, MESSAGE, ENVELOPES)
        await web.close()


async def test_endpoints_that_hang_take_no_connection_away_from_others() -> None:
    """More at once than a client of aiohttp has by default: nobody is answered before all are there."""
    count, here, all_are_here = 120, 0, asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal here
        await reader.readuntil(b"\r\n\r\n")
        here += 1
        if here == count:
            all_are_here.set()
        await all_are_here.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    web = Web(ManualClock())
    async with answering(answer, backlog=count) as subscription:
        await asyncio.gather(*(web.send(TOPIC, subscription, MESSAGE, ENVELOPES) for _ in range(count)))
        await web.close()


async def test_nothing_is_sent_to_the_control_interface() -> None:
    web = Web(ManualClock())
    with pytest.raises(NotSent, match="control interface") as raised:
        await web.send(TOPIC, replace(ENDPOINT, endpoint="http://127.0.0.1:4566/_cloudlet/reset"), MESSAGE, ENVELOPES)
    assert raised.value.is_permanent
    await web.close()
