"""Pages of lists."""

import pytest

from cloudlet.errors import ServiceError
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker


def test_a_page_has_50_items_at_most() -> None:
    assert [page_items({}), page_items({"MaxItems": 7}), page_items({"MaxItems": 10_000})] == [50, 7, 50]


def test_a_marker_names_the_last_item_of_its_page() -> None:
    rows = [("a", 1), ("b", 2), ("c", 3)]
    assert next_marker(rows, 3, 0, 1) is None
    marker = next_marker(rows, 2, 0, 1)
    assert read_marker({"Marker": marker}, ("", 0)) == ["b", 2]
    assert read_marker({}, ("", 0)) == ["", 0]


@pytest.mark.parametrize("start", [("",), (0,), (0, "")])
def test_a_marker_of_another_list_is_refused(start: tuple[object, ...]) -> None:
    marker = next_marker([("a", 1), ("b", 2)], 1, 0, 1)
    with pytest.raises(ServiceError, match="Invalid Marker"):
        read_marker({"Marker": marker}, start)
