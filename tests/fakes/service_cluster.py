"""A cluster in memory that runs services: the leader's loops, and agents that only pretend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from msgspec.structs import replace

from api.errors import SkepError
from api.types.assignments import AssignedTask
from api.types.nodes import NodeDescription
from api.types.services import ServiceSpec
from api.types.tasks import TaskState, TaskStatus
from manager.cluster.services.create import create_service
from manager.cluster.services.update import update_service
from manager.core.dispatcher.arrival import Arrival
from manager.core.dispatcher.assign import AssignmentChange, Item, Key
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.loops.agent_sessions import AgentSessions
from manager.loops.allocate import AllocateLoop
from manager.loops.dispatch import DispatchLoop
from manager.loops.enforce import EnforceLoop
from manager.loops.orchestrate import OrchestrateLoop
from manager.loops.orphans import OrphanLoop
from manager.loops.reap import ReapLoop
from manager.loops.schedule import ScheduleLoop
from tests.fakes.clock import FakeClock
from tests.fakes.small_cluster import NOW_NS, SmallCluster, small_cluster

S = TaskState


class PretendAgent:
    """A node whose tasks do as the test says: `becomes` tells where a task that is to run ends."""

    def __init__(self, cluster: ServiceCluster, node_id: str) -> None:
        self.cluster = cluster
        self.node_id = node_id
        self.becomes: Callable[[AssignedTask], TaskState] = lambda _: S.RUNNING
        self.holds_stops = False
        self.changes: list[AssignmentChange] = []
        self.assigned: dict[Key, Item] = {}
        self.states: dict[str, TaskState] = {}
        self.session_id = ""
        self._running: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Register, and listen from then on."""
        description = NodeDescription(Hostname=f"host-{self.node_id}")
        arrival = Arrival(description=description, address="10.0.1.1")
        self.session_id = await self.cluster.sessions.register(self.node_id, arrival)
        self._running = asyncio.create_task(self._listen(self.session_id))

    async def leave(self) -> None:
        """Fall silent."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    def tasks(self) -> list[AssignedTask]:
        """Return the tasks that the node was told of."""
        return [each for each in self.assigned.values() if isinstance(each, AssignedTask)]

    async def say(self, task_id: str, state: TaskState, message: str = "") -> None:
        """Report a task."""
        self.states[task_id] = state
        status = TaskStatus(
            Timestamp=to_api_time(self.cluster.now_ns()), State=state, Message=message
        )
        await self.cluster.dispatch.report(self.node_id, self.session_id, [(task_id, status)])

    async def work(self) -> None:
        """Do what is due for each task."""
        for task in self.tasks():
            state = self.states.get(task.ID, S.ASSIGNED)
            if state > S.RUNNING:
                continue
            if task.DesiredState > S.COMPLETE:
                if not self.holds_stops:
                    await self.say(task.ID, S.SHUTDOWN)
            elif task.DesiredState is S.READY:
                if state < S.READY:
                    await self.say(task.ID, S.READY)
            elif state is not self.becomes(task):
                await self.say(task.ID, self.becomes(task))

    async def _listen(self, session_id: str) -> None:
        with suppress(SkepError):
            async for change, is_complete in self.cluster.dispatch.assignments(
                self.node_id, session_id
            ):
                self.changes.append(change)
                if is_complete:
                    self.assigned.clear()
                for key in change.removed:
                    del self.assigned[key]
                self.assigned.update({(type(item), item.ID): item for item in change.items})
                await self.work()


class ServiceCluster:
    """What a test looks at and turns; time passes when `advance` is called."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self.store = cluster.store
        self.clock = FakeClock(NOW_NS)
        self.sessions = AgentSessions("m1", cluster.store, self.clock)
        self.dispatch = DispatchLoop(cluster.store, self.clock, self.sessions)
        self.agents: dict[str, PretendAgent] = {}
        self._running: list[asyncio.Task[None]] = []

    def now_ns(self) -> int:
        """Return the time of day."""
        return self.clock.now_ns()

    async def begin(self, nodes: Iterable[str]) -> None:
        """Lead, and let the nodes connect."""
        self.lead()
        for node_id in nodes:
            self.agents[node_id] = PretendAgent(self, node_id)
            await self.agents[node_id].connect()

    def lead(self) -> None:
        """Begin the leader's loops."""
        store, clock = self.store, self.clock
        loops = [
            self.dispatch.run,
            OrchestrateLoop(store, clock, self.now_ns).run,
            AllocateLoop(store, clock).run,
            ScheduleLoop(store, clock, self.now_ns).run,
            ReapLoop(store, clock).run,
            EnforceLoop(store, clock).run,
            OrphanLoop(store, clock, self.now_ns).run,
        ]
        self._running = [asyncio.create_task(loop()) for loop in loops]

    async def depose(self) -> None:
        """End the loops."""
        running, self._running = self._running, []
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task

    async def end(self) -> None:
        """End all of it; a loop that failed is told of."""
        for agent in self.agents.values():
            await agent.leave()
        await self.depose()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.cluster.now_ns = self.clock.now_ns()

    async def settle(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so; time passes meanwhile, a little at a time."""
        async with asyncio.timeout(5):
            while not is_so():
                await asyncio.sleep(0.001)
                self.advance(0.1)

    async def create(self, spec: ServiceSpec) -> str:
        """Make a service and return its id."""
        return (await create_service(self.cluster.env, spec)).ID

    async def change(self, service_id: str, spec: ServiceSpec) -> None:
        """Change a service as users do."""
        version = self.service(service_id).meta.version_index
        await update_service(self.cluster.env, service_id, version, spec)

    def service(self, service_id: str) -> Service:
        """Return a service."""
        return self.store.view().services.need(service_id)

    def tasks(self, service_id: str) -> list[Task]:
        """Return a service's tasks."""
        return self.store.view().tasks.by(service=service_id)

    def running(self, service_id: str) -> list[Task]:
        """Return the tasks that run and are to run."""
        return [
            task
            for task in self.tasks(service_id)
            if task.status.State is S.RUNNING and task.desired_state is S.RUNNING
        ]


@asynccontextmanager
async def service_cluster(workers: int = 2) -> AsyncIterator[ServiceCluster]:
    """Lend a cluster of workers `w1`, `w2`, ... that runs services while the block runs."""
    async with AsyncExitStack() as stack:
        small = await stack.enter_async_context(small_cluster(workers=workers))
        await small.change_node("m1", _drained)
        cluster = ServiceCluster(small)
        stack.push_async_callback(cluster.end)
        await cluster.begin(f"w{number}" for number in range(1, workers + 1))
        yield cluster


def _drained(node: Node) -> Node:
    return replace(node, spec=replace(node.spec, Availability="drain"))
