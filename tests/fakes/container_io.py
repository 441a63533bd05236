"""A small world for the verbs that carry a container's input and output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from msgspec.structs import replace

from api.types.containers import ContainerConfig, HostConfig
from engine.containers.env import ContainersEnv
from engine.containers.live import LiveContainers
from engine.containers.record import ContainerRecord
from engine.containers.store import ContainerStore
from engine.core.container_state import State, Status
from engine.core.host_facts import Facts
from engine.ports.logs import LogFiles
from engine.ports.runtime import Monitored
from engine.settings import LiveSettings, Settings
from tests.fakes.clock import FakeClock
from tests.fakes.monitor import FakeMonitor
from tests.fakes.records import FakeRecords

FACTS = Facts(
    cgroup_version=2,
    controllers=frozenset(),
    capabilities=frozenset({"CAP_CHOWN", "CAP_SYS_ADMIN"}),
    cpus=2,
    memory_bytes=1 << 30,
    kernel=(6, 1),
    architecture="x86_64",
)
CONTAINER_ID = "c" * 64


class HeardEvents:
    """Fulfils `EventBus`; `actions` are what was told, in order."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    def publish(self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str]) -> None:
        """Note the action."""
        self.actions.append(action)


class EmptyRootfs:
    """A container without /etc/passwd."""

    async def read(self, root: Path, path: str) -> bytes:
        """Find nothing."""
        return b""


class ExecDirectories:
    """The part of `Bundles` that execs use, without a disk."""

    async def write_exec(self, container_id: str, exec_id: str, process: object) -> Path:
        """Return where it would be."""
        return Path("/bundles") / container_id / "exec" / exec_id

    async def remove_exec(self, container_id: str, exec_id: str) -> None:
        """Do nothing."""


class HeardSignals:
    """The part of `Runtime` that ends probes; `killed` are pids, in order."""

    def __init__(self) -> None:
        self.killed: list[int] = []

    def kill_group(self, pid: int) -> None:
        """Note the process."""
        self.killed.append(pid)


class World:
    """One container in a store, its monitor, clock and event stream; the other ports are absent."""

    def __init__(self, directory: Path, *, logs: LogFiles | None = None) -> None:
        self.clock = FakeClock()
        self.monitor = FakeMonitor()
        self.events = HeardEvents()
        self.runtime = HeardSignals()
        self.live = LiveContainers()
        self.store = ContainerStore(FakeRecords())
        self.bundle = directory / "bundle"
        self.log_path = directory / "container.log"
        host = SimpleNamespace(
            monitor=self.monitor,
            runtime=self.runtime,
            clock=self.clock,
            insight=SimpleNamespace(logs=logs),
            rootfs=EmptyRootfs(),
            bundles=ExecDirectories(),
            facts=SimpleNamespace(facts=lambda: FACTS),
        )
        self.env = cast(
            "ContainersEnv",
            SimpleNamespace(
                settings=LiveSettings(Settings()),
                store=self.store,
                live=self.live,
                events=self.events,
                images=SimpleNamespace(snapshotter=SimpleNamespace(root=lambda _: directory)),
                host=host,
            ),
        )

    def add(
        self,
        status: Status = Status.RUNNING,
        config: ContainerConfig | None = None,
        host_config: HostConfig | None = None,
    ) -> ContainerRecord:
        """Put the container there; a running one has a monitor."""
        record = ContainerRecord(
            id=CONTAINER_ID,
            name="web",
            created_ns=0,
            image_id="",
            image_ref="busybox",
            chain_ids=[],
            config=config or ContainerConfig(),
            host_config=host_config or HostConfig(),
            path="sh",
            args=[],
            state=State(status=status, pid=7),
            log_path=str(self.log_path),
        )
        self.store.set(record)
        self.store.reserve_name(record.name, record.id)
        if record.state.has_process:
            self.live.of(record.id).monitored = Monitored(self.bundle, 6, 1, 7)
        return record

    def become(self, status: Status) -> None:
        """Change the container's status."""
        record = self.store.get(CONTAINER_ID)
        self.store.set(replace(record, state=replace(record.state, status=status)))

    def exit(self) -> None:
        """End the container's process."""
        self.become(Status.EXITED)
        live = self.live.of(CONTAINER_ID)
        live.monitored = None
        live.exited.fire(0)
