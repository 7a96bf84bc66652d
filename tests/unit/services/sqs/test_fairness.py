"""Which groups have to wait for the others."""

from cloudlet.services.sqs.fairness import noisy_of


def test_a_group_that_floods_the_queue_waits() -> None:
    assert noisy_of({"loud": 90, "quiet": 2, "still": 3}) == ("loud",)


def test_a_group_that_is_alone_in_flight_waits_once_it_is_much() -> None:
    assert noisy_of({"loud": 50}) == ("loud",)
    assert noisy_of({"small": 3}) == ()


def test_groups_alike_are_treated_alike() -> None:
    assert noisy_of({"a": 40, "b": 40, "c": 41}) == ()


def test_nothing_in_flight() -> None:
    assert noisy_of({}) == ()
