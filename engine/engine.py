"""The engine's root: the one place that chooses adapters and ties the nouns together."""

from __future__ import annotations

import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version

import structlog
from fastapi import FastAPI

from engine.adapters.blobs import FileBlobStore
from engine.adapters.bundles import BundleDirectories
from engine.adapters.clock import SystemClock
from engine.adapters.conmon import Conmon
from engine.adapters.container_files import DiskContainerFiles
from engine.adapters.container_trees import ContainerTrees
from engine.adapters.database import open_records
from engine.adapters.dns_server import DnsServers
from engine.adapters.esp import KernelEsp
from engine.adapters.health_ports import HealthServers
from engine.adapters.host_ports import BoundPorts
from engine.adapters.hostfacts import KernelFacts
from engine.adapters.hostinfo import HostInfo
from engine.adapters.links import KernelLinks
from engine.adapters.log_files import DiskLogFiles
from engine.adapters.log_rotator import DiskLogRotator
from engine.adapters.nftables import Nftables
from engine.adapters.overlayfs import OverlaySnapshotter
from engine.adapters.overlays import KernelOverlays
from engine.adapters.pinned_paths import BoundPaths
from engine.adapters.processes import HostProcesses
from engine.adapters.registry import DeferredRegistry
from engine.adapters.rootfs import RootfsFiles
from engine.adapters.runc import Runc
from engine.adapters.sandbox_nft import SandboxNft
from engine.adapters.stats_files import KernelStatsFiles
from engine.adapters.tracked_flows import KernelFlows
from engine.adapters.volume_disk import LocalVolumeDisk
from engine.containers.env import ContainersEnv, HostPorts, InsightPorts
from engine.containers.live import LiveContainers
from engine.containers.restore import restore as restore_containers
from engine.containers.restore import shutdown as shut_down_containers
from engine.containers.store import ContainerStore
from engine.containers.uses import image_uses
from engine.core.container_state import Status
from engine.core.manifest import Platform
from engine.events.bus import EventBus
from engine.images.env import ImagesEnv
from engine.images.release import restore as restore_images
from engine.images.store import ImageStore
from engine.images.transfers import Transfers, concurrent_uploads
from engine.networks.env import NetworksEnv, OverlayPart
from engine.networks.overlay_state import OverlayState
from engine.networks.shut_down import shut_down as shut_down_networks
from engine.networks.store import NetworkStore
from engine.ports.clock import Clock
from engine.ports.cluster import Cluster, NoCluster
from engine.ports.host import Machine
from engine.ports.records import Records
from engine.routes import (
    containers,
    containers_files,
    containers_io,
    containers_stats,
    images,
    networks,
    registry,
    system,
    volumes,
)
from engine.routes import (
    exec as execs,
)
from engine.settings import LiveSettings, containers_root
from engine.system.env import Counts, SystemEnv
from engine.usages import usages_of
from engine.volumes.env import VolumesEnv
from engine.volumes.restore import restore as restore_volumes
from engine.volumes.store import VolumeStore

log = structlog.get_logger(__name__)

_ROUTES = (
    containers,
    containers_files,
    containers_io,
    containers_stats,
    execs,
    images,
    networks,
    registry,
    system,
    volumes,
)


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine: made by `start`, shown to clients by `install`, ended by `stop`."""

    containers: ContainersEnv
    system: SystemEnv
    resources: AsyncExitStack

    def install(self, app: FastAPI) -> None:
        """Serve the engine's routes on the application."""
        app.state.containers_env = self.containers
        app.state.images_env = self.containers.images
        app.state.networks_env = self.containers.networks
        app.state.volumes_env = self.containers.volumes
        app.state.system_env = self.system
        for routes in _ROUTES:
            app.include_router(routes.router)

    async def stop(self) -> None:
        """End all work; containers go on running where live-restore is on."""
        await self.resources.aclose()


async def start(settings: LiveSettings, cluster: Cluster | None = None) -> Engine:
    """Bring the engine up on its directories and the kernel: repaired, adopted, ready to serve.

    `cluster` tells what clients hear of the node's place in a cluster.

    Errors:  Internal when a directory, the records, the bridge or the firewall cannot be set up;
             nothing is left open then.
    """
    async with AsyncExitStack() as resources:
        engine = await _compose(settings, resources, cluster or NoCluster())
        env = engine.containers
        await restore_images(env.images)
        await restore_volumes(env.volumes)
        resources.push_async_callback(shut_down_networks, env.networks)
        resources.push_async_callback(shut_down_containers, env)
        await restore_containers(env)
        log.info(
            "engine.ready", containers=len(env.store.all()), images=len(env.images.store.all())
        )
        return replace(engine, resources=resources.pop_all())


async def _compose(settings: LiveSettings, resources: AsyncExitStack, cluster: Cluster) -> Engine:
    roots = settings.current
    for directory in (roots.data_root, roots.exec_root):
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    records = await open_records(roots.data_root / "engine.db")
    resources.push_async_callback(records.close)
    clock = SystemClock()
    events = EventBus(clock)
    host = HostInfo(settings)
    store = ContainerStore(records)
    nouns = ContainersEnv(
        settings=settings,
        store=store,
        live=LiveContainers(),
        images=_images(settings, resources, records, events, clock, store, await host.machine()),
        volumes=_volumes(settings, resources, records, events, clock),
        networks=_networks(settings, resources, records, events),
        events=events,
        host=_host_ports(settings, resources, clock),
    )
    system = SystemEnv(
        settings=settings,
        events=events,
        clock=clock,
        host=host,
        version=version("skep"),
        counts=lambda: _counts(nouns),
        usages=usages_of(nouns),
        cluster=cluster,
    )
    return Engine(nouns, system, resources)


def _images(
    settings: LiveSettings,
    resources: AsyncExitStack,
    records: Records,
    events: EventBus,
    clock: Clock,
    containers: ContainerStore,
    machine: Machine,
) -> ImagesEnv:
    roots = settings.current
    snapshotter = OverlaySnapshotter(roots.data_root, roots.id_maps)
    resources.callback(snapshotter.close)
    registry = DeferredRegistry(settings)
    resources.push_async_callback(registry.close)
    transfers = Transfers(settings)
    resources.push_async_callback(transfers.close)
    uploads = Transfers(settings, concurrent_uploads)
    resources.push_async_callback(uploads.close)
    return ImagesEnv(
        settings=settings,
        store=ImageStore(records),
        blobs=FileBlobStore(roots.data_root),
        snapshotter=snapshotter,
        events=events,
        clock=clock,
        uses=image_uses(containers),
        registry=registry,
        transfers=transfers,
        uploads=uploads,
        platform=Platform(os="linux", architecture=machine.platform),
    )


def _volumes(
    settings: LiveSettings,
    resources: AsyncExitStack,
    records: Records,
    events: EventBus,
    clock: Clock,
) -> VolumesEnv:
    roots = settings.current
    disk = LocalVolumeDisk(roots.data_root / "volumes", containers_root(roots))
    resources.push_async_callback(disk.close)
    pins = BoundPaths(roots.exec_root / "mounts")
    return VolumesEnv(VolumeStore(records), disk, events, clock, pins)


def _networks(
    settings: LiveSettings,
    resources: AsyncExitStack,
    records: Records,
    events: EventBus,
) -> NetworksEnv:
    roots = settings.current
    links = KernelLinks(roots.exec_root / "netns")
    resources.callback(links.close)
    firewall = Nftables(roots.firewall_table)
    resources.callback(firewall.close)
    overlays = KernelOverlays(roots.exec_root / "overlay")
    resources.callback(overlays.shut)
    balancers = SandboxNft()
    resources.callback(balancers.close_all)
    health = HealthServers()
    resources.push_async_callback(health.tell, {})
    name_servers = DnsServers()
    resources.callback(name_servers.close_all)
    return NetworksEnv(
        settings=settings,
        store=NetworkStore(records),
        links=links,
        firewall=firewall,
        reservations=BoundPorts(),
        events=events,
        name_servers=name_servers,
        overlay=OverlayPart(
            overlays,
            balancers,
            KernelFlows(),
            KernelEsp(f"{roots.firewall_table}-esp"),
            OverlayState(),
            health,
        ),
    )


def _host_ports(settings: LiveSettings, resources: AsyncExitStack, clock: Clock) -> HostPorts:
    roots = settings.current
    owner = containers_root(roots)
    rootfs = RootfsFiles(owner)
    renaming = threading.Lock()
    logs = DiskLogFiles(renaming)
    resources.callback(logs.close)
    rotator = DiskLogRotator(renaming)
    resources.callback(rotator.close)
    return HostPorts(
        monitor=Conmon(settings),
        runtime=Runc(settings),
        rootfs=rootfs,
        bundles=BundleDirectories(settings),
        files=DiskContainerFiles(roots.data_root, owner=owner),
        clock=clock,
        facts=KernelFacts(),
        insight=InsightPorts(
            logs=logs,
            rotator=rotator,
            processes=HostProcesses(),
            stats=KernelStatsFiles(),
            trees=ContainerTrees(rootfs),
        ),
    )


def _counts(env: ContainersEnv) -> Counts:
    statuses = [record.state.status for record in env.store.all()]
    running = sum(status in {Status.RUNNING, Status.RESTARTING} for status in statuses)
    paused = statuses.count(Status.PAUSED)
    return Counts(
        running=running,
        paused=paused,
        stopped=len(statuses) - running - paused,
        images=len(env.images.store.all()),
    )
