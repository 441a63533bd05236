"""What is known of overlay networks: members and services, and what sandboxes balance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from weakref import WeakValueDictionary

from engine.core.balance import Balance
from engine.core.discovery import Member, OverlayService, balanced
from engine.core.dns import Entry
from engine.core.mesh import Mesh, Port, PublishedService
from engine.core.overlay import PeerTable, Tunnel
from engine.core.source_guard import SourceGuard
from engine.core.tunnel_guard import TunnelGuard
from engine.networks.encryption_state import EncryptionState
from engine.networks.sandbox import INGRESS_SANDBOX
from engine.ports.attachments import Attachments, NoAttachments


class Flow(NamedTuple):
    """What goes to an address, by way of a network; or of the host (""), to a port of its own."""

    network_id: str
    address: str
    port: int = 0


class KnownOverlay:
    """One network's members and services, as the managers told last.

    It `is_open` while its namespace is in the kernel, and `is_told` once all services were told.
    """

    def __init__(self, tunnels: tuple[Tunnel, ...]) -> None:
        self.tunnels = tunnels
        self.peers = PeerTable(tunnels)
        self.members: dict[str, Member] = {}
        self.services: dict[str, OverlayService] = {}
        self.named: dict[str, dict[str, Entry]] = {}
        self.sources: SourceGuard | None = None
        self.is_open = False
        self.is_told = False

    def balanced(self) -> dict[str, Mapping[str, int]]:
        """Return the targets of every virtual address."""
        return {
            address: targets
            for service in self.services.values()
            for address, targets in balanced(service, self.members).items()
        }


class OverlayState:
    """In memory only: told anew after each start. Used from the event loop only."""

    def __init__(self) -> None:
        self._known: dict[str, KnownOverlay] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.encryption = EncryptionState()
        self.balances: dict[str, Balance] = {}
        self.restored: set[str] = set()
        # Containers whose addresses come with them: those of tasks, and the ingress sandbox.
        self.placed: set[str] = {INGRESS_SANDBOX}
        self.attachments: Attachments = NoAttachments()
        # Places of containers whose sandboxes are not held yet: (container's id, network's).
        self.granted: set[tuple[str, str]] = set()
        self.published: dict[str, PublishedService] = {}
        self.published_ports: set[Port] = set()
        self.host_mesh: Mesh | None = None
        self.sandbox_mesh: Mesh | None = None
        self.guard: TunnelGuard | None = None
        # Targets that were taken out of their services, and those that are gone; with how often
        # flows were aged since.
        self.retired: dict[Flow, int] = {}
        self.gone: dict[Flow, int] = {}

    def of(self, network_id: str, tunnels: tuple[Tunnel, ...]) -> KnownOverlay:
        """Return what is known of a network, nothing at first."""
        known = self._known.get(network_id)
        if known is None or known.tunnels != tunnels:
            known = self._known[network_id] = KnownOverlay(tunnels)
        return known

    def find(self, network_id: str) -> KnownOverlay | None:
        """Return what is known of a network, None where there is no such one."""
        return self._known.get(network_id)

    def forgive(self, flows: Iterable[Flow]) -> None:
        """Note that these targets are in a service; fine if they were not out of it."""
        for each in flows:
            self.retired.pop(each, None)
            self.gone.pop(each, None)

    def given(self, network_id: str, addresses: Iterable[str]) -> None:
        """Note that a member has these addresses; fine if none that had them is gone."""
        for each in addresses:
            self.gone.pop(Flow(network_id, each), None)

    def forget(self, network_id: str) -> None:
        """Know nothing of a network any more; fine if nothing was known."""
        self._known.pop(network_id, None)
        flows = *self.retired, *self.gone
        self.forgive([each for each in flows if each.network_id == network_id])

    def lock(self, network_id: str) -> asyncio.Lock:
        """Return what serialises the changes of one network in the kernel."""
        return self._locks.setdefault(network_id, asyncio.Lock())
