"""Tasks from their assignment to their end, among fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from agent.core.assignments import Piece
from agent.core.overlay_news import OverlayNews
from agent.core.task_to_container import NodeFacts
from agent.ports.task_records import TaskRecord
from agent.worker import Worker, WorkerEnv
from api.errors import Internal, NoSuchImage, SkepError
from api.types.assignments import AssignedNetwork, AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork
from api.types.container_spec import ContainerSpec
from api.types.secrets import FileTarget, SecretReference
from api.types.tasks import UNHEALTHY, TaskSpec, TaskState, TaskStatus
from tests.fakes.clock import FakeClock
from tests.fakes.dispatchers import FakeManager
from tests.fakes.executor import FakeContainer, FakeExecutor
from tests.fakes.overlay_plane import idle_overlays
from tests.fakes.task_files import FakeTaskFiles
from tests.fakes.task_logs import FakeTaskLogs
from tests.fakes.task_records import FakeTaskRecords
from tests.unit.agent.waiting import until

SPEC = TaskSpec(ContainerSpec=ContainerSpec(Image="busybox"))
TASK = AssignedTask(ID="t", ServiceName="web", Slot=1, NodeID="n", Spec=SPEC, RegistryAuth="auth")
NAME = "web.1.t"


class Bed:
    """A worker among fakes, and the manager that it tells."""

    def __init__(self, records: FakeTaskRecords | None = None) -> None:
        self.executor = FakeExecutor()
        self.files = FakeTaskFiles()
        self.records = records or FakeTaskRecords()
        self.clock = FakeClock()
        self.logs = FakeTaskLogs()
        self.manager = FakeManager()
        self.networks = idle_overlays(self.clock)
        self.worker = Worker(
            WorkerEnv(
                executor=self.executor,
                files=self.files,
                records=self.records,
                logs=self.logs,
                clock=self.clock,
                chance=lambda: 0.0,
                node=lambda: NodeFacts("n", "host", "linux", "x86_64"),
                networks=self.networks,
            )
        )

    @asynccontextmanager
    async def running(self, *, session: bool = True) -> AsyncIterator[None]:
        parts = [asyncio.ensure_future(self.worker.run())]
        if session:
            parts += map(asyncio.ensure_future, self.worker.part_of(self.manager, "s"))
        try:
            yield
        finally:
            for part in parts:
                part.cancel()
            await asyncio.wait(parts)

    def assign(self, *tasks: AssignedTask, complete: bool = False) -> None:
        self.manager.pieces.put_nowait(Piece(items=tasks, is_complete=complete))

    async def told(self, state: TaskState, task_id: str = "t") -> TaskStatus:
        """Return the status of a task once the manager has heard that it is in this state."""

        def last() -> TaskStatus | None:
            found = [each[task_id] for each in self.manager.reports if task_id in each]
            return found[-1] if found else None

        def is_there() -> bool:
            status = last()
            return status is not None and status.State is state

        await until(is_there, f"state {state.value}, not {last()}")
        status = last()
        assert status is not None
        return status

    @property
    def container(self) -> FakeContainer:
        return self.executor.containers[NAME]


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a worker that runs and has a session."""
    made = Bed()
    async with made.running():
        yield made


async def test_nothing_is_told_of_tasks_that_are_not_the_managers_any_more() -> None:
    """They were restored from a backup, and would refuse all that comes with it."""
    records = FakeTaskRecords()
    kept = replace(TASK, Status=TaskStatus(State=TaskState.ASSIGNED))
    await records.put([TaskRecord(kept, kept.Status)], [])
    bed = Bed(records)
    async with bed.running():
        await until(lambda: NAME in bed.executor.containers, "it to go on")
        assert [] == bed.manager.reports

        bed.assign(replace(TASK, ID="new"), complete=True)

        await bed.told(TaskState.RUNNING, "new")
        assert not any("t" in each for each in bed.manager.reports)


async def test_a_task_is_pulled_created_started_and_told(bed: Bed) -> None:
    bed.assign(TASK)

    status = await bed.told(TaskState.RUNNING)

    assert [("busybox", "auth")] == bed.executor.pulls
    assert 1 == bed.container.started
    assert status.ContainerStatus is not None
    assert (NAME, 4711) == (status.ContainerStatus.ContainerID, status.ContainerStatus.PID)
    assert "2023-11-14T22:13:20.000000000Z" == status.Timestamp


async def test_an_end_with_success_completes_the_task(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)

    bed.container.end(0)

    status = await bed.told(TaskState.COMPLETE)
    assert ("finished", "") == (status.Message, status.Err)


async def test_an_end_with_an_error_is_told_in_the_references_words(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)

    bed.container.end(3)

    status = await bed.told(TaskState.FAILED)
    assert "task: non-zero exit (3)" == status.Err
    assert status.ContainerStatus is not None
    assert 3 == status.ContainerStatus.ExitCode


async def test_an_image_that_is_not_there_rejects_the_task(bed: Bed) -> None:
    bed.executor.pull_error = NoSuchImage("busybox")

    bed.assign(TASK)

    assert "No such image: busybox" == (await bed.told(TaskState.REJECTED)).Err


async def test_a_container_that_cannot_start_fails_the_task(bed: Bed) -> None:
    bed.executor.start_error = Internal("exec: no such file")

    bed.assign(TASK)

    told = await bed.told(TaskState.FAILED)
    assert "starting container failed: exec: no such file" == told.Err


async def test_a_removed_container_fails_the_task(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)

    bed.executor.vanish(NAME)

    assert "removed" in (await bed.told(TaskState.FAILED)).Err


async def test_a_probed_task_runs_once_it_is_healthy(bed: Bed) -> None:
    """Updates go on only when the new task can serve."""
    bed.executor.probed = True
    bed.assign(TASK)
    await bed.told(TaskState.STARTING)

    bed.container.health.set_result(True)

    await bed.told(TaskState.RUNNING)


@pytest.mark.parametrize("after_start", [True, False])
async def test_an_unhealthy_task_is_stopped_and_fails(bed: Bed, after_start: bool) -> None:
    bed.executor.probed = True
    bed.assign(TASK)
    await bed.told(TaskState.STARTING)
    bed.container.health.set_result(after_start)
    if after_start:
        await bed.told(TaskState.RUNNING)
        bed.container.ailing.set()

    status = await bed.told(TaskState.FAILED)

    assert "task: non-zero exit (143): unhealthy container" == status.Err
    assert 1 == bed.container.stops


async def test_an_unhealthy_task_on_a_network_is_told_of_before_it_is_stopped(bed: Bed) -> None:
    """So that it gets nothing new while it ends."""
    parts = [asyncio.ensure_future(each) for each in bed.networks.part_of(bed.manager, "s")]
    bed.manager.overlay_news.put_nowait(OverlayNews(is_complete=True, sequence=1))
    await until(lambda: bed.manager.confirmed == [1])
    bed.executor.probed = True
    task = replace(TASK, Networks=[AssignedNetwork(NetworkID="net", Addresses=["10.0.1.2/24"])])
    bed.manager.pieces.put_nowait(Piece(items=(ClusterNetwork(ID="net"), task)))
    await bed.told(TaskState.STARTING)
    bed.container.health.set_result(True)
    await bed.told(TaskState.RUNNING)

    bed.container.ailing.set()

    await bed.told(TaskState.FAILED)
    told = [each["t"] for each in bed.manager.reports if "t" in each]
    assert (TaskState.RUNNING, UNHEALTHY) == (told[-2].State, told[-2].Err)
    assert bed.container.drained_before_stop
    for part in parts:
        part.cancel()
    await asyncio.wait(parts)


async def test_a_task_that_is_not_wanted_is_stopped(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)

    bed.assign(replace(TASK, DesiredState=TaskState.SHUTDOWN))

    await bed.told(TaskState.SHUTDOWN)
    assert 1 == bed.container.stops
    assert [] == bed.executor.removed, "its logs can still be read"


async def test_a_task_on_a_network_is_drained_before_it_is_stopped(bed: Bed) -> None:
    """What nobody accepted yet would be reset."""
    network = AssignedNetwork(NetworkID="net", Addresses=["10.0.1.2/24"])
    task = replace(TASK, Networks=[network])
    bed.manager.pieces.put_nowait(Piece(items=(ClusterNetwork(ID="net"), task)))
    await bed.told(TaskState.RUNNING)

    bed.assign(replace(task, DesiredState=TaskState.SHUTDOWN))

    await bed.told(TaskState.SHUTDOWN)
    assert bed.container.drained_before_stop


async def test_a_pull_is_given_up_when_the_task_is_not_wanted(bed: Bed) -> None:
    bed.executor.pulling = asyncio.Event()
    bed.assign(TASK)
    await bed.told(TaskState.PREPARING)

    bed.assign(replace(TASK, DesiredState=TaskState.SHUTDOWN))

    await bed.told(TaskState.SHUTDOWN)
    assert {} == bed.executor.containers


async def test_a_held_task_starts_when_it_may(bed: Bed) -> None:
    bed.assign(replace(TASK, DesiredState=TaskState.READY))
    await bed.told(TaskState.READY)
    assert 0 == bed.container.started

    bed.assign(TASK)

    await bed.told(TaskState.RUNNING)


async def test_what_is_wanted_never_falls_back(bed: Bed) -> None:
    """A late message must not wake a task that was shut down."""
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)
    bed.assign(replace(TASK, DesiredState=TaskState.SHUTDOWN))
    bed.assign(TASK)

    await bed.told(TaskState.SHUTDOWN)


async def test_a_task_that_is_not_assigned_any_more_is_stopped_and_removed(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)
    container = bed.container

    bed.assign(complete=True)

    await until(lambda: bed.executor.removed == [NAME] and not bed.records.tasks)
    assert 1 == container.stops


async def test_a_removal_that_fails_is_tried_again(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)
    bed.executor.remove_errors = [Internal("busy"), Internal("busy")]

    bed.assign(complete=True)

    for _ in range(2):
        await until(lambda: len(bed.clock._sleepers) == 1)
        bed.clock.advance(2)
    await until(lambda: bed.executor.removed == [NAME])


async def test_tasks_go_on_over_a_restart_without_managers() -> None:
    """Their containers run on; nothing is started twice."""
    before = Bed()
    async with before.running():
        before.assign(TASK)
        await before.told(TaskState.RUNNING)
    after = Bed(before.records)
    after.executor.containers = before.executor.containers

    async with after.running(session=False):
        await until(lambda: len(after.worker._driving) == 1)
        after.container.end(0)
        await until(lambda: after.records.tasks["t"].status.State is TaskState.COMPLETE)

    assert 1 == after.container.started


async def test_what_ended_without_managers_is_told_when_they_are_back() -> None:
    records = FakeTaskRecords()
    records.tasks["t"] = TaskRecord(TASK, TaskStatus(State=TaskState.FAILED, Err="gone"))
    bed = Bed(records)

    async with bed.running():
        bed.assign(replace(TASK, Status=TaskStatus(State=TaskState.RUNNING)), complete=True)

        assert "gone" == (await bed.told(TaskState.FAILED)).Err


async def test_tasks_of_another_life_of_this_node_are_forgotten() -> None:
    records = FakeTaskRecords()
    records.tasks["t"] = TaskRecord(replace(TASK, NodeID="old"), TaskStatus())
    bed = Bed(records)

    async with bed.running(session=False):
        await until(lambda: not records.tasks)

    assert [] == bed.executor.pulls


async def test_a_task_that_the_node_has_forgotten_is_not_begun_again() -> None:
    """A second run of what the managers saw running may do harm."""
    bed = Bed()

    async with bed.running():
        bed.assign(replace(TASK, Status=TaskStatus(State=TaskState.RUNNING)))

        assert "removed" in (await bed.told(TaskState.FAILED)).Err
    assert {} == bed.executor.containers


def with_secret() -> AssignedTask:
    reference = SecretReference(File=FileTarget(Name="pw"), SecretID="s", SecretName="pw")
    spec = ContainerSpec(Image="busybox", Secrets=[reference])
    return replace(TASK, Spec=TaskSpec(ContainerSpec=spec))


async def test_secrets_are_laid_down_before_the_start_and_taken_away_after_the_end(
    bed: Bed,
) -> None:
    secret = AssignedSecret(ID="s", Name="pw", Data=b"x")
    bed.manager.pieces.put_nowait(Piece(items=(secret, with_secret())))
    await bed.told(TaskState.RUNNING)
    assert ["/run/secrets/pw"] == [each.target for each in bed.container.files]
    assert [b"x"] == [each.content for each in bed.files.placed["t"]]

    bed.assign(replace(with_secret(), DesiredState=TaskState.SHUTDOWN))

    await bed.told(TaskState.SHUTDOWN)
    assert {} == bed.files.placed


async def test_a_secret_that_did_not_come_rejects_the_task(bed: Bed) -> None:
    bed.assign(with_secret())

    assert "secret pw not found" == (await bed.told(TaskState.REJECTED)).Err


async def test_neither_secrets_nor_credentials_are_kept(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)

    assert "" == bed.records.tasks["t"].task.RegistryAuth


async def test_statuses_that_come_while_the_manager_is_slow_are_told_together(bed: Bed) -> None:
    bed.manager.may_report.clear()
    bed.assign(*(replace(TASK, ID=str(each)) for each in range(50)))
    await until(
        lambda: len([each for each in bed.executor.containers.values() if each.started]) == 50
    )
    for _ in range(20):
        await asyncio.sleep(0)

    bed.manager.may_report.set()

    await bed.told(TaskState.RUNNING, "49")
    assert len(bed.manager.reports) < 5


async def test_a_report_that_fails_is_told_to_the_next_manager() -> None:
    bed = Bed()
    bed.manager.report_error = Internal("gone")
    async with bed.running(session=False):
        bed.assign(TASK)
        with pytest.raises(SkepError, match="gone"):
            await asyncio.gather(*bed.worker.part_of(bed.manager, "s"))
        bed.manager = FakeManager()
        bed.assign(TASK, complete=True)
        parts = [asyncio.ensure_future(each) for each in bed.worker.part_of(bed.manager, "s2")]

        await bed.told(TaskState.RUNNING)

        for part in parts:
            part.cancel()
        await asyncio.wait(parts)


async def test_a_full_disk_does_not_stop_tasks(bed: Bed) -> None:
    bed.assign(TASK)
    await bed.told(TaskState.RUNNING)
    bed.records.error = Internal("disk full")

    bed.container.end(0)

    await bed.told(TaskState.COMPLETE)


async def test_a_spec_that_makes_no_sense_rejects_its_task_alone(bed: Bed) -> None:
    bad = replace(TASK, ID="bad", Spec=TaskSpec(Runtime="plugin"))

    bed.assign(bad, TASK)

    assert "runtime" in (await bed.told(TaskState.REJECTED, "bad")).Err
    await bed.told(TaskState.RUNNING)
