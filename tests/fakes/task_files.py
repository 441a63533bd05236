"""Files of tasks, in memory indeed."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.task_files import PlacedFile, TaskFile


class FakeTaskFiles:
    """Fulfils `TaskFiles`."""

    def __init__(self) -> None:
        self.placed: dict[str, list[TaskFile]] = {}

    async def place(self, task_id: str, files: Sequence[TaskFile]) -> list[PlacedFile]:
        """Lay them down."""
        if files:
            self.placed[task_id] = [*files]
        return [PlacedFile(f"/tasks/{task_id}/{n}", each.target) for n, each in enumerate(files)]

    async def remove(self, task_id: str) -> None:
        """Take them away."""
        self.placed.pop(task_id, None)

    async def tasks(self) -> set[str]:
        """Return who has files."""
        return set(self.placed)
