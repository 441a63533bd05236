"""A cluster of one service in memory: a store, a scheduler, agents, a clock that is moved."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec.structs import replace

from api.types.container_spec import ContainerSpec
from api.types.services import (
    GlobalJob,
    GlobalService,
    ReplicatedJob,
    ReplicatedService,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from api.types.tasks import RestartPolicy, TaskSpec, TaskState, TaskStatus
from manager.core.objects.node import Node
from manager.core.objects.service import JobRun, Service
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.orchestrator.actions import (
    Action,
    CreateTask,
    DeleteService,
    DeleteTask,
    RejectTask,
    RollBack,
    SetDesired,
    SetUpdateStatus,
)
from manager.core.orchestrator.defaults import SECOND_NS
from manager.core.orchestrator.reaper import reap
from manager.core.orchestrator.reconcile import reconcile
from manager.core.orchestrator.view import ServiceView, takes_tasks
from manager.core.task_life import observe
from tests.unit.manager.core.scheduler.samples import node

S = TaskState
STEPS = [S.ASSIGNED, S.ACCEPTED, S.PREPARING, S.READY, S.STARTING, S.RUNNING]


def replicas(number: int) -> ServiceMode:
    """Return the mode of a replicated service."""
    return ServiceMode(Replicated=ReplicatedService(number))


GLOBAL = ServiceMode(Global=GlobalService())
GLOBAL_JOB = ServiceMode(GlobalJob=GlobalJob())


def job(at_once: int | None, total: int | None = None) -> ServiceMode:
    """Return the mode of a replicated job."""
    return ServiceMode(ReplicatedJob=ReplicatedJob(MaxConcurrent=at_once, TotalCompletions=total))


def spec(
    mode: ServiceMode,
    image: str = "a",
    *,
    restart: RestartPolicy | None = None,
    update: UpdateConfig | None = None,
    rollback: UpdateConfig | None = None,
    **task: Any,
) -> ServiceSpec:
    """Return a service's spec."""
    return ServiceSpec(
        Name="web",
        Mode=mode,
        TaskTemplate=TaskSpec(
            ContainerSpec=ContainerSpec(Image=image), RestartPolicy=restart, **task
        ),
        UpdateConfig=update,
        RollbackConfig=rollback,
    )


class World:
    """One service in a store, and all that acts on it."""

    def __init__(self, wanted: ServiceSpec, names: str = "abc", history_limit: int = 5) -> None:
        is_job = wanted.Mode.ReplicatedJob is not None or wanted.Mode.GlobalJob is not None
        self.service: Service | None = Service(
            id="web", spec=wanted, spec_version=1, job=JobRun(iteration=1) if is_job else None
        )
        self.nodes: dict[str, Node] = {name: node(name) for name in names}
        self.tasks: dict[str, Task] = {}
        self.now_ns = 1_000 * SECOND_NS
        self.history_limit = history_limit
        self.is_rebalanced = False
        self.wake_ns = 0
        self.fails: Callable[[Task], bool] = lambda _: False
        self._ids = count(1)
        self._versions = count(2)

    # what users do

    def update(self, wanted: ServiceSpec) -> None:
        """Give the service another spec, as the verb does."""
        assert self.service is not None
        before = self.service
        run = None if before.job is None else JobRun(iteration=before.job.iteration + 1)
        self.service = replace(
            before,
            spec=wanted,
            spec_version=next(self._versions),
            previous_spec=before.spec,
            previous_spec_version=before.spec_version,
            update_status=None,
            job=run,
        )

    def remove(self) -> None:
        """Remove the service."""
        assert self.service is not None
        self.service = replace(self.service, is_removed=True)

    def set_node(self, name: str, **parts: Any) -> None:
        """Change a node."""
        self.nodes[name] = node(name, **parts)

    # what managers and agents do

    def view(self) -> ServiceView:
        """Return what the orchestrator sees."""
        assert self.service is not None
        return ServiceView(
            service=self.service,
            tasks=list(self.tasks.values()),
            nodes=self.nodes,
            history_limit=self.history_limit,
            is_rebalanced=self.is_rebalanced,
        )

    def orchestrate(self) -> list[Action]:
        """Reconcile once, and return what was done."""
        if self.service is None:
            return []
        plan = reconcile(self.view(), self.now_ns, lambda: f"t{next(self._ids)}")
        self.wake_ns = plan.wake_ns
        for action in plan.actions:
            self._apply(action)
        return plan.actions

    def schedule(self) -> None:
        """Give new tasks the first node with the fewest tasks."""
        for task in list(self.tasks.values()):
            if task.status.State is not S.NEW or task.desired_state > S.COMPLETE:
                continue
            place = task.node_id or self._emptiest()
            if place and (found := self.nodes.get(place)) and takes_tasks(found):
                self.tasks[task.id] = replace(task, node_id=place)
                self.see(task.id, S.PENDING)
                self.see(task.id, S.ASSIGNED)

    def work(self, task_id: str) -> None:
        """Let the agent of a task go one step towards its desired state."""
        task = self.tasks[task_id]
        state, desired = task.status.State, task.desired_state
        place = self.nodes.get(task.node_id)
        if place is None or place.status.State == "down" or not S.ASSIGNED <= state <= S.RUNNING:
            return
        if desired > S.COMPLETE:
            self.see(task_id, S.SHUTDOWN)
        elif state is S.STARTING and self.fails(task):
            self.see(task_id, S.FAILED)
        elif state is S.RUNNING:
            if desired is S.COMPLETE:
                self.see(task_id, S.COMPLETE)
        elif state < desired:
            self.see(task_id, STEPS[STEPS.index(state) + 1])

    def see(self, task_id: str, state: TaskState) -> None:
        """Note an observed state."""
        task = self.tasks[task_id]
        status = TaskStatus(Timestamp=to_api_time(self.now_ns), State=state)
        self.tasks[task_id] = observe(task, status, self.now_ns)

    def reap(self) -> None:
        """Forget what is over."""
        if self.service is not None:
            for action in reap(self.view()):
                self._apply(action)

    def round(self) -> int:
        """Let everybody act once; return how much the orchestrator did."""
        done = len(self.orchestrate())
        self.schedule()
        for task_id in list(self.tasks):
            self.work(task_id)
        self.reap()
        return done

    def settle(self, rounds: int = 400) -> None:
        """Let everybody act until nothing is left to do, moving the clock where all wait."""
        for _ in range(rounds):
            before = (dict(self.tasks), self.service)
            self.round()
            if before != (self.tasks, self.service):
                continue
            if not self.wake_ns:
                return
            self.now_ns = max(self.wake_ns, self.now_ns)
        raise AssertionError(f"does not settle: {self.tasks}")

    def settle_for(self, duration_ns: int) -> None:
        """Let everybody act for so long."""
        end_ns = self.now_ns + duration_ns
        while self.now_ns < end_ns:
            for _ in range(10):
                self.round()
            self.pass_time(1)

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now_ns += int(seconds * SECOND_NS)

    # what tests ask

    def running(self, image: str | None = None) -> list[Task]:
        """Return the tasks that run and are to run, of an image."""
        return [
            task
            for task in self.tasks.values()
            if task.status.State is S.RUNNING and task.desired_state is S.RUNNING
            if image is None or self.image(task) == image
        ]

    def image(self, task: Task) -> str:
        """Return a task's image."""
        assert task.spec.ContainerSpec is not None
        return task.spec.ContainerSpec.Image

    def slots(self) -> list[int]:
        """Return the slots that run."""
        return sorted(task.slot for task in self.running())

    @property
    def status(self) -> str:
        """Return the state of the update."""
        assert self.service is not None
        status = self.service.update_status
        return "" if status is None else status.State

    @property
    def message(self) -> str:
        """Return the message of the update."""
        assert self.service is not None
        status = self.service.update_status
        return "" if status is None else status.Message

    def _emptiest(self) -> str:
        loads = {name: 0 for name, each in self.nodes.items() if takes_tasks(each)}
        for task in self.tasks.values():
            if task.node_id in loads and task.desired_state <= S.COMPLETE:
                loads[task.node_id] += 1
        return min(loads, key=lambda name: (loads[name], name), default="")

    def _apply(self, action: Action) -> None:
        assert self.service is not None
        match action:
            case CreateTask(task):
                self.tasks[task.id] = task
            case SetDesired(task_id, state):
                task = self.tasks[task_id]
                assert task.desired_state < state
                self.tasks[task_id] = replace(task, desired_state=state)
            case DeleteTask(task_id):
                del self.tasks[task_id]
            case RejectTask(task_id, _):
                self.see(task_id, S.REJECTED)
            case SetUpdateStatus(_, status):
                self.service = replace(self.service, update_status=status)
            case RollBack(_, status):
                assert self.service.previous_spec is not None
                self.service = replace(
                    self.service,
                    spec=self.service.previous_spec,
                    spec_version=self.service.previous_spec_version,
                    previous_spec=None,
                    update_status=status,
                )
            case DeleteService():
                self.service = None
