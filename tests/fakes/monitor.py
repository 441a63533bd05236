"""Monitors and their processes, in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from api.errors import SkepError
from engine.ports.runtime import ExecOrder, Monitored, MonitorExit, MonitorOrder, MonitorStream
from tests.fakes.monitor_stream import FakeMonitorStream


class FakeMonitor:
    """Fulfils `Monitor`; the test ends processes with `exit`, `failure` makes starts fail."""

    def __init__(self) -> None:
        self.failure: SkepError | None = None
        self.execs: list[ExecOrder] = []
        self.streams: dict[Path, list[FakeMonitorStream]] = {}
        self.sizes: list[tuple[Path, int, int]] = []
        self.running: dict[Path, asyncio.Future[MonitorExit]] = {}
        self._pid = 1000
        self._begun = asyncio.Event()

    def exit(self, directory: Path, exit_code: int | None = 0, finished_ns: int = 0) -> None:
        """End a process: its streams end, then who waits is told."""
        for stream in self.streams.get(directory, []):
            stream.end()
        self.running[directory].set_result(
            MonitorExit(exit_code, oom_killed=False, finished_ns=finished_ns)
        )

    async def create(self, order: MonitorOrder) -> Monitored:
        """Create a container's process."""
        return self._begin(order.bundle)

    async def exec(self, order: ExecOrder) -> tuple[Monitored, MonitorStream | None]:
        """Run a process in a container."""
        self.execs.append(order)
        if self.failure is not None:
            raise self.failure
        monitored = self._begin(order.directory)
        stream = await self.attach(order.directory)
        self._begun.set()
        return monitored, stream

    async def until_exec(self) -> Path:
        """Return the directory of the first exec, once it runs."""
        async with asyncio.timeout(5):
            await self._begun.wait()
        return self.execs[0].directory

    async def attach(self, directory: Path) -> MonitorStream:
        """Connect to a process."""
        stream = FakeMonitorStream()
        self.streams.setdefault(directory, []).append(stream)
        return stream

    def resize(self, directory: Path, height: int, width: int) -> None:
        """Note the size."""
        self.sizes.append((directory, height, width))

    def reopen_log(self, directory: Path) -> None:
        """Do nothing: there is no log."""

    def has_unread_orders(self, directory: Path) -> bool:
        """Have read all."""
        return False

    def adopt(self, directory: Path) -> Monitored | None:
        """Find nothing: there was no earlier daemon."""

    async def wait(self, monitored: Monitored) -> MonitorExit:
        """Wait until the test ends the process."""
        return await asyncio.shield(self.running[monitored.directory])

    def last_exit(self, directory: Path) -> MonitorExit | None:
        """Know of no exit."""

    def _begin(self, directory: Path) -> Monitored:
        if self.failure is not None:
            raise self.failure
        self._pid += 1
        self.running[directory] = asyncio.get_running_loop().create_future()
        return Monitored(directory, self._pid, 1, self._pid)
