"""Tasks on a real engine: the executor, files in memory, and a worker with all of it."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.adapters.engine_executor import EngineExecutor
from agent.adapters.engine_logs import EngineLogs
from agent.adapters.task_database import TaskDatabase
from agent.adapters.task_tmpfs import TmpfsTaskFiles
from agent.core.assignments import Piece
from agent.core.task_files import TaskFile
from agent.core.task_to_container import NodeFacts
from agent.ports.task_records import TaskRecord
from agent.worker import Worker, WorkerEnv
from api.types.assignments import AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork, NetworkSpec, PortConfig
from api.types.container_spec import ContainerSpec
from api.types.containers import HealthConfig
from api.types.secrets import FileTarget, SecretReference
from api.types.tasks import TaskSpec, TaskState, TaskStatus
from engine.adapters.clock import SystemClock
from engine.containers.env import ContainersEnv
from engine.containers.inspect import inspect
from engine.engine import start
from engine.images.load import load
from engine.settings import LiveSettings, Settings
from tests.fakes.dispatchers import FakeManager
from tests.fakes.overlay_plane import idle_overlays
from tests.root.image_store import pieces
from tests.root.images import busybox_archive
from tests.root.node import PATIENCE, Node

SPEC = ContainerSpec(Image="busybox", Command=["sleep", "1000"], StopGracePeriod=0)
TASK = AssignedTask(ID="t", ServiceName="web", Slot=1, NodeID="n")
NAME = "web.1.t"


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(20 * PATIENCE):
        while not condition():  # noqa: ASYNC110 - it is not ours to be told by
            await asyncio.sleep(0.005)


class Bed:
    """A worker on an engine, and the manager that it tells."""

    def __init__(self, engine: ContainersEnv, root: Path) -> None:
        self.engine = engine
        self.files = TmpfsTaskFiles(root / "exec" / "tasks")
        self.manager = FakeManager()
        self.worker = Worker(
            WorkerEnv(
                executor=EngineExecutor(engine),
                files=self.files,
                records=TaskDatabase(root / "data" / "tasks.db"),
                logs=EngineLogs(engine),
                clock=SystemClock(),
                chance=lambda: 0.0,
                node=lambda: NodeFacts("n", "host", "linux", "x86_64"),
                networks=idle_overlays(SystemClock()),
            )
        )

    def assign(self, spec: ContainerSpec, **fields: object) -> None:
        """Assign the one task."""
        task = replace(TASK, Spec=TaskSpec(ContainerSpec=spec), **fields)
        self.manager.pieces.put_nowait(Piece(items=(task,)))

    async def told(self, state: TaskState) -> TaskStatus:
        """Return the task's status once the manager has heard that it is in this state."""

        def is_told() -> bool:
            return bool(self.manager.reports) and self.manager.reports[-1]["t"].State is state

        await until(is_told)
        return self.manager.reports[-1]["t"]


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a worker on an engine of its own."""
    root = Path(tempfile.mkdtemp(prefix="skep-tasks-"))
    node = Node(root, root.name[-6:].replace("_", "x"))
    settings = Settings(
        data_root=root / "data",
        exec_root=root / "exec",
        bridge=f"br-{node.name}",
        firewall_table=f"skep-{node.name}",
    )
    engine = await start(LiveSettings(settings))
    try:
        async for _ in load(engine.containers.images, pieces(busybox_archive()), quiet=True):
            pass
        made = Bed(engine.containers, root)
        parts = [made.worker.run(), *made.worker.part_of(made.manager, "s")]
        running = [asyncio.ensure_future(each) for each in parts]
        yield made
        made.manager.pieces.put_nowait(Piece(is_complete=True))
        await until(lambda: not made.engine.store.all())
        for part in running:
            part.cancel()
        await asyncio.wait(running)
    finally:
        await engine.stop()
        node._sweep()


async def test_a_task_runs_and_is_shut_down(bed: Bed) -> None:
    bed.assign(SPEC)
    status = await bed.told(TaskState.RUNNING)
    shown = await inspect(bed.engine, NAME)
    assert status.ContainerStatus is not None
    assert (shown.Id, shown.State.Pid) == (
        status.ContainerStatus.ContainerID,
        status.ContainerStatus.PID,
    )

    bed.assign(SPEC, DesiredState=TaskState.SHUTDOWN)

    status = await bed.told(TaskState.SHUTDOWN)
    assert status.ContainerStatus is not None
    assert 137 == status.ContainerStatus.ExitCode
    assert "exited" == (await inspect(bed.engine, NAME)).State.Status


async def test_a_program_that_is_not_there_fails_the_task(bed: Bed) -> None:
    bed.assign(replace(SPEC, Command=["/no/such"]))

    assert "/no/such" in (await bed.told(TaskState.FAILED)).Err


async def test_an_image_that_cannot_be_had_rejects_the_task(bed: Bed) -> None:
    bed.assign(replace(SPEC, Image="127.0.0.1:1/nothing:x"))

    assert "127.0.0.1:1" in (await bed.told(TaskState.REJECTED)).Err


async def test_a_published_port_of_the_host_is_told(bed: Bed) -> None:
    port = PortConfig(Protocol="tcp", TargetPort=80, PublishMode="host")

    bed.assign(SPEC, Ports=[port])

    status = await bed.told(TaskState.RUNNING)
    (given,) = status.PortStatus.Ports
    assert ("tcp", 80, "host") == (given.Protocol, given.TargetPort, given.PublishMode)
    assert given.PublishedPort > 0


@pytest.mark.parametrize(("probe", "state"), [("true", "running"), ("false", "failed")])
async def test_a_probe_decides(bed: Bed, probe: str, state: str) -> None:
    health = HealthConfig(Test=["CMD", probe], Interval=50_000_000, Retries=1)

    bed.assign(replace(SPEC, Healthcheck=health))

    status = await bed.told(TaskState(state))
    assert ("unhealthy container" in status.Err) is (state == "failed")


async def test_a_secret_is_read_in_the_task_and_shown_nowhere(bed: Bed) -> None:
    """Owner and mode are as asked; nothing of it is on the disk, or in inspect."""
    target = FileTarget(Name="pw", UID="33", GID="34", Mode=0o440)
    reference = SecretReference(File=target, SecretID="s", SecretName="pw")
    script = (
        "tr a-y b-z < /run/secrets/pw | grep ivoufs2 && "
        "stat -c %u:%g:%a /run/secrets/pw | grep -x 33:34:440"
    )
    secret = AssignedSecret(ID="s", Name="pw", Data=b"hunter2")
    bed.manager.pieces.put_nowait(Piece(items=(secret,)))

    bed.assign(replace(SPEC, Command=["sh", "-c", script], Secrets=[reference]))

    await bed.told(TaskState.COMPLETE)
    shown = await inspect(bed.engine, NAME)
    assert [] == shown.Mounts
    assert "hunter2" not in str(shown)


def seen(path: str) -> tuple[bytes, int]:
    """Return a file's content and mode."""
    return Path(path).read_bytes(), stat.S_IMODE(Path(path).stat().st_mode)


async def test_files_are_in_memory_and_gone_with_their_task(tmp_path: Path) -> None:
    files = TmpfsTaskFiles(tmp_path / "tasks")
    content = b"x" * 500_000

    placed = await files.place("t", [TaskFile("/a", 0, 0, 0o400, content)] * 2)

    assert ["/a", "/a"] == [each.target for each in placed]
    assert (content, 0o400) == seen(placed[1].source)
    mounts, _ = seen("/proc/self/mountinfo")
    assert f"{tmp_path}/tasks/t rw,nosuid,nodev" in mounts.decode()
    assert {"t"} == await files.tasks()

    await files.remove("t")
    assert set() == await files.tasks()
    assert [] == list((tmp_path / "tasks").iterdir())


async def test_what_is_kept_of_tasks_comes_back(tmp_path: Path) -> None:
    record = TaskRecord(
        replace(TASK, Spec=TaskSpec(ContainerSpec=SPEC)), TaskStatus(State=TaskState.RUNNING)
    )
    network = ClusterNetwork(ID="net", Spec=NetworkSpec(Name="host"))
    database = TaskDatabase(tmp_path / "tasks.db")
    await database.put([record], [network])
    await database.close()

    again = TaskDatabase(tmp_path / "tasks.db")
    kept = await again.load()
    assert ({"t": record}, {"net": network}) == (kept.tasks, kept.networks)
    await again.remove(["t"], ["net"])
    assert {} == (await again.load()).tasks
    await again.close()
