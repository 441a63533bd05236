"""Logs of tasks' containers on the engine in the daemon's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from agent.ports.task_logs import LogChunk
from api.types.logs import LogOptions
from engine.containers.env import ContainersEnv
from engine.containers.logs import check_readable, details_of, read_log
from engine.core.logline import LogQuery, LogRenderer


class EngineLogs:
    """Fulfils `TaskLogs`."""

    def __init__(self, env: ContainersEnv) -> None:
        self._env = env

    async def read(
        self, container_id: str, options: LogOptions, context: str
    ) -> AsyncIterator[LogChunk]:
        """Yield a container's log."""
        record = self._env.store.resolve(container_id)
        check_readable(self._env, record)
        details = b""
        if options.details:
            own = details_of(record).strip().decode()
            details = f"{context},{own} ".encode() if own else f"{context} ".encode()
        query = LogQuery(
            stdout=options.stdout,
            stderr=options.stderr,
            since_ns=options.since_ns,
            skip=options.skip,
            timestamps=options.timestamps,
            tail=options.tail,
            raw=record.config.Tty,
            details=details,
        )
        renderer = LogRenderer(query)
        chunks = read_log(self._env, record, query, follow=options.follow, renderer=renderer)
        async with aclosing(chunks):
            async for data in chunks:
                yield LogChunk(data, renderer.position)
