"""What may be an endpoint."""

from dataclasses import replace

import pytest

from cloudlet.config import Config
from cloudlet.services.sns import endpoints
from cloudlet.services.sns.errors import InvalidParameter
from cloudlet.services.sns.names import TopicKey

TOPIC = TopicKey("111111111111", "us-east-1", "t")
CONFIG = replace(Config(), smtp="smtp://localhost")


@pytest.mark.parametrize(
    "address", ["jo@example.com", "jo.doe+news@mail.example.com", "o'neil@example.com", "jö@exämple.com"]
)
def test_addresses_of_mail(address: str) -> None:
    endpoints.check("email", address, TOPIC, CONFIG)


@pytest.mark.parametrize(
    "address",
    [
        "jo",
        "jo@",
        "@example.com",
        "jo@a@b",
        "jo doe@a",
        "jo@a,x@b",
        "<jo@a>",
        "jo;x@a",
        "jo(x@a",
        "jo@a)",
        "all:;@a",
        "[jo@a",
        "a\\@b",
    ],
)
def test_what_would_be_read_as_another_address_is_none(address: str) -> None:
    """A server would be asked to send to `jo`, in place of `jo;x@a`, or could not read the mail at all."""
    with pytest.raises(InvalidParameter):
        endpoints.check("email", address, TOPIC, CONFIG)
