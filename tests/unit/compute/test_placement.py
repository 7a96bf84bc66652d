"""Where sandboxes go, and that memory is never promised beyond what there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.compute.placement import (
    FIRST_GUESS_MB,
    FLOOR_BYTES,
    LEAST_MB,
    NoRoom,
    PlacedWorker,
    Placement,
)
from cloudlet.config import MIB
from tests.support.compute_world import function_version


def placement(*capacities_mb: int, available_mb: int = 100_000) -> Placement[str]:
    workers = [PlacedWorker(f"worker-{n}", f"maker-{n}", size * MIB) for n, size in enumerate(capacities_mb)]
    return Placement(workers, lambda: available_mb * MIB)


def test_a_function_that_never_ran_is_charged_a_guess() -> None:
    assert placement(1000).place(function_version(memory_mb=512), 0).bytes == FIRST_GUESS_MB * MIB


def test_a_guess_is_never_more_than_the_function_may_use() -> None:
    assert placement(1000).place(function_version(memory_mb=32), 0).bytes == 32 * MIB


def test_the_next_sandbox_of_a_version_is_charged_what_the_last_one_used() -> None:
    places = placement(1000)
    places.place(function_version(), 0).settle(9 * MIB)
    assert places.place(function_version(), 0).bytes == 9 * MIB
    assert places.place(function_version("other"), 0).bytes == FIRST_GUESS_MB * MIB


def test_nothing_is_charged_less_than_a_process_needs() -> None:
    charge = placement(1000).place(function_version(), 0)
    charge.settle(0)
    assert charge.bytes == LEAST_MB * MIB


def test_charges_never_exceed_the_capacity() -> None:
    places = placement(FIRST_GUESS_MB * 2 + 1)
    places.place(function_version("a"), 0)
    second = places.place(function_version("b"), 0)
    with pytest.raises(NoRoom):
        places.place(function_version("c"), 0)
    second.release()
    second.release()
    places.place(function_version("c"), 0)


def test_a_thousand_idle_functions_of_eight_megabytes_fit_in_the_room_for_137_reservations() -> None:
    places = placement(17_600)
    for number in range(1000):
        places.place(function_version(f"f{number}"), 0).settle(8 * MIB)
    assert places.workers[0].charged_bytes == 8000 * MIB


def test_the_machine_keeps_its_floor() -> None:
    floor_mb = FLOOR_BYTES // MIB
    places = placement(1000, available_mb=floor_mb + FIRST_GUESS_MB)
    places.place(function_version("a"), 0)
    with pytest.raises(NoRoom):
        places.place(function_version("b"), 0)


def test_what_is_released_is_available_at_once() -> None:
    floor_mb = FLOOR_BYTES // MIB
    places = placement(1000, available_mb=floor_mb + FIRST_GUESS_MB)
    places.place(function_version("a"), 0).release()
    places.place(function_version("b"), 0)


def test_sandboxes_are_packed_densely() -> None:
    places = placement(1000, 1000)
    chosen = {places.place(function_version(f"f{number}"), 0).worker.worker_id for number in range(5)}
    assert len(chosen) == 1


def test_a_full_worker_is_passed_over() -> None:
    places = placement(100, 1000)
    chosen = [places.place(function_version(f"f{number}"), 0).worker.worker_id for number in range(2)]
    assert chosen == ["worker-0", "worker-1"]


def test_among_equals_the_worker_with_fewer_of_the_function_is_taken() -> None:
    places = placement(1000, 1000)
    places.workers[0].sandboxes[function_version().function_arn] = 3
    assert places.place(function_version(), 0).worker.worker_id == "worker-1"


def test_a_worker_whose_lease_is_over_takes_nothing_new() -> None:
    places = placement(1000)
    places.workers[0].lease_until = 100.0
    places.place(function_version(), 99.0)
    with pytest.raises(NoRoom):
        places.place(function_version(), 100.0)


@given(st.lists(st.tuples(st.sampled_from("pcsr"), st.integers(0, 200)), max_size=60))
def test_a_workers_charge_is_the_sum_of_its_sandboxes(steps: list[tuple[str, int]]) -> None:
    places = placement(2000)
    charges = []
    for step, number in steps:
        if step in "pc":
            try:
                charges.append(places.place(function_version(f"f{number % 3}"), 0))
            except NoRoom:
                assert places.workers[0].charged_bytes > 1700 * MIB
        elif charges and step == "s":
            charges[number % len(charges)].settle(number * MIB)
        elif charges:
            charges.pop(number % len(charges)).release()
    assert places.workers[0].charged_bytes == sum(charge.bytes for charge in charges)
    assert sum(places.workers[0].sandboxes.values()) == len(charges)
