"""A view with changes laid over it: each step sees what the steps before it want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import Action, CreateTask, Plan, SetDesired
from manager.core.orchestrator.new_task import new_task
from manager.core.orchestrator.view import NewId, ServiceView, is_up

SlotKey = int | str
"""A slot's number; of a global service, the node."""


def slot_of(task: Task) -> SlotKey:
    """Return the slot that tasks take turns in."""
    return task.slot or task.node_id


def slot_order(key: SlotKey) -> tuple[int, str]:
    """Return what slots are sorted by: their numbers, or their nodes."""
    return (key, "") if isinstance(key, int) else (0, key)


class Draft:
    """A service's tasks as they will be, by slot, and the actions that make them so.

    last_state is what tasks are to reach: RUNNING, or COMPLETE for jobs.
    """

    def __init__(self, view: ServiceView, now_ns: int, new_id: NewId) -> None:
        self.view = view
        self.now_ns = now_ns
        self.last_state = TaskState.RUNNING if view.service.job is None else TaskState.COMPLETE
        self._last_rank = self.last_state.rank
        self._new_id = new_id
        self._before = {task.id: task for task in view.tasks}
        self._tasks = dict(self._before)
        self._others: list[Action] = []
        self._wakes: list[int] = []
        self._slots: dict[SlotKey, list[Task]] | None = None

    @property
    def service(self) -> Service:
        """Return the service."""
        return self.view.service

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Return all nodes."""
        return self.view.nodes

    @property
    def tasks(self) -> list[Task]:
        """Return the tasks as they will be."""
        return list(self._tasks.values())

    def is_runnable(self, task: Task) -> bool:
        """Tell whether a task is to run, now or soon."""
        return task.desired_state.rank <= self._last_rank

    def is_stopping(self, task: Task) -> bool:
        """Tell whether a task that is not to run may run still, on a node that is up."""
        return (
            not self.is_runnable(task)
            and TaskState.ASSIGNED <= task.status.State <= TaskState.RUNNING
            and is_up(self.nodes.get(task.node_id))
        )

    def first_state(self, slot: Iterable[Task]) -> TaskState:
        """Return the state that a new task in a slot is to reach at first: READY beside an old."""
        return TaskState.READY if any(map(self.is_stopping, slot)) else self.last_state

    def slots(self) -> dict[SlotKey, list[Task]]:
        """Return the tasks by slot, the newest of each slot last. It is not to be changed."""
        if self._slots is None:
            self._slots = _by_slot(self._tasks.values())
        return self._slots

    def create(
        self,
        desired: TaskState,
        *,
        slot: int = 0,
        node_id: str = "",
        start_ns: int = 0,
        attempt: int = 0,
        restart_times_ns: Iterable[int] = (),
        quick_ends: int = 0,
    ) -> None:
        """Make a task in a slot, or on a node."""
        task = new_task(
            self.view, self._new_id(), self.now_ns, desired=desired, slot=slot, node_id=node_id
        )
        self._slots = None
        self._tasks[task.id] = replace(
            task,
            start_ns=start_ns,
            attempt=attempt,
            restart_times_ns=list(restart_times_ns),
            quick_ends=quick_ends,
        )

    def set_desired(self, task: Task, state: TaskState) -> None:
        """Want a task to be in another state."""
        self._slots = None
        self._tasks[task.id] = replace(self._tasks[task.id], desired_state=state)

    def act(self, action: Action) -> None:
        """Want something that is not about tasks to run."""
        self._others.append(action)

    def wake(self, moment_ns: int) -> None:
        """Want to look again at a moment to come."""
        self._wakes.append(moment_ns)

    def plan(self) -> Plan:
        """Return the actions: first what stops, then what begins."""
        stops: list[Action] = []
        begins: list[Action] = []
        for task in self._tasks.values():
            before = self._before.get(task.id)
            if before is None:
                begins.append(CreateTask(task))
            elif before.desired_state is not task.desired_state:
                stops.append(SetDesired(task.id, task.desired_state))
        return Plan([*stops, *begins, *self._others], min(self._wakes, default=0))


def _by_slot(tasks: Iterable[Task]) -> dict[SlotKey, list[Task]]:
    found: dict[SlotKey, list[Task]] = {}
    for task in tasks:
        found.setdefault(slot_of(task), []).append(task)
    for slot in found.values():
        if len(slot) > 1:
            slot.sort(key=lambda task: (task.meta.created_ns, task.meta.version_index, task.id))
    return found
