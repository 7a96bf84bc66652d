"""HTTP and HTTPS endpoints: a POST for each message.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
"""

import base64
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.clock import Clock
from cloudlet.services.sns.delivery_policy import effective_subscription
from cloudlet.services.sns.endpoints import is_control
from cloudlet.services.sns.envelope import Envelopes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.sending import NotNow, NotSent
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S: Final = 15
"""So long an endpoint may take to answer. https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html"""
USER_AGENT: Final = "Amazon Simple Notification Service Agent"
MAX_PACED: Final = 10_000
_READ_BYTES = 4096
"""Of an answer: as much as says what is wrong."""
_TOO_MANY_REQUESTS = 429
_UNAUTHORIZED = 401


class Web:
    """Sends to endpoints on the web. Its connections are kept until `close`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._next: dict[str, float] = {}
        """When an endpoint with a throttle policy may get its next message, by the platform's clock."""

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, topic: Topic, subscription: Subscription, message: Message, envelopes: Envelopes) -> None:
        """Post a message. Raises NotSent; NotNow when the endpoint's throttle policy wants it later."""
        import aiohttp

        if is_control(subscription.endpoint):
            raise NotSent("no endpoint, but a node's control interface", is_permanent=True)
        policy = effective_subscription(topic.delivery_policy, subscription.delivery_policy)
        self._pace(subscription, (policy["throttlePolicy"] or {}).get("maxReceivesPerSecond"))
        is_raw = subscription.is_raw and message.kind == "Notification"
        protocol = subscription.protocol
        body = message.text_for(protocol) if is_raw else envelopes.text(protocol, subscription.arn)
        headers = _headers(subscription, message, is_raw=is_raw)
        headers["Content-Type"] = policy["requestPolicy"]["headerContentType"]
        try:
            status, text = await self._post(subscription.endpoint, body.encode(), headers)
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            is_permanent = isinstance(error, aiohttp.InvalidURL)
            raise NotSent(f"{type(error).__name__}: {error}", is_permanent=is_permanent) from error
        if not 200 <= status < 300:
            is_permanent = status < 500 and status != _TOO_MANY_REQUESTS
            raise NotSent(f"HTTP status {status}: {text}", is_permanent=is_permanent, code=str(status))

    async def _post(self, endpoint: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """The status and the beginning of the answer. The endpoint's user is named where it asks for one."""
        from aiohttp import DigestAuthMiddleware
        from yarl import URL

        url = URL(endpoint)
        user, password = url.user, url.password or ""
        request = partial(self._opened().post, url.with_user(None), data=body, allow_redirects=False)
        async with request(headers=headers) as response:
            if response.status != _UNAUTHORIZED or user is None:
                return response.status, await _text(response)
            challenge = response.headers.get("WWW-Authenticate", "")
        if challenge.lower().startswith("digest"):
            authorized = request(headers=headers, middlewares=(DigestAuthMiddleware(user, password),))
        else:
            credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
            authorized = request(headers=headers | {"Authorization": f"Basic {credentials}"})
        async with authorized as response:
            return response.status, await _text(response)

    def _opened(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                # The delivery engine says how many there are at once. A limit here would let endpoints that hang use up
                # the time of others, which begins while they wait for a connection.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # of what a few bytes may become megabytes of
                skip_auto_headers=("Accept", "Accept-Encoding"),
            )
        return self._session

    def _pace(self, subscription: Subscription, per_second: int | None) -> None:
        if not per_second:
            return
        now = self._clock.now()
        wait_s = self._next.get(subscription.arn, now) - now
        if wait_s > 0:
            raise NotNow(wait_s)
        if len(self._next) >= MAX_PACED:
            self._next.clear()
        self._next[subscription.arn] = now + 1 / per_second


async def _text(response: "aiohttp.ClientResponse") -> str:
    """The beginning of an answer, where it can be read as it is."""
    content = await response.content.read(_READ_BYTES)
    return "" if "Content-Encoding" in response.headers else content.decode(errors="replace")


def _headers(subscription: Subscription, message: Message, *, is_raw: bool) -> dict[str, str]:
    headers = {
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "gzip,deflate",
        "Connection": "Keep-Alive",
        "x-amz-sns-message-type": message.kind,
        "x-amz-sns-message-id": message.id,
        "x-amz-sns-topic-arn": message.topic.arn,
    }
    if message.kind == "Notification":
        headers["x-amz-sns-subscription-arn"] = subscription.arn
    if is_raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    return headers
