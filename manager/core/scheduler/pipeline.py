"""The filters together: which nodes pass, and why none did."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from manager.core.scheduler.filters import (
    ClusterVolumes,
    Constraints,
    Filter,
    HostPorts,
    MaxReplicas,
    Platforms,
    Plugins,
    Ready,
    Resources,
)
from manager.core.scheduler.node_info import NodeInfo
from manager.core.scheduler.requirements import Requirements

FILTERS: tuple[Callable[[Requirements], Filter], ...] = (
    Ready,
    Resources,
    Plugins,
    Constraints,
    Platforms,
    HostPorts,
    MaxReplicas,
    ClusterVolumes,
)
"""In the order that a node is asked: it is counted under the first reason that rules it out."""


class Pipeline:
    """The filters that matter to tasks with the same needs."""

    def __init__(self, needs: Requirements) -> None:
        made = [make(needs) for make in FILTERS]
        self._filters = [each for each in made if each.is_asked]
        self._lasting = [each for each in self._filters if each.is_lasting]
        self._passing = [each for each in self._filters if not each.is_lasting]

    def lasting(self, infos: Iterable[NodeInfo]) -> list[NodeInfo]:
        """Return the nodes that tasks may go to as far as nodes themselves decide."""
        return [info for info in infos if all(each.fits(info) for each in self._lasting)]

    @property
    def has_limits(self) -> bool:
        """Tell whether a node can fill up with tasks of the service."""
        return bool(self._passing)

    def has_room(self, info: NodeInfo) -> bool:
        """Tell whether a node that fits can take one more task."""
        return all(each.fits(info) for each in self._passing)

    def fits(self, info: NodeInfo) -> bool:
        """Tell whether a task can go to a node."""
        return all(each.fits(info) for each in self._filters)

    def explain(self, infos: Iterable[NodeInfo]) -> str:
        """Return why no node takes a task: `no suitable node (...)`, the main reason first."""
        counts = [0] * len(self._filters)
        for info in infos:
            for order, each in enumerate(self._filters):
                if not each.fits(info):
                    counts[order] += 1
                    break
        found = [(count, each) for count, each in zip(counts, self._filters, strict=True) if count]
        found.sort(key=lambda item: -item[0])
        reasons = "; ".join(each.explain(count) for count, each in found)
        return f"no suitable node ({reasons})" if reasons else "no suitable node"
