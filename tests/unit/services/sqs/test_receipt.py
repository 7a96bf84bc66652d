"""Receipt handles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.sqs.errors import ReceiptHandleIsInvalid
from cloudlet.services.sqs.receipt import Receipt, decode, encode

numbers = st.integers(0, (1 << 63) - 1)


@given(queue=numbers, sequence=numbers, receives=st.integers(1, 1 << 31))
def test_a_handle_says_which_receive_of_which_message(queue: int, sequence: int, receives: int) -> None:
    assert decode(queue, encode(queue, Receipt(sequence, receives))) == (sequence, receives)


@given(queue=numbers, other=numbers, sequence=numbers)
def test_a_handle_of_another_queue_is_refused(queue: int, other: int, sequence: int) -> None:
    if queue != other:
        with pytest.raises(ReceiptHandleIsInvalid, match="is not valid for this queue"):
            decode(other, encode(queue, Receipt(sequence, 1)))


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ReceiptHandleIsInvalid, match="is not a valid receipt handle"):
        decode(1, text)
