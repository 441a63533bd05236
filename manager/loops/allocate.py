"""Services and tasks get what they need before a task can run: published ports, attachments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog
from msgspec.structs import replace

from api.errors import SkepError
from api.types.cluster_networks import Endpoint
from api.types.tasks import TaskState
from manager.core.allocator.allocation import Allocation, has_alike
from manager.core.allocator.tasks import allocated, needs_addresses
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task, TaskNetwork
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import NETWORKS, NODES, SERVICES, TASKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.feed import NEVER, follow
from manager.ports.clock import Clock
from manager.ports.store import Store

log = structlog.get_logger(__name__)

_CHUNK = 200


class AllocateLoop:
    """Runs while this manager leads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._given = Allocation(store.view())
        self._services: dict[str, None] = {}
        self._tasks: dict[str, None] = {}
        self._nodes: dict[str, None] = {}
        self._refused: dict[str, str] = {}
        self._refused_nodes: dict[str, str] = {}

    async def run(self) -> None:
        """Allocate until cancelled."""
        matches = Match(SERVICES), Match(TASKS), Match(NETWORKS), Match(NODES)
        await follow(self, self._store, self._clock, *matches)

    def look(self, view: View) -> None:
        """Take in all that is given; have all looked at that lacks something."""
        self._given = Allocation(view)
        self._look_at_services(view)
        self._tasks = {each.id: None for each in view.tasks if _is_new(each)}
        self._nodes = {each.id: None for each in view.nodes}
        self._refused = {}
        self._refused_nodes = {}

    def take(self, event: Event) -> None:
        """Note what is new, and what is given back."""
        is_gone = event.action is Action.REMOVE
        match event.object:
            case Service() as service:
                self._take_service(service, is_gone=is_gone)
            case Task() as task if is_gone or not has_alike(event.old, task):
                self._given.note_task(task, is_gone=is_gone)
                if not is_gone and _is_new(task):
                    self._tasks[task.id] = None
                elif is_gone and self._refused:
                    self._try_refused_again()
            case Network() as network:
                self._given.note_network(network, is_gone=is_gone)
                if network.spec.Ingress:
                    view = self._store.view()
                    self._look_at_services(view)
                    self._nodes.update((each.id, None) for each in view.nodes)
            case Node() as node:
                self._given.note_node(node, is_gone=is_gone)
                if is_gone:
                    self._refused_nodes.pop(node.id, None)
                elif not self._given.is_node_complete(node):
                    self._nodes[node.id] = None

    async def act(self) -> float:
        """Give what is asked for."""
        if self._nodes:
            nodes, self._nodes = self._nodes, {}
            await self._store.batch(self._node_changes(nodes))
        if self._services:
            services, self._services = self._services, {}
            await self._store.batch(self._service_changes(services))
        if self._tasks:
            tasks, self._tasks = [*self._tasks], {}
            await self._store.batch(self._task_change(each) for each in _chunks(tasks))
        return NEVER

    def _look_at_services(self, view: View) -> None:
        for service in view.services:
            if not service.is_removed and not self._given.is_complete(service):
                self._services[service.id] = None

    def _take_service(self, service: Service, *, is_gone: bool) -> None:
        self._given.note_service(service, is_gone=is_gone)
        if is_gone or service.is_removed:
            self._refused.pop(service.id, None)
            self._try_refused_again()
        elif not self._given.is_complete(service):
            self._services[service.id] = None
        else:
            self._refused.pop(service.id, None)
            self._wake_tasks(service.id)

    def _try_refused_again(self) -> None:
        """Something came free: who was refused may have it."""
        self._services.update(dict.fromkeys(self._refused))
        for service_id in self._refused:
            self._wake_tasks(service_id)

    def _wake_tasks(self, service_id: str) -> None:
        waiting = self._store.view().tasks.by(service=service_id)
        self._tasks.update((each.id, None) for each in waiting if _is_new(each))

    def _service_changes(self, ids: Iterable[str]) -> Iterator[Callable[[Transaction], None]]:
        """Yield what gives services their ports; those that cannot have them wait, and say why."""
        view = self._store.view()
        for service_id in ids:
            service = view.services.get(service_id)
            if service is None or service.is_removed or self._given.is_complete(service):
                continue
            try:
                endpoint = self._given.plan_service(service)
            except SkepError as error:
                self._refuse(service_id, error)
                self._wake_tasks(service_id)
                continue
            yield _service_change(service, endpoint)

    def _refuse(self, service_id: str, error: SkepError) -> None:
        if self._refused.get(service_id) != error.message:
            log.warning("service.not_allocated", service_id=service_id, reason=error.message)
        self._refused[service_id] = error.message

    def _node_changes(self, ids: Iterable[str]) -> Iterator[Callable[[Transaction], None]]:
        view = self._store.view()
        for node_id in ids:
            node = view.nodes.get(node_id)
            if node is None or self._given.is_node_complete(node):
                continue
            try:
                yield _node_change(node_id, self._given.plan_node(node))
            except SkepError as error:
                if self._refused_nodes.get(node_id) != error.message:
                    log.warning("node.not_allocated", node_id=node_id, reason=error.message)
                self._refused_nodes[node_id] = error.message

    def _task_change(self, ids: list[str]) -> Callable[[Transaction], None]:
        def change(tx: Transaction) -> None:
            for task_id in ids:
                task = tx.tasks.get(task_id)
                if task is None or not _is_new(task):
                    continue
                service = tx.services.get(task.service_id)
                if service is not None:
                    after = self._allocated(task, service)
                elif not task.service_id:
                    after = self._attached(task)
                else:
                    continue
                if after is not task:
                    tx.tasks.update(after)

        return change

    def _attached(self, task: Task) -> Task:
        """Return a container's place on a network: there is nothing more to be done for it."""
        try:
            attachments = self._given.plan_attachment(task)
        except SkepError as error:
            return _with_reason(task, error.message)
        status = replace(task.status, State=TaskState.RUNNING, Message="attached", Err="")
        return replace(task, networks=attachments, status=status)

    def _allocated(self, task: Task, service: Service) -> Task:
        if not self._given.is_complete(service):
            return _with_reason(task, self._refused.get(service.id, ""))
        if not needs_addresses(service):
            return _with_reason(allocated(task, service), "")
        try:
            attachments = self._given.plan_task(task, service)
        except SkepError as error:
            self._refuse(service.id, error)
            return _with_reason(task, error.message)
        return _with_reason(allocated(task, service, attachments), "")


def _is_new(task: Task) -> bool:
    return task.status.State is TaskState.NEW and task.desired_state <= TaskState.COMPLETE


def _service_change(planned: Service, endpoint: Endpoint) -> Callable[[Transaction], None]:
    def change(tx: Transaction) -> None:
        service = tx.services.get(planned.id)
        if service is not None and service.spec.EndpointSpec == planned.spec.EndpointSpec:
            tx.services.update(replace(service, endpoint=endpoint))

    return change


def _node_change(node_id: str, networks: list[TaskNetwork]) -> Callable[[Transaction], None]:
    def change(tx: Transaction) -> None:
        node = tx.nodes.get(node_id)
        if node is not None and node.networks != networks:
            tx.nodes.update(replace(node, networks=networks))

    return change


def _with_reason(task: Task, reason: str) -> Task:
    """Return a task that waits on with the words why."""
    if task.status.State is not TaskState.NEW or task.status.Err == reason:
        return task
    return replace(task, status=replace(task.status, Err=reason))


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
