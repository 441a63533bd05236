"""What the verbs on containers need."""

from __future__ import annotations

from dataclasses import dataclass

from engine.containers.live import LiveContainers
from engine.containers.store import ContainerStore
from engine.events.bus import EventBus
from engine.images.env import ImagesEnv
from engine.networks.env import NetworksEnv
from engine.ports.bundles import Bundles
from engine.ports.clock import Clock
from engine.ports.container_files import ContainerFiles
from engine.ports.hostfacts import HostFacts
from engine.ports.logs import LogFiles, LogRotator
from engine.ports.processes import Processes
from engine.ports.rootfs import Rootfs
from engine.ports.runtime import Monitor, Runtime
from engine.ports.stats import StatsFiles
from engine.ports.trees import Trees
from engine.settings import LiveSettings
from engine.volumes.env import VolumesEnv


@dataclass(frozen=True, slots=True)
class InsightPorts:
    """The ports through which clients look into containers: logs, process lists, files."""

    logs: LogFiles
    rotator: LogRotator
    processes: Processes
    stats: StatsFiles
    trees: Trees


@dataclass(frozen=True, slots=True)
class HostPorts:
    """The ports to the machine that runs containers."""

    monitor: Monitor
    runtime: Runtime
    rootfs: Rootfs
    bundles: Bundles
    files: ContainerFiles
    clock: Clock
    facts: HostFacts
    insight: InsightPorts


@dataclass(frozen=True, slots=True)
class ContainersEnv:
    """The ports of the container verbs."""

    settings: LiveSettings
    store: ContainerStore
    live: LiveContainers
    images: ImagesEnv
    volumes: VolumesEnv
    networks: NetworksEnv
    events: EventBus
    host: HostPorts
