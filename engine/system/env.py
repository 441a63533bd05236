"""What the verbs on the system need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.events.bus import EventBus
from engine.ports.clock import Clock
from engine.ports.cluster import Cluster, NoCluster
from engine.ports.host import Host
from engine.settings import LiveSettings


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are now."""

    running: int = 0
    paused: int = 0
    stopped: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Disk usage of one kind of object: bytes, and the objects as the API shows them."""

    items: Sequence[Any] = ()
    active: int = 0
    size: int = 0
    reclaimable: int = 0


Version = tuple[int, int]
UsageKind = Literal["container", "image", "volume", "build-cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEnv:
    """The ports of the system verbs; counts and usages are answered by the other nouns.

    A usage is asked with the API version of who asks, since its items are shown to them.
    """

    settings: LiveSettings
    events: EventBus
    clock: Clock
    host: Host
    version: str
    counts: Callable[[], Counts]
    usages: Mapping[UsageKind, Callable[[Version], Awaitable[Usage]]] = field(default_factory=dict)
    cluster: Cluster = field(default_factory=NoCluster)
