"""All nodes with the tasks on them, and the layouts that services share."""

from __future__ import annotations

from collections.abc import Iterable

from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.layout import Layout
from manager.core.scheduler.node_info import NodeInfo
from manager.core.scheduler.pipeline import Pipeline
from manager.core.scheduler.requirements import Requirements, ServiceVersion
from manager.core.scheduler.spread import Known

_LAYOUT_LIMIT = 64
"""So many layouts are kept; each holds all its nodes."""


class ClusterView:
    """Nodes by id, nodes by the services that know them, layouts by placement.

    An index of a service's nodes may hold some that no longer know it; they are dropped when met.
    """

    def __init__(self) -> None:
        self._infos: dict[str, NodeInfo] = {}
        self._made = 0
        self._places: dict[str, str] = {}
        self._by_service: dict[str, dict[int, NodeInfo]] = {}
        self._by_failure: dict[ServiceVersion, dict[int, NodeInfo]] = {}
        self._layouts: dict[tuple[object, ...], Layout] = {}
        self._stale: set[tuple[object, ...]] = set()

    def __len__(self) -> int:
        return len(self._infos)

    @property
    def infos(self) -> Iterable[NodeInfo]:
        """Return all nodes."""
        return self._infos.values()

    def info(self, node_id: str) -> NodeInfo | None:
        """Return one node."""
        return self._infos.get(node_id)

    def set_node(self, node: Node) -> bool:
        """Take in a node; False if nothing that matters to tasks is new."""
        known = self._infos.get(node.id)
        if known is None:
            self._made += 1
            self._infos[node.id] = NodeInfo(node, self._made)
        elif _is_same(known.node, node):
            return False
        else:
            known.replace(node)
        self._layouts.clear()
        return True

    def remove_node(self, node_id: str) -> None:
        """Forget a node, with the tasks on it."""
        info = self._infos.pop(node_id, None)
        if info is None:
            return
        self._layouts.clear()
        for task_id in info.task_ids():
            del self._places[task_id]
            info.remove(task_id)

    def hold(self, task: Task, needs: Requirements) -> None:
        """Take in a task that is on a node, or what changed of it."""
        info = self._infos.get(task.node_id)
        if info is None or info.holds(task, needs):
            return
        before = info.active
        info.add(task, needs)
        if info.active < before:
            self._outdate()
        self.note_assigned(task.service_id, task.id, task.node_id)

    def note_assigned(self, service_id: str, task_id: str, node_id: str) -> None:
        """Note where a task is that its node knows already."""
        info = self._infos[node_id]
        self._places[task_id] = node_id
        self._by_service.setdefault(service_id, {})[info.order] = info

    def free(self, task_id: str) -> bool:
        """Give back what a task held on its node; False if it held nothing."""
        node_id = self._places.pop(task_id, None)
        info = self._infos.get(node_id) if node_id is not None else None
        if info is None:
            return False
        self._outdate()
        return info.remove(task_id)

    def note_failure(self, node_id: str, version: ServiceVersion, now_ns: int) -> None:
        """Remember that a task failed on a node."""
        info = self._infos.get(node_id)
        if info is not None:
            info.note_failure(version, now_ns)
            self._by_failure.setdefault(version, {})[info.order] = info

    def known(self, needs: Requirements, now_ns: int) -> list[Known]:
        """Return the nodes that have tasks of the service, or are avoided for its failures."""
        version = (needs.service_id, needs.spec_version)
        nodes = self._by_service.get(needs.service_id, {}) | self._by_failure.get(version, {})
        found = []
        for order, info in nodes.items():
            tasks = info.by_service.get(needs.service_id, 0)
            failures = info.recent_failures(version, now_ns)
            if self._infos.get(info.node.id) is info and (tasks or failures):
                found.append(Known(info, tasks, failures))
            else:
                self._by_service.get(needs.service_id, {}).pop(order, None)
        self._drop_old_failures(version)
        return found

    def layout(self, needs: Requirements) -> Layout:
        """Return the nodes that tasks may go to, with their loads as they are."""
        key = (needs.placement_key, needs.preferences)
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= _LAYOUT_LIMIT:
                self._layouts.clear()
            candidates = Pipeline(needs).lasting(self._infos.values())
            layout = self._layouts[key] = Layout(candidates, needs.preferences)
        elif key in self._stale:
            layout.refresh()
        self._stale.discard(key)
        return layout

    def _outdate(self) -> None:
        """Note that nodes have less to do than layouts say."""
        self._stale.update(self._layouts)

    def _drop_old_failures(self, version: ServiceVersion) -> None:
        failing = self._by_failure.get(version)
        if failing is None:
            return
        for order in [order for order, info in failing.items() if not info.has_failed(version)]:
            del failing[order]
        if not failing:
            del self._by_failure[version]


def _is_same(before: Node, after: Node) -> bool:
    return (
        before.description == after.description
        and before.spec == after.spec
        and before.status == after.status
        and before.role == after.role
    )
