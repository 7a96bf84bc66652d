"""Loops are found by the trace header alone."""

import itertools
from collections.abc import Iterable

import pytest

from cloudlet.compute import lineage

ROOT = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0"


def runs(chain: Iterable[str], limit: int = 16) -> int:
    """After how many invocations of a chain of functions one has come back `limit` times."""
    trace = ROOT
    for count, function in enumerate(chain, 1):
        trace, returns = lineage.entered(trace, f"arn:{function}")
        if returns >= limit:
            return count
    raise AssertionError("no loop found")


def test_the_first_function_of_a_chain_is_marked() -> None:
    trace, returns = lineage.entered(ROOT, "arn:a")
    assert trace.startswith(f"{ROOT};Lineage=1:")
    assert (trace[-2:], returns) == (":0", 0)


def test_what_else_is_in_the_header_stays() -> None:
    first, _ = lineage.entered("", "arn:a")
    mark = first.removeprefix(";Lineage=1:").removesuffix(":0")
    assert lineage.entered(f"Root=1;Lineage=1:{mark}:0;Self=2", "arn:a") == (f"Root=1;Self=2;Lineage=2:{mark}:1", 1)


def test_a_function_that_calls_itself_runs_sixteen_times() -> None:
    assert runs(itertools.repeat("a")) == 17


def test_a_loop_of_several_functions_is_found() -> None:
    assert runs(itertools.cycle("ab")) == 34
    assert runs(itertools.cycle("abcde")) <= 5 * 18


@pytest.mark.parametrize("before", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_loop_that_is_entered_from_outside_is_found(before: int, length: int) -> None:
    entry = [f"entry {place}" for place in range(before)]
    loop = itertools.cycle([f"loop {place}" for place in range(length)])
    assert runs(itertools.chain(entry, loop)) <= 2 * max(before, length) + 18 * length + 2


def test_a_loop_is_found_after_another_function_came_back_for_a_while() -> None:
    assert runs(itertools.chain("aaa", itertools.repeat("b"))) <= lineage.MAX_INVOCATIONS + 20


def test_a_chain_without_a_loop_goes_on() -> None:
    with pytest.raises(AssertionError):
        runs((str(place) for place in range(2000)), limit=1)


@pytest.mark.parametrize("made_up", ["Lineage=", "Lineage=x", "Lineage=1:zz:0", "Lineage=9999:a87bd80c:0"])
def test_a_lineage_that_is_none_is_replaced(made_up: str) -> None:
    trace, returns = lineage.entered(f"{ROOT};{made_up}", "arn:a")
    assert (trace.endswith(":0"), returns) == (True, 0)
    assert lineage.entered(trace, "arn:a")[1] == 1
