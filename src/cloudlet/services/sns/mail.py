"""E-mail: each message is a mail, through the SMTP server of the configuration.

`email` is for people: the text, and how to unsubscribe. `email-json` is the envelope.
https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final
from urllib.parse import unquote, urlsplit

from cloudlet.config import Config
from cloudlet.services.sns.envelope import Envelopes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.sending import NotSent
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic

TIMEOUT_S: Final = 15
DEFAULT_SUBJECT: Final = "AWS Notification Message"
CONFIRMATION_SUBJECT: Final = "AWS Notification - Subscription Confirmation"
CONFIRMATION_SENDER: Final = "AWS Notifications"
"""Whatever the topic's display name is."""
AT_ONCE: Final = 8
"""Connections to the server at the same time."""
_PERMANENT: Final = 500


class Mail:
    """Sends mails."""

    def __init__(self, config: Config) -> None:
        self._config = config
        # Threads of its own: a server that does not answer must not keep others from those that all share.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mail")

    def close(self) -> None:
        """Begin to send no more mails."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, topic: Topic, subscription: Subscription, message: Message, envelopes: Envelopes) -> None:
        """Send a message. Raises NotSent."""
        mail = EmailMessage(policy=SMTP)
        is_confirmation = message.kind != "Notification"
        display_name = _plain(topic.attributes.get("DisplayName") or topic.key.name)
        mail["From"] = f'"{CONFIRMATION_SENDER if is_confirmation else display_name}" <{self._config.smtp_from}>'
        mail["To"] = subscription.endpoint
        mail["Message-ID"] = f"<{message.id}@{self._config.smtp_from.rpartition('@')[2]}>"
        mail["Subject"] = message.subject or (CONFIRMATION_SUBJECT if is_confirmation else DEFAULT_SUBJECT)
        mail.set_content(_text(subscription, message, envelopes))
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, mail)

    def _send(self, mail: EmailMessage) -> None:
        server = urlsplit(self._config.smtp)
        try:
            with _connected(server.scheme, server.hostname or "localhost", server.port) as client:
                if server.username:
                    if server.scheme != "smtps":
                        client.starttls(context=ssl.create_default_context())
                    client.login(unquote(server.username), unquote(server.password or ""))
                client.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise NotSent(
                f"the server refuses the recipient: {error}", is_permanent=min(codes) >= _PERMANENT
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port or 25, timeout=TIMEOUT_S)


def _text(subscription: Subscription, message: Message, envelopes: Envelopes) -> str:
    if subscription.protocol == "email-json":
        return envelopes.text(subscription.protocol, subscription.arn)
    text = message.text_for(subscription.protocol)
    if message.kind != "Notification":
        link = envelopes.url("ConfirmSubscription", TopicArn=message.topic.arn, Token=message.token)
        return f"{text}\n\n{link}\n"
    link = envelopes.url("Unsubscribe", SubscriptionArn=subscription.arn)
    return (
        f"{text}\n\n--\nIf you wish to stop receiving notifications from this topic, please visit the link below to"
        f" unsubscribe:\n{link}\n"
    )


def _plain(name: str) -> str:
    """A name that fits between the quotes of an address."""
    return "".join(character for character in name if character.isprintable() and character not in '"\\')
