"""What is sent to the web: how fast."""

import asyncio
from dataclasses import replace

import pytest

from cloudlet.services.sns.envelope import Envelopes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.sending import NotNow
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.web import Web
from tests.support.clock import ManualClock

KEY = SubscriptionKey(TopicKey("000000000000", "us-east-1", "t"), "1")
ENDPOINT = Subscription(KEY, "000000000000", "http", "http://x", {}, "", True, True, False, 0)


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

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=count)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    topic = Topic(KEY.topic, "i", {}, {}, "", 0)
    message = Message("m", KEY.topic, "i", "text", 0)
    subscription = replace(ENDPOINT, endpoint=url, attributes={"RawMessageDelivery": "true"})
    web, envelopes = Web(ManualClock()), Envelopes(message, None, "1", "")
    try:
        await asyncio.gather(*(web.send(topic, subscription, message, envelopes) for _ in range(count)))
    finally:
        await web.close()
        server.close()
