"""Mail goes through the server of the configuration."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cloudlet.config import Config
from cloudlet.services.sns.envelope import Envelopes
from cloudlet.services.sns.mail import Mail
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.sending import NotSent
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic

KEY = TopicKey("000000000000", "us-east-1", "news")
TOPIC = Topic(KEY, "i", {"DisplayName": 'The "News"'}, {}, "", 0)
MESSAGE = Message("m1", KEY, "i", "It räins.", 0, subject="Weather")


class Server:
    """As much of SMTP as a client needs; refuses recipients at `nowhere`."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.mails: list[str] = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self.talk(stream)

    def talk(self, stream: object) -> None:
        def say(text: bytes) -> None:
            stream.write(text + b"\r\n")  # type: ignore[attr-defined]
            stream.flush()  # type: ignore[attr-defined]

        say(b"220 here")
        for line in stream:  # type: ignore[attr-defined]
            command = line[:4].upper()
            if command == b"DATA":
                say(b"354 go on")
                lines = []
                for each in stream:  # type: ignore[attr-defined]
                    if each == b".\r\n":
                        break
                    lines.append(each)
                self.mails.append(b"".join(lines).decode())
                say(b"250 taken")
            elif command == b"QUIT":
                say(b"221 bye")
                return
            else:
                say(b"550 nobody" if command == b"RCPT" and b"@nowhere" in line else b"250 ok")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.socket.shutdown(socket.SHUT_RDWR)
    made.socket.close()
    made.thread.join()


def mail(server: Server) -> Mail:
    return Mail(Config(smtp=f"smtp://127.0.0.1:{server.socket.getsockname()[1]}", smtp_from="sns@cloudlet.test"))


def to(endpoint: str, protocol: str = "email") -> Subscription:
    return Subscription(SubscriptionKey(KEY, "1"), "000000000000", protocol, endpoint, {}, "", True, True, False, 0)


ENVELOPES = Envelopes(MESSAGE, None, "1", "http://node")


async def test_a_message_is_a_mail(server: Server) -> None:
    await mail(server).send(TOPIC, to("you@cloudlet.test"), MESSAGE, ENVELOPES)
    [sent] = server.mails
    assert "Subject: Weather" in sent
    assert "From: The News <sns@cloudlet.test>" in sent.replace('"', "")
    assert "To: you@cloudlet.test" in sent


async def test_json_is_the_envelope(server: Server) -> None:
    await mail(server).send(TOPIC, to("you@cloudlet.test", "email-json"), MESSAGE, ENVELOPES)
    assert "UnsubscribeURL" in server.mails[0]


async def test_a_recipient_that_is_refused_is_not_tried_again(server: Server) -> None:
    with pytest.raises(NotSent) as raised:
        await mail(server).send(TOPIC, to("you@nowhere"), MESSAGE, ENVELOPES)
    assert raised.value.is_permanent


async def test_a_server_that_is_away_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotSent) as raised:
        await Mail(Config(smtp=f"smtp://127.0.0.1:{port}")).send(TOPIC, to("you@cloudlet.test"), MESSAGE, ENVELOPES)
    assert not raised.value.is_permanent


async def test_a_confirmation_comes_from_aws(server: Server) -> None:
    confirmation = replace(MESSAGE, kind="SubscriptionConfirmation", subject="", token="t")
    await mail(server).send(TOPIC, to("you@cloudlet.test"), confirmation, ENVELOPES)
    assert "From: AWS Notifications <sns@cloudlet.test>" in server.mails[0].replace('"', "")


async def test_a_server_that_hangs_holds_up_no_other_work() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Mail(Config(smtp=f"smtp://127.0.0.1:{silent.getsockname()[1]}"))
        sending = asyncio.create_task(sender.send(TOPIC, to("you@cloudlet.test"), MESSAGE, ENVELOPES))
        connection = (await asyncio.to_thread(silent.accept))[0]  # it waits for a greeting now
        await asyncio.to_thread(str)
        assert not sending.done()
        connection.close()
        with pytest.raises(NotSent):
            await sending
    sender.close()
