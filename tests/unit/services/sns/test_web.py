"""What is sent to the web: how fast."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

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
    """A subscription of an endpoint, each of whose connections is given to `answer`."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=backlog)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield replace(ENDPOINT, endpoint=url, attributes={"RawMessageDelivery": "true"})
    finally:
        server.close()


@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize("is_raw", [True, False])
async def test_each_protocol_has_its_text(protocol: str, is_raw: bool) -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))[15:])
        received.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    message = replace(MESSAGE, texts={"http": "open", "https": "secret"})
    web = Web(ManualClock())
    async with answering(answer) as subscription:
        attributes = {"RawMessageDelivery": str(is_raw).lower()}
        to = replace(subscription, protocol=protocol, attributes=attributes)
        await web.send(TOPIC, to, message, Envelopes(message, None, "1", ""))
        await web.close()
    text = message.texts[protocol]
    assert received[0].decode() == text if is_raw else json.loads(received[0])["Message"] == text


async def test_an_answer_is_not_unpacked() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = gzip.compress(bytes(1_000_000))
        writer.write(b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

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
        await writer.drain()
        writer.close()

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
