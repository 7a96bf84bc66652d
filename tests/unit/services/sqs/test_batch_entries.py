"""What is wrong with a batch as a whole."""

from typing import Any

import pytest

from cloudlet.errors import ServiceError
from cloudlet.services.sqs.operations.base import check_entries

KIND = "DeleteMessageBatchRequestEntry"


@pytest.mark.parametrize(
    ("entries", "code", "text"),
    [
        ([], "EmptyBatchRequest", f"at least one {KIND}"),
        ([{"Id": str(number)} for number in range(11)], "TooManyEntriesInBatchRequest", "You have sent 11"),
        ([{"Id": "a"}, {}], "MissingRequiredParameterException", f"the parameter {KIND}.2.Id."),
        ([{"Id": ""}], "InvalidBatchEntryId", "can only contain"),
        ([{"Id": "a b"}], "InvalidBatchEntryId", "can only contain"),
        ([{"Id": "a"}, {"Id": "a"}], "BatchEntryIdsNotDistinct", "Id a repeated."),
    ],
)
def test_what_no_entry_can_be_blamed_for_is_an_error_of_the_batch(
    entries: list[dict[str, Any]], code: str, text: str
) -> None:
    with pytest.raises(ServiceError) as raised:
        check_entries(entries, KIND)
    assert (raised.value.code, text in raised.value.message) == (code, True)


def test_members_that_an_entry_lacks_are_not_the_batchs_fault() -> None:
    check_entries([{"Id": str(number)} for number in range(10)], KIND)
