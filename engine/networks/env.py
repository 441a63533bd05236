"""What the verbs on networks and sandboxes need."""

from __future__ import annotations

from dataclasses import dataclass

from engine.events.bus import EventBus
from engine.networks.overlay_state import OverlayState
from engine.networks.store import NetworkStore
from engine.ports.flows import TrackedFlows
from engine.ports.name_server import NameServers
from engine.ports.network import Firewall, Links, PortReservations
from engine.ports.overlay import Balancers, Encryption, HealthPorts, Overlays
from engine.settings import LiveSettings


@dataclass(frozen=True, slots=True)
class OverlayPart:
    """The ports of overlay networks, and what is known of these."""

    spaces: Overlays
    balancers: Balancers
    flows: TrackedFlows
    encryption: Encryption
    state: OverlayState
    health: HealthPorts


@dataclass(frozen=True, slots=True)
class NetworksEnv:
    """The ports of the network verbs."""

    settings: LiveSettings
    store: NetworkStore
    links: Links
    firewall: Firewall
    reservations: PortReservations
    events: EventBus
    name_servers: NameServers
    overlay: OverlayPart
