"""How queues are called: names, URLs, ARNs.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
"""

import re
from typing import NamedTuple

from cloudlet.arn import Arn
from cloudlet.iam.naming.sqs import queue_of_url
from cloudlet.iam.principals import RequestContext
from cloudlet.services.sqs.errors import InvalidAddress, InvalidParameterValue

FIFO_SUFFIX = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")


class QueueKey(NamedTuple):
    """What names a queue, in the order of the tables' keys."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    def url(self, endpoint: str) -> str:
        """The queue's URL for a client that knows the node as `endpoint`."""
        return f"{endpoint}/{self.account}/{self.name}"


def check_name(name: str, *, is_fifo: bool) -> None:
    """Raises InvalidParameterValue for a name that no queue can have."""
    if not name:
        raise InvalidParameterValue("Queue name cannot be empty.")
    if is_fifo and not _FIFO_NAME.fullmatch(name):
        raise InvalidParameterValue(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with"
            " .fifo suffix and be 1 to 80 in length."
        )
    if not is_fifo and not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def key_of_url(context: RequestContext, url: str) -> QueueKey:
    """The queue that a URL means to this caller. A bare name means a queue of the caller's. Raises InvalidAddress."""
    if "/" not in url and (_NAME.fullmatch(url) or _FIFO_NAME.fullmatch(url)):
        return QueueKey(context.account, context.region, url)
    if (queue := queue_of_url(url)) is None:
        raise InvalidAddress(f"The address {url} is not valid for this endpoint.")
    return QueueKey(queue[0], context.region, queue[1])


def key_of_arn(text: str) -> QueueKey | None:
    """The queue that an ARN names; None when it names none."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    if arn.service != "sqs" or not (_NAME.fullmatch(arn.resource) or _FIFO_NAME.fullmatch(arn.resource)):
        return None
    return QueueKey(arn.account, arn.region, arn.resource)
