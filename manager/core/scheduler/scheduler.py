"""The scheduler's memory: what it was told of nodes and tasks, and what waits for a node.

It is told of every change, and asked for decisions. A decision is entered in the bookkeeping at
once, as if it were committed; `forget` takes back one that was not. No clock, no store: the loop
around it commits decisions in batches and looks again, at commit, whether each still holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.cluster_view import ClusterView
from manager.core.scheduler.pending import Pending
from manager.core.scheduler.place import Decision, Unplaced, confirm, place
from manager.core.scheduler.requirements import Requirements, ServiceVersion, requirements_of

_SLICE = 512
"""So many tasks of a service are placed before others have their turn, at the least."""

_REMEMBERED_SPECS = 20_000
_FAILED = (TaskState.FAILED, TaskState.REJECTED)


def is_held_alike(old: Task | None, task: Task) -> bool:
    """Tell whether a task holds on its node just what it held before it changed.

    Most changes are like that: steps on its way up, as its agent reports them.
    """
    if old is None or old.node_id != task.node_id or old.desired_state is not task.desired_state:
        return False
    lowest, highest = TaskState.PENDING.rank, TaskState.RUNNING.rank
    return (
        lowest < old.status.State.rank <= highest
        and lowest < task.status.State.rank <= highest
        and old.generic_resources is task.generic_resources
    )


class Scheduler:
    """Nodes with their tasks, and tasks that wait for a node."""

    def __init__(self) -> None:
        self._view = ClusterView()
        self._pending = Pending()
        self._needs: dict[ServiceVersion, Requirements] = {}

    @property
    def has_work(self) -> bool:
        """Tell whether `schedule` could decide anything new."""
        return self._pending.has_hope

    def node(self, node_id: str) -> Node | None:
        """Return a node as decisions are made on it."""
        info = self._view.info(node_id)
        return None if info is None else info.node

    def set_node(self, node: Node) -> None:
        """Take in a node that is new or has changed."""
        if self._view.set_node(node):
            self._pending.hope()

    def remove_node(self, node_id: str) -> None:
        """Forget a node, with the tasks on it."""
        self._view.remove_node(node_id)

    def set_task(self, task: Task, now_ns: int) -> None:
        """Take in a task that is new or has changed. A failure counts against its node.

        A task waits for a node while it is pending and to run; before that the allocator has it.
        """
        state, version = task.status.State, (task.service_id, task.spec_version)
        if state is TaskState.PENDING and task.desired_state <= TaskState.COMPLETE:
            self._free(task.id)
            self._pending.add(task)
            return
        self._pending.remove(task.id)
        if task.node_id and TaskState.PENDING < state <= TaskState.RUNNING:
            self._view.hold(task, self._needs_of(task))
        elif self._free(task.id) and state in _FAILED:
            self._view.note_failure(task.node_id, version, now_ns)

    def remove_task(self, task_id: str) -> None:
        """Forget a task that is no more."""
        self._pending.remove(task_id)
        self._free(task_id)

    def forget(self, task: Task) -> None:
        """Take back a decision that was not committed: the task is as it says now."""
        self.set_task(task, 0)

    def schedule(self, now_ns: int) -> Iterator[list[Decision]]:
        """Yield decisions in batches, service by service in turns, until nothing can be placed.

        A batch is of one service, and of about 500 tasks, more on a large cluster. No service is
        served to the end while others wait: what is scarce is shared. Tasks that found no node
        come once; they are tried again when a node changes or a task gives its resources back.
        """
        versions = self._pending.hopeful()
        yield from filter(None, map(self._confirm, versions))
        size = max(_SLICE, len(self._view) // 2)
        turns = versions
        while turns:
            later = []
            for version in turns:
                decisions = self._place(version, size, now_ns)
                if decisions and not isinstance(decisions[-1], Unplaced):
                    later.append(version)
                news = [each for each in decisions if not self._is_known(each)]
                if news:
                    yield news
            turns = later

    def _confirm(self, version: ServiceVersion) -> list[Decision]:
        """Return decisions on tasks that were made for one node each."""
        tasks = self._pending.bound(version)
        if not tasks:
            return []
        needs = self._needs_of(tasks[0])
        decisions = [confirm(task.id, needs, self._view.info(task.node_id)) for task in tasks]
        self._enter(version, decisions)
        if any(isinstance(each, Unplaced) for each in decisions):
            self._pending.despair(version)
        return [each for each in decisions if not self._is_known(each)]

    def _place(self, version: ServiceVersion, size: int, now_ns: int) -> list[Decision]:
        """Return decisions on the next tasks of a version; on all that stay, if one found none."""
        sample = self._pending.any_free(version)
        if sample is None:
            return []
        needs, view = self._needs_of(sample), self._view
        chosen = self._pending.free(version, size)
        layout, known = view.layout(needs), view.known(needs, now_ns)
        decisions = place(chosen, needs, layout, known, view.infos)
        self._enter(version, decisions)
        last = decisions[-1]
        if isinstance(last, Unplaced):
            self._pending.despair(version)
            decided = {each.task_id for each in decisions}
            rest = [each for each in self._pending.free(version) if each not in decided]
            decisions += [Unplaced(task_id, last.reason) for task_id in rest]
        return decisions

    def _enter(self, version: ServiceVersion, decisions: list[Decision]) -> None:
        for decision in decisions:
            if not isinstance(decision, Unplaced):
                self._view.note_assigned(version[0], decision.task_id, decision.node_id)
                self._pending.remove(decision.task_id)

    def _is_known(self, decision: Decision) -> bool:
        """Tell whether a task that stays was told the same reason before."""
        if not isinstance(decision, Unplaced):
            return False
        task = self._pending.task(decision.task_id)
        return task is not None and task.status.Err == decision.reason

    def _needs_of(self, task: Task) -> Requirements:
        """Return a task's needs. All tasks of a version share them, and the memory of them."""
        if not task.service_id:
            return requirements_of(task)
        version = (task.service_id, task.spec_version)
        known = self._needs.get(version)
        if known is None:
            if len(self._needs) >= _REMEMBERED_SPECS:
                self._needs.clear()
            known = self._needs[version] = requirements_of(task)
        return known

    def _free(self, task_id: str) -> bool:
        """Give back what a task held; False if it held nothing."""
        if not self._view.free(task_id):
            return False
        self._pending.hope()
        return True
