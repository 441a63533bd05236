"""Logs of containers as a test writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from agent.ports.task_logs import LogChunk
from api.errors import NoSuchContainer
from api.types.logs import LogOptions


@dataclass
class FakeTaskLogs:
    """Fulfils `TaskLogs`: `chunks` by container id; a log that is followed goes on for ever."""

    chunks: dict[str, list[bytes]] = field(default_factory=dict)
    asked: list[tuple[str, LogOptions, str]] = field(default_factory=list)

    async def read(
        self, container_id: str, options: LogOptions, context: str
    ) -> AsyncIterator[LogChunk]:
        """Yield what the test wrote."""
        self.asked.append((container_id, options, context))
        if container_id not in self.chunks:
            raise NoSuchContainer(container_id)
        for chunk in self.chunks[container_id]:
            yield LogChunk(chunk)
        if options.follow:
            await asyncio.get_running_loop().create_future()
