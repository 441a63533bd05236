"""A whole node in memory: every port of the container verbs, and what they hold on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from api.errors import Internal
from api.types.containers import ContainerConfig
from engine.containers.env import ContainersEnv, HostPorts, InsightPorts
from engine.containers.live import LiveContainers
from engine.containers.store import ContainerStore
from engine.containers.uses import image_uses
from engine.core.cdi import CdiSpec
from engine.core.errors import RuntimeFailed
from engine.core.host_facts import Device, Facts
from engine.events.bus import EventBus
from engine.images.env import ImagesEnv
from engine.images.record import ImageRecord, LayerRecord
from engine.images.store import ImageStore
from engine.networks.env import NetworksEnv, OverlayPart
from engine.networks.overlay_state import OverlayState
from engine.networks.store import NetworkStore
from engine.ports.name_server import Ask
from engine.ports.network import BridgeOrder, LinkOrder, UserNamespace
from engine.ports.runtime import Monitored, MonitorExit, MonitorOrder, MonitorStream
from engine.settings import LiveSettings, RuntimeBinary, Settings
from engine.volumes.env import VolumesEnv
from engine.volumes.store import VolumeStore
from tests.fakes.clock import FakeClock
from tests.fakes.monitor_stream import FakeMonitorStream
from tests.fakes.overlay import (
    FakeBalancers,
    FakeEncryption,
    FakeFlows,
    FakeHealthPorts,
    FakeOverlays,
)
from tests.fakes.pinned_paths import FakePinnedPaths
from tests.fakes.records import FakeRecords
from tests.fakes.volume_disk import FakeVolumeDisk

FACTS = Facts(
    cgroup_version=2,
    controllers=frozenset({"cpu", "cpuset", "memory", "pids", "blkio"}),
    capabilities=frozenset({"CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"}),
    cpus=2,
    memory_bytes=8 << 30,
    kernel=(6, 1),
    architecture="x86_64",
)
LAYER = "sha256:" + "1" * 64
IMAGE = ImageRecord(
    id="sha256:" + "a" * 64,
    config=ContainerConfig(Cmd=["sh"], Env=["PATH=/bin"]),
    chain_ids=[LAYER],
    size=1000,
)


class Machine:
    """What exists outside of the process: it stays when a daemon is killed.

    `held` are (kind, key) of trees, mounts, bundles, namespaces, runtime states and files;
    `failing` names the steps that fail with Internal. `effects_left` counts down to the moment
    at which the daemon is killed: from then on nothing that it does has an effect.
    """

    def __init__(self) -> None:
        self.held: set[tuple[str, str]] = set()
        self.failing: set[str] = set()
        self.effects_left: int | None = None
        self.steps: list[str] = []
        self.processes: dict[str, Monitored] = {}
        self.exits: dict[str, MonitorExit] = {}
        self.records = FakeRecords(self._spend)
        self.texts: dict[str, str] = {}
        self.disk = FakeVolumeDisk()
        self.pins = FakePinnedPaths()
        self.clock = FakeClock()

    def step(self, name: str) -> None:
        """Note a step. Errors: Internal when it is told to fail."""
        self._spend()
        self.steps.append(name)
        if name in self.failing:
            raise Internal(f"{name} failed")

    def _spend(self) -> None:
        if self.effects_left is not None:
            if self.effects_left == 0:
                raise Internal("the daemon is dead")
            self.effects_left -= 1

    def take(self, kind: str, key: str) -> None:
        """Begin to hold something."""
        self.step(f"{kind}.take")
        self.held.add((kind, key))

    def give(self, kind: str, key: str) -> None:
        """Hold it no more; fine if gone."""
        self.step(f"{kind}.give")
        self.held.discard((kind, key))

    def keys(self, kind: str) -> set[str]:
        """Return what is held of a kind."""
        return {key for its, key in self.held if its == kind}


class _Snapshotter:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def prepare(self, container_id: str, chain_ids: Sequence[str]) -> None:
        self._machine.take("tree", container_id)

    async def mount(self, container_id: str) -> Path:
        self._machine.take("mount", container_id)
        return self.root(container_id)

    async def unmount(self, container_id: str) -> None:
        self._machine.give("mount", container_id)

    async def remove(self, container_id: str) -> None:
        self._machine.give("mount", container_id)
        self._machine.give("tree", container_id)

    def root(self, container_id: str) -> Path:
        return Path("/roots") / container_id

    def driver_data(self, container_id: str, chain_ids: Sequence[str]) -> dict[str, str]:
        return {"UpperDir": f"/roots/{container_id}/upper"}

    async def usage(self, container_id: str) -> int:
        return 10

    def known(self) -> set[str]:
        return self._machine.keys("tree")


class _Runtime:
    def __init__(self, machine: Machine, monitor: _Monitor) -> None:
        self._machine = machine
        self._monitor = monitor
        self.signals: list[int] = []
        self.obeys = {9, 15}
        self.resources: dict[str, Any] = {}

    async def start(self, runtime: RuntimeBinary, container_id: str) -> None:
        self._machine.step("runtime.start")

    async def delete(self, runtime: RuntimeBinary, container_id: str) -> None:
        self._machine.give("state", container_id)

    async def pause(self, runtime: RuntimeBinary, container_id: str) -> None:
        self._machine.step("runtime.pause")

    async def resume(self, runtime: RuntimeBinary, container_id: str) -> None:
        self._machine.step("runtime.resume")

    async def update(
        self, runtime: RuntimeBinary, container_id: str, resources: Mapping[str, Any]
    ) -> None:
        self._machine.step("runtime.update")
        self.resources = dict(resources)

    def signal(self, pid: int, number: int) -> None:
        self.signals.append(number)
        if number in self.obeys:
            self._monitor.end_pid(pid, 128 + number)

    def kill_group(self, pid: int) -> None:
        self.signals.append(9)

    async def known(self) -> set[str]:
        return self._machine.keys("state")


class _Monitor:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waiting: dict[str, asyncio.Future[MonitorExit]] = {}
        self.refusal: RuntimeFailed | None = None

    async def create(self, order: MonitorOrder) -> Monitored:
        self._machine.take("state", order.container_id)
        if self.refusal is not None:
            self._machine.give("state", order.container_id)
            raise self.refusal
        pid = 100 + len(self._machine.steps)
        monitored = Monitored(order.bundle, pid, 1, pid + 1)
        self._machine.processes[order.container_id] = monitored
        return monitored

    async def attach(self, directory: Path) -> MonitorStream:
        return FakeMonitorStream()

    def adopt(self, directory: Path) -> Monitored | None:
        return self._machine.processes.get(directory.name)

    async def wait(self, monitored: Monitored) -> MonitorExit:
        key = monitored.directory.name
        if key in self._machine.exits:
            return self._machine.exits.pop(key)
        future = self._waiting.setdefault(key, asyncio.get_running_loop().create_future())
        return await asyncio.shield(future)

    def last_exit(self, directory: Path) -> MonitorExit | None:
        return self._machine.exits.get(directory.name)

    def end(self, container_id: str, code: int | None, *, oom: bool = False) -> None:
        if self._machine.processes.pop(container_id, None) is None:
            return
        seen = MonitorExit(code, oom_killed=oom, finished_ns=self._machine.clock.now_ns())
        future = self._waiting.pop(container_id, None)
        if future is None:
            self._machine.exits[container_id] = seen
        else:
            future.set_result(seen)

    def end_pid(self, pid: int, code: int) -> None:
        for container_id, monitored in list(self._machine.processes.items()):
            if monitored.pid == pid:
                self.end(container_id, code)


class _Bundles:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.specs: dict[str, Mapping[str, Any]] = {}

    def directory(self, container_id: str) -> Path:
        return Path("/run/containers") / container_id

    async def write(self, container_id: str, spec: Mapping[str, Any]) -> Path:
        self._machine.take("bundle", container_id)
        self.specs[container_id] = spec
        return self.directory(container_id)

    async def remove(self, container_id: str) -> None:
        self._machine.give("bundle", container_id)

    async def known(self) -> set[str]:
        return self._machine.keys("bundle")


class _Files:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.written = machine.texts
        self.present: set[str] = set()

    def directory(self, container_id: str) -> Path:
        return Path("/data/containers") / container_id

    async def write(self, container_id: str, files: Mapping[str, str]) -> None:
        self._machine.take("files", container_id)
        self.written.update(files)

    async def edit(self, container_id: str, name: str, change: Callable[[str], str]) -> None:
        self._machine.step("files.edit")
        self.written[name] = change(self.written.get(name, ""))

    async def remove(self, container_id: str) -> None:
        self._machine.give("files", container_id)

    async def known(self) -> set[str]:
        return self._machine.keys("files")

    async def missing(self, paths: Sequence[str]) -> list[str]:
        return [each for each in paths if each not in self.present]

    async def make_directories(self, paths: Sequence[str]) -> None:
        self.present.update(paths)

    def host_resolv_conf(self) -> str:
        return "nameserver 9.9.9.9\n"

    def host_hosts(self) -> str:
        return "127.0.0.1 localhost\n"

    def text(self, path: Path) -> str:
        return ""

    def init_program(self) -> str:
        return "/usr/bin/catatonit"

    def hostname(self) -> str:
        return "node-1"


class _Rootfs:
    async def read(self, root: Path, path: str, limit: int = 0) -> bytes:
        return b"www:x:33:33::/:/bin/sh\n" if path == "/etc/passwd" else b""

    async def make_directory(self, root: Path, path: str) -> None:
        return


class _Facts:
    def facts(self) -> Facts:
        return FACTS

    async def devices(self) -> Sequence[Device]:
        return []

    async def device(self, path: str) -> Sequence[Device]:
        return [Device(path, "c", 1, 3)]

    async def device_specs(self, directories: Sequence[Path]) -> Sequence[CdiSpec]:
        return []

    async def propagation(self, path: str) -> str:
        return "private"


class _Links:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def namespace_path(self, key: str) -> str:
        return f"/run/netns/{key}"

    def user_namespace_path(self, key: str) -> str:
        return f"/run/userns/{key}"

    async def open_namespace(
        self, key: str, links: Sequence[LinkOrder], owner: UserNamespace | None = None
    ) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            # As on a real machine a cancelled call comes to its end.
            self._machine.take("netns", key)

    async def close_namespace(self, key: str, host_names: Sequence[str]) -> None:
        await asyncio.sleep(0)
        self._machine.give("netns", key)

    async def attach(self, key: str, link: LinkOrder) -> None:
        self._machine.take("link", f"{key}/{link.name}")

    async def unplug(self, key: str, link: LinkOrder) -> None:
        self._machine.give("link", f"{key}/{link.name}")

    async def set_default_routes(self, key: str, routes: object) -> None:
        self._machine.step("routes")

    async def ensure_bridge(self, order: BridgeOrder) -> None:
        return

    async def remove_bridge(self, name: str) -> None:
        return

    def has_ipv6(self) -> bool:
        return True

    async def enable_forwarding(self, *, ipv6: bool, key: str = "") -> None:
        return

    async def adopt(self, *_: object) -> bool:
        return True

    async def host_subnets(self, besides: Collection[str] = ()) -> list[str]:
        return []

    async def bridge_addresses(self, name: str) -> list[str]:
        return []

    async def has_namespace(self, key: str) -> bool:
        return key in self._machine.keys("netns")

    async def namespaces(self) -> set[str]:
        return self._machine.keys("netns")

    async def bridge_ports(self, bridge: str) -> set[str]:
        return set()


class _Firewall:
    async def add_network(self, rules: object) -> None:
        return

    async def remove_network(self, rules: object) -> None:
        return

    async def rebuild(self, networks: object, publications: object, ports: object) -> None:
        return

    async def guard_tunnels(self, ports: object) -> None:
        return

    async def publish(self, publications: object) -> None:
        return

    async def withdraw(self, publications: object) -> None:
        return


class _Reservations:
    def __init__(self) -> None:
        self.held: set[tuple[str, str, int]] = set()

    def reserve(self, protocol: str, host_ip: str, port: int) -> None:
        self.held.add((protocol, host_ip, port))

    def release(self, protocol: str, host_ip: str, port: int) -> None:
        self.held.discard((protocol, host_ip, port))

    def ephemeral_range(self) -> tuple[int, int]:
        return 32768, 60999


class _NameServers:
    def __init__(self) -> None:
        self.asks: dict[str, Ask] = {}

    async def open(
        self, key: str, namespace_path: str, ask: Ask, outside: Callable[[], Sequence[str]]
    ) -> None:
        self.asks[key] = ask

    def close(self, key: str) -> None:
        self.asks.pop(key, None)

    async def unanswered(self, namespace_path: str) -> list[str]:
        del namespace_path
        return []


class Daemon:
    """One life of the daemon on a machine; make another one on the same machine to restart."""

    def __init__(self, machine: Machine, settings: Settings | None = None) -> None:
        live_settings = LiveSettings(settings or Settings())
        self.machine = machine
        self.monitor = _Monitor(machine)
        self.runtime = _Runtime(machine, self.monitor)
        self.bundles = _Bundles(machine)
        self.files = _Files(machine)
        self.reservations = _Reservations()
        self.name_servers = _NameServers()
        self.events = EventBus(machine.clock)
        self.store = ContainerStore(machine.records)
        self.images = ImageStore(machine.records)
        networks = NetworksEnv(
            live_settings,
            NetworkStore(machine.records),
            cast("Any", _Links(machine)),
            cast("Any", _Firewall()),
            self.reservations,
            self.events,
            self.name_servers,
            OverlayPart(
                FakeOverlays(),
                FakeBalancers(),
                FakeFlows(),
                FakeEncryption(),
                OverlayState(),
                FakeHealthPorts(),
            ),
        )
        images = cast(
            "ImagesEnv",
            _Namespace(
                settings=live_settings,
                store=self.images,
                snapshotter=_Snapshotter(machine),
                events=self.events,
                clock=machine.clock,
                uses=image_uses(self.store),
            ),
        )
        host = HostPorts(
            monitor=cast("Any", self.monitor),
            runtime=self.runtime,
            rootfs=cast("Any", _Rootfs()),
            bundles=cast("Any", self.bundles),
            files=cast("Any", self.files),
            clock=machine.clock,
            facts=_Facts(),
            insight=cast("InsightPorts", _Namespace()),
        )
        volumes = VolumesEnv(
            VolumeStore(machine.records), machine.disk, self.events, machine.clock, machine.pins
        )
        self.env = ContainersEnv(
            live_settings,
            self.store,
            LiveContainers(),
            images,
            volumes,
            networks,
            self.events,
            host,
        )

    async def boot(self) -> None:
        """Read what is on record and restore the containers, as the root does at start."""
        from engine.containers.restore import restore  # noqa: PLC0415  (restore imports every verb)

        if not self.machine.records.documents:
            await self.images.put(
                IMAGE, [LayerRecord(LAYER, LAYER, 1000)], ["docker.io/library/busybox:latest"]
            )
        await self.images.load()
        await self.env.volumes.store.load()
        await restore(self.env)

    async def kill(self) -> None:
        """End this life without any clean-up."""
        await self.env.live.cancel_all()

    def actions(self) -> list[str]:
        """Return the container events so far, without the names of signals."""
        return [each.Action for each in self.events.past(None, None) if each.Type == "container"]


class _Namespace:
    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


async def settled() -> None:
    """Let all that is ready in the event loop happen."""
    for _ in range(50):
        await asyncio.sleep(0)
