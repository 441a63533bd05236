"""What is known of the encryption between nodes. In memory only, from the event loop only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from engine.core.esp import NetworkKey, Path
from engine.networks.record import OverlayRecord


@dataclass(frozen=True, slots=True)
class Secured:
    """What encryption is for: (VNI, port) of tunnels, paths to peers, keys (None: not told yet)."""

    tunnels: frozenset[tuple[int, int]]
    paths: frozenset[Path]
    keys: tuple[NetworkKey, ...] | None

    @property
    def vnis(self) -> set[int]:
        """The tunnels' ids."""
        return {vni for vni, _ in self.tunnels}

    @property
    def ports(self) -> set[int]:
        """Their ports of UDP, in truth one."""
        return {port for _, port in self.tunnels}


@dataclass(slots=True)
class EncryptionState:
    """Which networks are guarded, by id, by which keys, and what of that is in the kernel."""

    guarded: dict[str, OverlayRecord] = field(default_factory=dict)
    keys: tuple[NetworkKey, ...] | None = None
    secured: Secured | None = field(default_factory=lambda: Secured(frozenset(), frozenset(), None))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
