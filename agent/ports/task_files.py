"""Where the files of tasks lie: in memory, never on a disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.core.task_files import PlacedFile, TaskFile


class TaskFiles(Protocol):
    """A place in memory for each task that has files."""

    async def place(self, task_id: str, files: Sequence[TaskFile]) -> list[PlacedFile]:
        """Lay the files down, those of before replaced; [] for none. Errors: Internal."""
        ...

    async def remove(self, task_id: str) -> None:
        """Take a task's files away; fine if there are none."""
        ...

    async def tasks(self) -> set[str]:
        """Return the tasks that have files."""
        ...
