"""The condition keys of callers."""

import pytest

from cloudlet.iam.context_keys import global_keys
from cloudlet.iam.principals import Principal, RequestContext


@pytest.mark.parametrize("account", ["", "111111111111"])
def test_who_is_nobody_has_no_account_and_no_name(account: str) -> None:
    context = RequestContext(
        Principal.anonymous(account), "us-east-1", "id", source_ip="192.0.2.1", endpoint="https://sqs.example"
    )
    assert global_keys(context) == {
        "aws:principaltype": ("Anonymous",),
        "aws:principalisawsservice": ("false",),
        "aws:userid": ("anonymous",),
        "aws:requestedregion": ("us-east-1",),
        "aws:sourceip": ("192.0.2.1",),
        "aws:securetransport": ("true",),
        "aws:viaawsservice": ("false",),
    }
