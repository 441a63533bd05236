"""Networks, and the sandboxes on them, as the engine keeps them."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.networks import EndpointSettings, PortBinding
from engine.core.bindings import Wanted
from engine.core.firewall import Publication
from engine.core.overlay import Tunnel


class SubnetRecord(Struct, frozen=True, kw_only=True):
    """One subnet of a network, all in text; `gateway` is the host's address on the bridge."""

    subnet: str
    gateway: str = ""
    ip_range: str = ""
    auxiliary: dict[str, str] = field(default_factory=dict)
    is_chosen_by_user: bool = False


class OverlayRecord(Struct, frozen=True, kw_only=True):
    """What makes a network an overlay: its tunnels, and where this node's packets leave.

    `address` is the node's own that tunnels send from, `port` that of UDP on all nodes. Tasks and
    peers come from the managers and are not on record.
    """

    tunnels: list[Tunnel]
    address: str
    port: int
    is_ingress: bool = False


class NetworkRecord(Struct, frozen=True, kw_only=True):
    """One network. `driver` is bridge, macvlan, ipvlan, overlay, host or null.

    `bridge` is the interface of a bridge network, "" for others; `parent` that of the host on
    which macvlan and ipvlan networks sit, `mode` how they do, `has_own_parent` whether it was
    made for this network and goes with it. `mtu` 0 is the parent's. `prefix` begins the names of
    the interfaces in containers; `routed`, `unprotected` and `isolated` are families, as in
    `NetworkOptions`. `created_ns` is since the epoch.
    """

    id: str
    name: str
    driver: str
    created_ns: int
    bridge: str = ""
    subnets: list[SubnetRecord] = field(default_factory=list)
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    icc: bool = True
    masquerade: bool = True
    mtu: int = 1500
    host_ip: str = ""
    parent: str = ""
    has_own_parent: bool = False
    mode: str = ""
    prefix: str = "eth"
    routed: list[int] = field(default_factory=list)
    unprotected: list[int] = field(default_factory=list)
    isolated: list[int] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ipam_options: dict[str, str] = field(default_factory=dict)
    overlay: OverlayRecord | None = None


class EndpointRecord(Struct, frozen=True, kw_only=True):
    """A container's place on one network; `link` is the host's end of the veth pair.

    `settings` is what inspect shows. One that `is_hidden` is the container's way to the outside
    past its overlay networks, and not shown as its own.
    """

    network_id: str
    network_name: str
    link: str
    name: str
    settings: EndpointSettings
    is_hidden: bool = False


class SandboxRecord(Struct, frozen=True, kw_only=True):
    """A network namespace with its endpoints and published ports.

    `wanted` and `exposed` are what was asked of ports, `nameservers` whom the container's resolver
    asks for the names of the outside. `is_left` is never on record: its container has ended, and
    that it left its networks has been told.
    """

    container_id: str
    container_name: str
    endpoints: list[EndpointRecord] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    ports: dict[str, list[PortBinding] | None] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    exposed: list[str] = field(default_factory=list)
    hostname: str = ""
    nameservers: list[str] = field(default_factory=list)
    is_left: bool = False
