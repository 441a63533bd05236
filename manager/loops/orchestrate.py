"""Services get the tasks that they are to have: each that may need something is reconciled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog

from api.ids import new_object_id
from api.types.services import UpdateState
from api.types.tasks import TaskState
from manager.core.objects.cluster import Cluster
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import Action
from manager.core.orchestrator.carry_out import carry_out
from manager.core.orchestrator.reconcile import reconcile
from manager.core.store.apply import Event
from manager.core.store.command import Action as Change
from manager.core.store.query import View
from manager.core.store.tables import CLUSTERS, NODES, SERVICES, TASKS, slot_key
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.agenda import Agenda
from manager.loops.feed import follow
from manager.loops.service_views import is_rebalanced, rebalancing, service_view
from manager.ports.clock import Clock
from manager.ports.store import Store

log = structlog.get_logger(__name__)

# Actions that go into one change of the store, and those that are gathered before they go.
_CHUNK = 100
_ENOUGH = 1000
_NS = 1e9
_SETTLED = frozenset({UpdateState.COMPLETED.value, UpdateState.ROLLBACK_COMPLETED.value})


class OrchestrateLoop:
    """Runs while this manager leads. now_ns tells the time of day."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        now_ns: Callable[[], int],
        new_id: Callable[[], str] = new_object_id,
    ) -> None:
        self._store = store
        self._clock = clock
        self._now_ns = now_ns
        self._new_id = new_id
        self._agenda = Agenda()
        self._nodes: dict[str, Node] = {}
        self._has_node_news = False
        self._moving_version = -1
        self._moving: dict[str, bool] = {}

    async def run(self) -> None:
        """Reconcile services until cancelled."""
        matches = Match(SERVICES), Match(TASKS), Match(NODES), Match(CLUSTERS)
        await follow(self, self._store, self._clock, *matches)

    def look(self, view: View) -> None:
        """Take in all nodes; have all services looked at, and those whose tasks are left."""
        self._agenda = Agenda()
        self._nodes = {node.id: node for node in view.nodes}
        for service in view.services:
            self._agenda.add(service.id)
        for task in view.tasks:
            if task.service_id:
                self._agenda.add(task.service_id)

    def take(self, event: Event) -> None:
        """Have the services looked at that a change may matter to."""
        match event.object:
            case Service(id=service_id):
                self._agenda.add(service_id)
            case Task() as task:
                if task.service_id and self._matters(event.action, event.old, task):
                    self._agenda.add(task.service_id)
            case Node() as node:
                self._take_node(event.action, event.old, node)
            case Cluster() as cluster:
                if event.old is None or rebalancing(event.old) != rebalancing(cluster):
                    self.look(self._store.view())

    async def act(self) -> float:
        """Reconcile what is due."""
        if self._has_node_news:
            self._has_node_news = False
            self._add_services_that_follow_nodes()
        changes: list[Callable[[Transaction], None]] = []
        due = self._agenda.take(self._clock.now_s())
        for place, service_id in enumerate(due):
            changes += self._plan(service_id)
            if len(changes) * _CHUNK >= _ENOUGH:
                for rest in due[place + 1 :]:
                    self._agenda.add(rest)
                break
        if changes:
            await self._store.batch(changes)
        return self._agenda.pause_s(self._clock.now_s())

    def _plan(self, service_id: str) -> Iterable[Callable[[Transaction], None]]:
        """Return the changes that are due for a service."""
        began_s = self._clock.now_s()
        view = self._store.view()
        stored, seen = view.services.get(service_id), service_view(view, service_id, self._nodes)
        if stored is None and not seen.tasks:
            return []
        now_ns = self._now_ns()
        plan = reconcile(seen, now_ns, self._new_id)
        now_s = self._clock.now_s()
        self._agenda.rest(service_id, began_s, now_s)
        if plan.wake_ns:
            self._agenda.add(service_id, now_s + max(plan.wake_ns - now_ns, 0) / _NS)
        if plan.actions:
            log.debug("service.reconciled", service_id=service_id, actions=len(plan.actions))
        return [_change(service_id, stored, chunk) for chunk in _chunks(plan.actions)]

    def _matters(self, action: Change, old: Task | None, task: Task) -> bool:
        """Tell whether a change of a task may mean that something is due for its service.

        The most are steps on a task's way up, and what this loop did itself.
        """
        if action is Change.REMOVE:
            return self._is_over(task)
        before = old.status.State if old is not None else TaskState.NEW
        state = task.status.State
        if state is before:
            return False
        if state > TaskState.RUNNING:
            return task.desired_state <= TaskState.COMPLETE or self._is_awaited(task)
        return state is TaskState.RUNNING and self._is_updating(task.service_id)

    def _is_over(self, task: Task) -> bool:
        """Tell whether a task's service is being removed, and may have lost its last task."""
        service = self._store.view().services.get(task.service_id)
        return service is not None and service.is_removed

    def _is_awaited(self, task: Task) -> bool:
        """Tell whether another task waits in READY for this one's end."""
        rows = self._store.view().tasks
        if task.slot:
            others = rows.by(slot=slot_key(task.service_id, task.slot))
        else:
            others = rows.by(service=task.service_id, node=task.node_id)
        return any(each.desired_state is TaskState.READY for each in others)

    def _is_updating(self, service_id: str) -> bool:
        """Tell whether a service's tasks are being exchanged or moved; asked once per state."""
        view = self._store.view()
        if view.version != self._moving_version:
            self._moving_version, self._moving = view.version, {}
        known = self._moving.get(service_id)
        if known is None:
            known = self._moving[service_id] = _is_updating(view, view.services.get(service_id))
        return known

    def _take_node(self, action: Change, old: Node | None, node: Node) -> None:
        if action is Change.REMOVE:
            self._nodes.pop(node.id, None)
        else:
            self._nodes[node.id] = node
        if action is Change.UPDATE and old is not None and is_alike(old, node):
            return
        self._has_node_news = True
        for task in self._store.view().tasks.by(node=node.id):
            if task.service_id:
                self._agenda.add(task.service_id)

    def _add_services_that_follow_nodes(self) -> None:
        view = self._store.view()
        for service in view.services:
            mode = service.spec.Mode
            is_global = mode.Global is not None or mode.GlobalJob is not None
            if is_global or is_rebalanced(view, service):
                self._agenda.add(service.id)


def is_alike(before: Node, after: Node) -> bool:
    """Tell whether a node is the same to tasks: state, spec, role and description."""
    return (
        before.status.State == after.status.State
        and before.spec == after.spec
        and before.role is after.role
        and before.description == after.description
    )


def _is_updating(view: View, service: Service | None) -> bool:
    if service is None:
        return False
    if service.update_status is not None and service.update_status.State not in _SETTLED:
        return True
    return is_rebalanced(view, service)


def _chunks(actions: list[Action]) -> Iterator[list[Action]]:
    for start in range(0, len(actions), _CHUNK):
        yield actions[start : start + _CHUNK]


def _change(
    service_id: str, planned: Service | None, actions: list[Action]
) -> Callable[[Transaction], None]:
    """Return what does some actions, provided that the service still is what they were for."""

    def change(tx: Transaction) -> None:
        if _is_same(planned, tx.services.get(service_id)):
            for action in actions:
                carry_out(tx, action)

    return change


def _is_same(planned: Service | None, service: Service | None) -> bool:
    if planned is None or service is None:
        return planned is service
    return (
        planned.is_removed is service.is_removed
        and planned.spec_version == service.spec_version
        and planned.spec == service.spec
    )
