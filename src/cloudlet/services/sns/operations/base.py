"""What the operations share."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cloudlet.delivery.engine import Engine
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Service
from cloudlet.services.measurements import Record
from cloudlet.services.sns import topic_tables
from cloudlet.services.sns.choosing import Chooser
from cloudlet.services.sns.confirmations import Confirmations
from cloudlet.services.sns.deliveries import Deliveries
from cloudlet.services.sns.directory import Directory, Known, changed
from cloudlet.services.sns.errors import invalid, no_topic
from cloudlet.services.sns.mail import Mail
from cloudlet.services.sns.names import TopicKey, topic_key
from cloudlet.services.sns.ordering import Ordering
from cloudlet.services.sns.publishing import Publisher
from cloudlet.services.sns.replay import Replay
from cloudlet.services.sns.sending import Sending
from cloudlet.services.sns.signing import Signer
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.topic_metrics import TopicMetrics
from cloudlet.services.sns.web import Web
from cloudlet.store.base import Transaction

PAGE: Final = 100


class Operations(Service):
    """The base of the classes with the operations."""

    name = "sns"

    def __init__(self, platform: Platform, engine: Engine, record: Record) -> None:
        super().__init__(platform)
        self.metrics = TopicMetrics(record, platform.clock)
        self.directory = Directory(platform.store)
        self.signer = Signer(platform)
        self.web = Web(platform.clock)
        self.mail = Mail(platform.config)
        self.sending = Sending(
            platform,
            self.signer,
            {"http": self.web.send, "https": self.web.send, "email": self.mail.send, "email-json": self.mail.send},
        )
        self.chooser = Chooser()
        self.deliveries = Deliveries(engine, self.directory, self.sending, self.chooser, self.metrics)
        self.ordering = Ordering(platform, engine, self.deliveries, self.sending, self.metrics)
        self.confirmations = Confirmations(platform, engine, self.directory, self.sending)
        self.replay = Replay(platform, engine, self.ordering, self.chooser)
        self.publisher = Publisher(platform, self.deliveries, self.ordering, self.chooser)

    def key(self, context: RequestContext, params: Mapping[str, Any], parameter: str = "TopicArn") -> TopicKey:
        """The topic that a request names. Raises InvalidParameter."""
        key = topic_key(params.get(parameter) or "", parameter)
        if key.region != context.region:
            raise invalid(parameter)
        return key

    async def known(self, context: RequestContext, params: Mapping[str, Any], parameter: str = "TopicArn") -> Known:
        """The topic that a request is about, with its subscriptions. Raises InvalidParameter, NotFound."""
        known = await self.directory.find(self.key(context, params, parameter))
        if known is None:
            raise no_topic()
        return known

    async def change_topic(self, key: TopicKey, change: Callable[[Transaction, Topic], Topic]) -> None:
        """Change a topic's row. Raises NotFound, and what `change` raises."""

        def put(tx: Transaction) -> None:
            topic = topic_tables.find(tx, key)
            if topic is None:
                raise no_topic()
            topic_tables.put(tx, change(tx, topic))
            changed(tx, key)

        await self.platform.store.transact(put)


def after_token(token: str | None) -> Sequence[str]:
    """Where a page begins: after what its token names. Raises InvalidParameter."""
    if not token:
        return ()
    try:
        names = base64.b64decode(token, altchars=b"-_", validate=True).decode().split("\n")
    except (binascii.Error, ValueError):
        raise invalid("NextToken") from None
    if not all(name.isprintable() for name in names):
        raise invalid("NextToken")
    return names


def token_after(*names: str) -> str:
    """The token for the page that begins after these names."""
    return base64.urlsafe_b64encode("\n".join(names).encode()).decode()
