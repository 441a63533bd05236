"""What the verbs on volumes need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.events.bus import EventBus
from engine.ports.clock import Clock
from engine.ports.pinned_paths import PinnedPaths
from engine.ports.volume_disk import VolumeDisk
from engine.volumes.store import VolumeStore


@dataclass(frozen=True, slots=True)
class VolumesEnv:
    """The ports of the volume verbs."""

    store: VolumeStore
    disk: VolumeDisk
    events: EventBus
    clock: Clock
    pins: PinnedPaths


def mountpoint(env: VolumesEnv, name: str) -> Path:
    """Return where a volume's content is on the host."""
    return env.disk.mountpoint(name)
