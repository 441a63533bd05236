"""Join those who ask for counters at the same moment: one thread reads for them all."""

from __future__ import annotations

import asyncio

from engine.ports.stats import Counted, Counters, StatsFiles


class Readings:
    """The readings that go on: a container that many watch is read once for all of them."""

    def __init__(self) -> None:
        self._wanted: dict[str, Counted] = {}
        self._reading: asyncio.Task[dict[str, Counters]] | None = None

    async def of(self, files: StatsFiles, container_id: str, pid: int) -> Counters | None:
        """Return the counters of a container, None when its process is gone."""
        self._wanted[container_id] = Counted(container_id, pid)
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read(files))
        found = await asyncio.shield(self._reading)
        return found.get(container_id)

    async def _read(self, files: StatsFiles) -> dict[str, Counters]:
        # Whatever else is ready in the event loop asks first.
        await asyncio.sleep(0)
        wanted, self._wanted, self._reading = list(self._wanted.values()), {}, None
        return await files.read(wanted)
