"""Spreading: tasks of a service evenly over the values of labels, then over nodes.

A task goes where the service has the fewest tasks, on every level of preferences, where it has
equally many to the less loaded side; among nodes recent failures decide first, tasks of the
service second, the node's whole load last. One choice costs the depth of the tree times the
logarithm of its width. Keys only grow while tasks are placed, so a heap is put right where it is
looked at: an entry that is out of date goes back with its new key.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace

from msgspec import Struct

from manager.core.scheduler.layout import Layout, Path, Pool, Shape
from manager.core.scheduler.node_info import NodeInfo
from manager.core.scheduler.pipeline import Pipeline
from manager.core.scheduler.requirements import Requirements


class Known(Struct, frozen=True):
    """A node that has tasks of the service, or failed it lately so often that it is avoided.

    Its tasks count even where it takes no more.
    """

    info: NodeInfo
    tasks: int
    failures: int


class Tree:
    """The choice of nodes for tasks with the same needs. Close it, for layouts are shared."""

    def __init__(self, needs: Requirements, layout: Layout, known: Iterable[Known]) -> None:
        self._needs = needs
        self._pipeline = Pipeline(needs)
        self._leaves: list[_Leaf] = []
        self._counts: dict[Path, int] = {}
        self._known: dict[Path, list[Known]] = {}
        for each in known:
            path = layout.path_of(each.info)
            if each.info in layout:
                self._known.setdefault(path, []).append(each)
            for depth in range(len(path) + 1):
                prefix = path[:depth]
                self._counts[prefix] = self._counts.get(prefix, 0) + each.tasks
        self._root = self._grow(layout.root, ()) if layout.root is not None else None

    def take(self) -> NodeInfo | None:
        """Return the best node with room, None when all are full. The caller assigns at once."""
        return self._root.take() if self._root is not None else None

    def close(self) -> None:
        """Give the nodes back to the layout."""
        for leaf in self._leaves:
            leaf.close()

    def _grow(self, shape: Shape, path: Path) -> _Branch | _Leaf:
        tasks = self._counts.get(path, 0)
        if isinstance(shape, Pool):
            leaf = _Leaf(
                self._needs.service_id, self._pipeline, shape, tasks, self._known.get(path, [])
            )
            self._leaves.append(leaf)
            return leaf
        children = [self._grow(inner, (*path, value)) for value, inner in shape.branches.items()]
        return _Branch(tasks, shape.load, children)


class _Branch:
    """One level of preferences: the side with the fewest tasks is next."""

    __slots__ = ("_heap", "load", "tasks")

    def __init__(self, tasks: int, load: float, children: list[_Branch | _Leaf]) -> None:
        self.tasks = tasks
        self.load = load
        self._heap = [
            (child.tasks, child.load, order, child) for order, child in enumerate(children)
        ]
        heapify(self._heap)

    def take(self) -> NodeInfo | None:
        heap = self._heap
        while heap:
            _, _, order, child = heap[0]
            info = child.take()
            if info is not None:
                heapreplace(heap, (child.tasks, child.load, order, child))
                self.tasks += 1
                return info
            heappop(heap)
        return None


class _Leaf:
    """The nodes of one pool: those that do not know the service come first, by load."""

    __slots__ = (
        "_aside",
        "_has_limits",
        "_heap",
        "_known",
        "_pipeline",
        "_pool",
        "_service_id",
        "tasks",
    )

    def __init__(
        self, service_id: str, pipeline: Pipeline, pool: Pool, tasks: int, known: list[Known]
    ) -> None:
        self.tasks = tasks
        self._service_id = service_id
        self._pipeline = pipeline
        self._has_limits = pipeline.has_limits
        self._pool = pool
        self._aside: list[NodeInfo] = []
        self._known = {each.info.order for each in known}
        self._heap = [
            (each.failures, each.tasks, each.info.active, each.info.order, each.info)
            for each in known
        ]
        heapify(self._heap)

    @property
    def load(self) -> float:
        return self._pool.load

    def take(self) -> NodeInfo | None:
        info = self._take_new() or self._take_known()
        if info is not None:
            self.tasks += 1
            self._pool.active += 1
        return info

    def close(self) -> None:
        self._pool.put_back(self._aside)
        self._aside = []

    def _take_new(self) -> NodeInfo | None:
        heap = self._pool.heap
        while heap:
            active, order, info = heap[0]
            if info.active != active:
                heapreplace(heap, (info.active, order, info))
                continue
            heappop(heap)
            self._aside.append(info)
            if order in self._known:
                continue
            self._known.add(order)
            if not self._has_limits or self._pipeline.has_room(info):
                heappush(self._heap, (0, 1, active + 1, order, info))
                return info
        return None

    def _take_known(self) -> NodeInfo | None:
        heap, service_id = self._heap, self._service_id
        while heap:
            failures, tasks, active, order, info = heap[0]
            now = info.by_service.get(service_id, 0)
            if now != tasks or info.active != active:
                heapreplace(heap, (failures, now, info.active, order, info))
            elif self._has_limits and not self._pipeline.has_room(info):
                heappop(heap)
            else:
                return info
        return None
