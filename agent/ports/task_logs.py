"""What the containers of tasks wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from api.types.logs import LogOptions, LogPosition


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a log, and how far the log was read with it, where that is known."""

    data: bytes
    position: LogPosition | None = None


class TaskLogs(Protocol):
    """Logs by container id."""

    def read(self, container_id: str, options: LogOptions, context: str) -> AsyncIterator[LogChunk]:
        """Yield whole frames, or text of a container with a terminal, until the log ends.

        One that follows ends when the container exits. `context` is `key=value,...`, and begins
        each line where details are asked for.
        Errors:  NoSuchContainer; LogsUnreadable where the driver keeps nothing.
        """
        ...
