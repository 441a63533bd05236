"""Tasks that wait for a node, by service and spec version; some of them without hope."""

from __future__ import annotations

from itertools import islice

from manager.core.objects.task import Task
from manager.core.scheduler.requirements import ServiceVersion


class _Waiting:
    """Tasks of one version by id: those made for one node, and those free to go anywhere."""

    __slots__ = ("bound", "free")

    def __init__(self) -> None:
        self.bound: dict[str, Task] = {}
        self.free: dict[str, Task] = {}

    def __bool__(self) -> bool:
        return bool(self.bound or self.free)


class Pending:
    """Tasks that wait. A version has no hope from a vain search until something changes."""

    def __init__(self) -> None:
        self._waiting: dict[ServiceVersion, _Waiting] = {}
        self._versions: dict[str, ServiceVersion] = {}
        self._hopeless: set[ServiceVersion] = set()

    def add(self, task: Task) -> None:
        """Let a task wait, or take in what changed of it."""
        version = (task.service_id, task.spec_version)
        waiting = self._waiting.setdefault(version, _Waiting())
        tasks = waiting.bound if task.node_id else waiting.free
        if task.id not in tasks:
            self.remove(task.id)
            self._waiting[version] = waiting
            self._hopeless.discard(version)
        tasks[task.id] = task
        self._versions[task.id] = version

    def remove(self, task_id: str) -> None:
        """Forget a task; one that does not wait is no error."""
        version = self._versions.pop(task_id, None)
        if version is None:
            return
        waiting = self._waiting[version]
        waiting.bound.pop(task_id, None)
        waiting.free.pop(task_id, None)
        if not waiting:
            del self._waiting[version]
            self._hopeless.discard(version)

    def task(self, task_id: str) -> Task | None:
        """Return a task that waits."""
        version = self._versions.get(task_id)
        if version is None:
            return None
        waiting = self._waiting[version]
        return waiting.free.get(task_id) or waiting.bound.get(task_id)

    def any_free(self, version: ServiceVersion) -> Task | None:
        """Return one task of a version that can go anywhere."""
        waiting = self._waiting.get(version)
        return None if waiting is None else next(iter(waiting.free.values()), None)

    def bound(self, version: ServiceVersion) -> list[Task]:
        """Return the tasks of a version that were made for one node each."""
        waiting = self._waiting.get(version)
        return [] if waiting is None else list(waiting.bound.values())

    def free(self, version: ServiceVersion, limit: int | None = None) -> list[str]:
        """Return tasks of a version that can go anywhere, those that waited longest first."""
        waiting = self._waiting.get(version)
        return [] if waiting is None else list(islice(waiting.free, limit))

    def hopeful(self) -> list[ServiceVersion]:
        """Return the versions that have hope."""
        return [version for version in self._waiting if version not in self._hopeless]

    @property
    def has_hope(self) -> bool:
        """Tell whether any version has hope."""
        return len(self._waiting) > len(self._hopeless)

    def despair(self, version: ServiceVersion) -> None:
        """Note a vain search."""
        if version in self._waiting:
            self._hopeless.add(version)

    def hope(self) -> None:
        """Give all versions hope again."""
        self._hopeless.clear()
