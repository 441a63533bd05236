"""Where logs of tasks are read, wherever in the cluster the tasks run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from api.types.logs import LogOptions
from manager.core.logs.selection import Selection


class TaskLogs(Protocol):
    """The leader's log broker, from any manager."""

    def read(self, selection: Selection, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield whole frames of the multiplexed stream, or text of tasks with a terminal.

        Errors:  Unavailable when no manager leads, or the leader is lost.
        """
        ...
