"""Tasks that are over are forgotten: removed ones, and history beyond its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from api.types.tasks import TaskState
from manager.core.objects.cluster import Cluster
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import DeleteTask
from manager.core.orchestrator.carry_out import carry_out
from manager.core.orchestrator.reaper import reap
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import CLUSTERS, SERVICES, TASKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.agenda import Agenda
from manager.loops.feed import follow
from manager.loops.service_views import service_view
from manager.ports.clock import Clock
from manager.ports.store import Store

# Nobody waits for it: so long what ends is gathered.
_DELAY_S = 0.1
_CHUNK = 100


class ReapLoop:
    """Runs while this manager leads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._agenda = Agenda()

    async def run(self) -> None:
        """Forget tasks until cancelled."""
        matches = Match(TASKS), Match(SERVICES), Match(CLUSTERS)
        await follow(self, self._store, self._clock, *matches)

    def look(self, view: View) -> None:
        """Have all services looked at that have tasks."""
        self._agenda = Agenda()
        for task in view.tasks:
            self._agenda.add(task.service_id)

    def take(self, event: Event) -> None:
        """Have the services looked at whose tasks may be over now."""
        match event.object:
            case Task() as task:
                if event.action is not Action.REMOVE and _may_be_over(event.old, task):
                    self._add(task.service_id)
            case Service(id=service_id) if event.action is not Action.CREATE:
                self._add(service_id)
            case Cluster() as cluster:
                if event.old is None or event.old.spec.Orchestration != cluster.spec.Orchestration:
                    self.look(self._store.view())

    async def act(self) -> float:
        """Forget what is due."""
        for service_id in self._agenda.take(self._clock.now_s()):
            began_s = self._clock.now_s()
            found = reap(service_view(self._store.view(), service_id, {}))
            self._agenda.rest(service_id, began_s, self._clock.now_s())
            if found:
                await self._store.batch(map(_change, _chunks(found)))
        return self._agenda.pause_s(self._clock.now_s())

    def _add(self, service_id: str) -> None:
        self._agenda.add(service_id, self._clock.now_s() + _DELAY_S)


def _may_be_over(old: Task | None, task: Task) -> bool:
    """Tell whether a change is one after which a task may be forgotten."""
    if old is None:
        return False
    has_ended = task.status.State > TaskState.RUNNING >= old.status.State
    return has_ended or task.desired_state is not old.desired_state


def _chunks(found: list[DeleteTask]) -> Iterator[list[DeleteTask]]:
    for start in range(0, len(found), _CHUNK):
        yield found[start : start + _CHUNK]


def _change(actions: list[DeleteTask]) -> Callable[[Transaction], None]:
    """Return what forgets tasks. They are over for good: no state ever falls back."""

    def change(tx: Transaction) -> None:
        for action in actions:
            carry_out(tx, action)

    return change
