"""Invocations within the process: `FrontEnd.invoke` on real sandboxes, without HTTP, signatures and a store.

usage: python -m benchmarks.invoke [--runtime python3.11] [--seconds 2] [--rounds 3]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes
from tests.support.compute_engine import Engine
from tests.support.compute_world import invocation

RUNTIMES = Path(__file__).parents[1] / ".state" / "runtimes"
CONNECTIONS = 16
COLD_STARTS = 40
BURST = 50
ECHO = "def handler(event, context): return event"
BOTO3 = "import boto3\nlogs = boto3.client\ndef handler(event, context): return event"
SLEEP = "import time\ndef handler(event, context): time.sleep(1)"

Row = tuple[str, float, float]
"""What was measured, its value, and the value to reach."""


@asynccontextmanager
async def engine(runtime: str) -> AsyncIterator[Engine]:
    """An engine whose runtime is prepared."""
    with tempfile.TemporaryDirectory(prefix="cloudlet-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        launcher = SandboxLauncher(Runtimes(RUNTIMES), folder / "state")
        async with Engine(launcher, folder, runtime) as made:
            await launcher.prepare(runtime)
            yield made


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


async def _timed(engine: Engine, function: FunctionVersion) -> float:
    given = invocation()
    started = time.perf_counter()
    await engine.front_end.invoke(function, given)
    return (time.perf_counter() - started) * 1000


async def warm(engine: Engine, seconds: float) -> list[Row]:
    """One after the other, then several at once."""
    function = engine.function(ECHO)
    await _timed(engine, function)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        times.append(await _timed(engine, function))
    await asyncio.gather(*(_timed(engine, function) for _ in range(CONNECTIONS)))
    count = 0

    async def client() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await engine.front_end.invoke(function, invocation())
            count += 1

    started, cpu = time.perf_counter(), time.process_time()
    end = started + seconds
    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    spent, cpu = time.perf_counter() - started, time.process_time() - cpu
    return [
        ("warm p50 ms", _percentile(times, 50), 0.3),
        ("warm p99 ms", _percentile(times, 99), 0.0),
        (f"warm invokes/s, {CONNECTIONS} at once", count / spent, 5000),
        ("node's CPU per warm invoke ms", cpu / count * 1000, 0.0),
    ]


async def cold(engine: Engine, name: str, source: str) -> list[Row]:
    """First invocations, each of another function."""
    await _timed(engine, engine.function(source))
    times = [await _timed(engine, engine.function(source)) for _ in range(COLD_STARTS)]
    return [
        (f"cold p50 ms, {name}", _percentile(times, 50), 15),
        (f"cold p99 ms, {name}", _percentile(times, 99), 0.0),
    ]


async def burst(engine: Engine) -> list[Row]:
    """Many first invocations at once of a function that sleeps for a second."""
    function = engine.function(SLEEP)
    started = time.perf_counter()
    await asyncio.gather(*(_timed(engine, function) for _ in range(BURST)))
    return [(f"burst of {BURST} cold, 1 s each, s", time.perf_counter() - started, 1.5)]


async def measure(runtime: str, seconds: float) -> list[Row]:
    """One round of everything."""
    async with engine(runtime) as made:
        return [
            *await warm(made, seconds),
            *await cold(made, "empty", ECHO),
            *await cold(made, "boto3", BOTO3),
            *await burst(made),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", default="python3.11")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [uvloop.run(measure(options.runtime, options.seconds)) for _ in range(options.rounds)]
    print(f"{options.runtime}; medians of {options.rounds} rounds, and the best")
    for results in zip(*rounds, strict=True):
        name, goal = results[0][0], results[0][2]
        values = [value for _, value, _ in results]
        best = max(values) if "/s" in name else min(values)
        aim = f"  to reach {goal:,.1f}" if goal else ""
        print(f"{name:36}{statistics.median(values):12,.3f}{best:12,.3f}{aim}")


if __name__ == "__main__":
    main()
