"""What a queue is called: who decides on a request and who serves it read its URL alike."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloudlet.iam.naming.sqs import queue_account, queue_of_url
from cloudlet.iam.principals import RequestContext
from cloudlet.services.sqs.errors import InvalidAddress
from cloudlet.services.sqs.names import QueueKey, key_of_url

CALLER = cast(RequestContext, SimpleNamespace(account="999999999999", region="us-east-1"))
QUEUE = ("111111111111", "orders")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566/111111111111/orders",
        "https://sqs.us-east-1.amazonaws.com/111111111111/orders/",
        "https://us-east-1.queue.amazonaws.com/111111111111/orders",
        "https://queue.amazonaws.com/queue/111111111111/orders",
        "http://[::1]:4566/111111111111/orders?Action=SendMessage#there",
        "/111111111111/orders",
    ],
)
def test_the_host_does_not_matter(url: str) -> None:
    assert queue_of_url(url) == QUEUE
    assert key_of_url(CALLER, url) == QueueKey("111111111111", "us-east-1", "orders")


def test_a_bare_name_is_a_queue_of_the_caller() -> None:
    assert key_of_url(CALLER, "orders.fifo") == QueueKey("999999999999", "us-east-1", "orders.fifo")
    assert queue_account("orders.fifo") == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://h/1111\t11111111/orders",
        "http://h/111111111111/ord\ners",
        "http://h/111111111111/orders\n",
        "http://h/\u0661\u0661\u0661111111111/orders",
        "http:/111111111111/orders",
        "x:/111111111111/orders",
        "http://h/1/orders",
        "http://h/111111111111/",
        "http://[",
        "a b",
        "",
        "x" * 600 + "/111111111111\t/orders",
    ],
)
def test_what_is_no_url_of_a_queue_names_none(url: str) -> None:
    assert queue_of_url(url) is None
    with pytest.raises(InvalidAddress):
        key_of_url(CALLER, url)


@pytest.mark.parametrize("url", ["http://h/111111111111/orders?a\nb", " http://h/111111111111/orders"])
def test_what_is_around_the_path_hides_no_account(url: str) -> None:
    key: Any = key_of_url(CALLER, url)
    assert queue_account(url) == key.account == "111111111111"
