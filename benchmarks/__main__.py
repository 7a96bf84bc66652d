"""Measures this checkout, and its peers beside it in the same run, and prints one table.

usage: scripts/bench [--only edge,warm_invoke,...] [--rounds 3] [--peers ministack,moto] [--no-peer]
"""

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console
from rich.table import Table

import cloudlet
from benchmarks import authentication, authorization, endpoints, store
from benchmarks.cases import CASES, Case, Figures

Maker = Callable[[], AbstractContextManager[endpoints.Endpoint]]

GOALS = {
    "start s": 1.0,
    "idle memory MB": 120.0,
    "warm invoke p50 ms": 0.6,
    "warm invokes/s": 4000.0,
    "cold start empty p50 ms": 15.0,
    "cold start boto3 p50 ms": 15.0,
    "burst wall s": 1.5,
    "snapstart pandas p50 ms": 20.0,
    "sqs sends/s": 12_000.0,
    "sqs batched messages/s": 40_000.0,
    "sqs wake p50 ms": 2.0,
    "memory MB, 1,000,000 messages": 400.0,
    "queue to function messages/s": 2000.0,
    "async invokes accepted/s": 1000.0,
    "async invokes executed/s": 1000.0,
    "memory per idle Python sandbox MB": 5.0,
    "1,000 sandboxes s": 10.0,
}
PEERS: dict[str, Maker] = {"ministack": endpoints.ministack, "moto": endpoints.moto}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="cases, with commas between them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=",".join(PEERS), help="peers, with commas between them")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    cases = [case for case in CASES if not options.only or case.__name__ in options.only.split(",")]
    peers = [] if options.no_peer else options.peers.split(",")
    makers = [endpoints.cloudlet, *(PEERS[name] for name in peers)]
    rounds: dict[str, list[Figures]] = {}
    for _ in range(options.rounds):  # the programs take turns, so that a drift of the machine hits both alike
        for maker in makers:
            name, figures = _measure(maker, cases)
            rounds.setdefault(name, []).append(figures)
    medians = {name: _medians(seen) for name, seen in rounds.items()}
    console = Console(width=110)
    console.print(
        f"{_machine()}\ncloudlet {cloudlet.__version__}, "
        + "".join(f"{name} {endpoints.peer_version(name)}, " for name in peers)
        + f"Python {platform.python_version()}; medians of {options.rounds} rounds"
    )
    console.print(_table(medians))
    for part in (store, authentication, authorization):
        if not options.only or part.__name__.rpartition(".")[2] in options.only.split(","):
            for name, value in part.run():
                console.print(f"{name:44}{value}")


def _measure(maker: Maker, cases: list[Case]) -> tuple[str, Figures]:
    figures: Figures = {}
    with maker() as endpoint:
        for case in cases:
            try:
                figures |= case(endpoint)
            except Exception as error:  # a peer may lack a case: say so and go on
                print(f"{endpoint.name} {case.__name__}: {error!r}"[:300], file=sys.stderr)
        return endpoint.name, figures


def _medians(seen: list[Figures]) -> Figures:
    names = dict.fromkeys(name for figures in seen for name in figures)
    return {name: statistics.median(figures[name] for figures in seen if name in figures) for name in names}


def _table(medians: dict[str, Figures]) -> Table:
    table = Table("figure", *medians, "goal")
    for name in dict.fromkeys(name for figures in medians.values() for name in figures):
        values = [f"{figures[name]:,.2f}" if name in figures else "-" for figures in medians.values()]
        table.add_row(name, *values, f"{GOALS[name]:,.1f}" if name in GOALS else "")
    return table


def _machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    name = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{os.cpu_count()} x {name}, {memory_kb / 1048576:.0f} GiB, Linux {platform.release()}"


if __name__ == "__main__":
    main()
