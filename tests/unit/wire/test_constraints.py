import pytest

from cloudlet.wire.constraints import enum_text, java_set_order


@pytest.mark.parametrize(
    "printed",
    [
        "LATEST, AT_TIMESTAMP, TRIM_HORIZON",
        "B, N, S",
        "HASH, RANGE",
        "INDEXES, TOTAL, NONE",
        "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW",
        "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES",
        "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS",
        "AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON",
    ],
)
def test_enumerations_are_in_the_order_that_aws_prints(printed: str) -> None:
    values = printed.split(", ")
    assert java_set_order(sorted(values)) == values
    assert enum_text(values) == f"Member must satisfy enum value set: [{printed}]"


def test_an_order_never_loses_a_value() -> None:
    values = [f"value-{number}" for number in range(200)]
    assert sorted(java_set_order(values)) == sorted(values)
