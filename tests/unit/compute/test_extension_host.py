"""What runs beside the runtime: the lines that are kept for who subscribes later."""

import pytest

from cloudlet.compute import extension_host
from cloudlet.compute.extension_host import ExtensionHost
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.reports import Failure
from cloudlet.compute.sandbox import ExitStatus
from tests.support.compute_world import ComputeWorld, function_version


class Nobody:
    """Hears of nothing."""

    def extensions_wait(self) -> None: ...

    def extension_failed(self, failure: Failure) -> None: ...

    def runtime_ended(self, status: ExitStatus) -> None: ...


async def test_lines_that_are_kept_for_later_subscribers_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension_host, "EARLY_CHARACTERS", 1000)
    world = ComputeWorld()
    log = FunctionLog(function_version(), "stream", world.logs, world.clock)
    host = ExtensionHost(function_version(), ("watcher",), world.host, log, Nobody())
    assert log.telemetry is not None
    for _ in range(100):
        log.telemetry("function", "x" * 300, world.clock.now())
    assert sum(len(line) for _, line, _ in host._early) == 1200
    host.close()
