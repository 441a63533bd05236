"""The nodes that tasks may go to, grouped by the labels that tasks are to be spread over.

All services with the same placement share a layout: only those nodes are looked at service by
service that have tasks of it, or failed it. A fork is one preference, with a branch per value of
its label; a pool holds the nodes that agree on all preferred labels, the least loaded first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappush

from manager.core.scheduler.constraint import label_of
from manager.core.scheduler.node_info import NodeInfo

Path = tuple[str, ...]
"""Values of the preferred labels."""


class Pool:
    """Nodes by load: `heap` holds (tasks to run, order, node). Entries may be out of date."""

    __slots__ = ("_infos", "active", "heap")

    def __init__(self, infos: list[NodeInfo]) -> None:
        self._infos = infos
        self.refresh()

    def refresh(self) -> None:
        """Bring all entries up to date, after tasks have gone."""
        self.heap = [(info.active, info.order, info) for info in self._infos]
        heapify(self.heap)
        self.active = sum(info.active for info in self._infos)

    def put_back(self, infos: Sequence[NodeInfo]) -> None:
        """Put nodes back that were popped."""
        entries = [(info.active, info.order, info) for info in infos]
        if len(entries) * 8 > len(self.heap):
            self.heap += entries
            heapify(self.heap)
        else:
            for entry in entries:
                heappush(self.heap, entry)

    @property
    def load(self) -> float:
        """Tasks per node."""
        return self.active / len(self._infos)


class Fork:
    """One preference: a branch per value of its label, in the order of the values."""

    __slots__ = ("branches",)

    def __init__(self, branches: dict[str, Shape]) -> None:
        self.branches = branches

    @property
    def load(self) -> float:
        """Tasks per node, each branch counting the same."""
        return sum(branch.load for branch in self.branches.values()) / len(self.branches)


Shape = Pool | Fork


class Layout:
    """Candidates by preferred labels; `root` is None where there are none."""

    def __init__(self, candidates: Iterable[NodeInfo], preferences: Sequence[str]) -> None:
        self._preferences = tuple(preferences)
        self._paths: dict[int, Path] = {}
        self._pools: list[Pool] = []
        self._orders: set[int] = set()
        groups: dict[Path, list[NodeInfo]] = {}
        for info in candidates:
            self._orders.add(info.order)
            groups.setdefault(self.path_of(info), []).append(info)
        self.root = self._shape(groups, 0) if groups else None

    def path_of(self, info: NodeInfo) -> Path:
        """Return the values of the preferred labels of any node."""
        path = self._paths.get(info.order)
        if path is None:
            path = tuple(label_of(info.node, each) for each in self._preferences)
            self._paths[info.order] = path
        return path

    def __contains__(self, info: NodeInfo) -> bool:
        return info.order in self._orders

    def refresh(self) -> None:
        """Bring all loads up to date, after tasks have gone."""
        for pool in self._pools:
            pool.refresh()

    def _shape(self, groups: dict[Path, list[NodeInfo]], depth: int) -> Shape:
        if depth == len(self._preferences):
            (infos,) = groups.values()
            self._pools.append(Pool(infos))
            return self._pools[-1]
        parts: dict[str, dict[Path, list[NodeInfo]]] = {}
        for path, infos in sorted(groups.items(), key=lambda item: item[0]):
            parts.setdefault(path[depth], {})[path] = infos
        return Fork({value: self._shape(part, depth + 1) for value, part in parts.items()})
