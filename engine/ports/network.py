"""Links (netlink, network namespaces), the firewall (nftables) and the host's own ports.

Every call is atomic: when it raises, cancelled calls included, it has ended and left nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.core.firewall import NetworkRules, Publication
from engine.core.id_maps import IdMaps


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOrder:
    """An interface `name` inside a namespace, and what it hangs on.

    `kind` "veth": a pair whose `host_name` is a port of `bridge`; "macvlan" and "ipvlan": a child
    of the host's `parent` in a `mode`, with no end of its own on the host. `addresses` are in CIDR
    form, `gateways` bare; no IPv6 address means IPv6 is off on the link. `mtu` 0 is the parent's.
    `space` is the path of the namespace that the bridge is in, "" for the host's: an overlay
    network's, where frames for the link are told from others' by its MAC alone. `near` are subnets
    in CIDR form that are reached over the link without a gateway, besides those of the addresses.
    `is_isolated` forbids traffic to other isolated ports of the bridge. `sysctls` are (path under
    /proc/sys, value).
    """

    host_name: str
    bridge: str
    name: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    gateways: tuple[str, ...] = ()
    is_isolated: bool = False
    kind: str = "veth"
    parent: str = ""
    mode: str = ""
    space: str = ""
    near: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOrder:
    """A bridge with the host's addresses on it, in CIDR form."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A default route: over which interface, to which gateway."""

    link: str
    gateway: str


@dataclass(frozen=True, slots=True)
class UserNamespace:
    """Whose a network namespace is: a user namespace to be made with these maps, or one at `path`.

    Its root may then set the network up, and mount what shows it (/sys).
    """

    ids: IdMaps
    path: str = ""


class Links(Protocol):
    """Network namespaces, by the container's id, and what is plugged into them."""

    def namespace_path(self, key: str) -> str:
        """Return where the namespace is mounted, whether it exists or not."""

    def user_namespace_path(self, key: str) -> str:
        """Return where the user namespace is mounted that was made with a namespace, if any."""

    async def open_namespace(
        self, key: str, links: Sequence[LinkOrder], owner: UserNamespace | None = None
    ) -> None:
        """Make a namespace with loopback up and these links. Errors: Internal."""

    async def close_namespace(self, key: str, host_names: Sequence[str]) -> None:
        """Take a namespace with its links and the user namespace made for it away.

        Returns when they are gone. Fine if gone.
        """

    async def attach(self, key: str, link: LinkOrder) -> None:
        """Plug one more link into an open namespace. Errors: Internal."""

    async def unplug(self, key: str, link: LinkOrder) -> None:
        """Take one link out of an open namespace; fine if gone. Errors: Internal."""

    async def set_default_routes(self, key: str, routes: Sequence[Route]) -> None:
        """Give a namespace these default routes, one a family, no others. Errors: Internal."""

    async def ensure_parent(self, name: str) -> bool:
        """Make the parent "eth0.10", a VLAN of eth0, or a dummy if it is named "dm-...".

        Returns False when the interface exists. Errors: Internal; InvalidArgument for what is
        neither.
        """

    async def detach(self, host_name: str) -> None:
        """Remove a link, both ends; fine if gone. Errors: Internal."""

    async def ensure_bridge(self, order: BridgeOrder) -> None:
        """Make the bridge, or bring the one of that name to the order. Errors: Internal."""

    async def remove_bridge(self, name: str) -> None:
        """Remove a bridge; fine if gone. Errors: Internal."""

    def has_ipv6(self) -> bool:
        """Tell whether the kernel has IPv6."""
        ...

    async def enable_forwarding(self, *, ipv6: bool, key: str = "") -> None:
        """Let the kernel route between interfaces, the host's or those of an open namespace.

        Interfaces of the host that listen to routers' IPv6 advertisements go on doing so.

        Errors:  Internal.
        """

    async def adopt(self, link: LinkOrder) -> bool:
        """Plug an existing host end into its bridge again; False when there is no such link."""

    async def host_subnets(self, besides: Collection[str] = ()) -> list[str]:
        """Return the subnets of the host's interfaces and routes, those `besides` left out."""

    async def bridge_addresses(self, name: str) -> list[str]:
        """Return the addresses of an interface in CIDR form; [] when there is none."""

    async def namespaces(self) -> set[str]:
        """Return the keys of the namespaces that are on disk."""

    async def has_namespace(self, key: str) -> bool:
        """Tell whether there is a namespace, and not its file alone, as after a boot."""

    async def bridge_ports(self, bridge: str) -> set[str]:
        """Return the names of the bridge's ports; empty when there is no bridge."""


class Firewall(Protocol):
    """Our one table. Changes take effect in the order of the calls, each as one transaction."""

    async def rebuild(
        self,
        networks: Sequence[NetworkRules],
        publications: Sequence[Publication],
        tunnel_ports: Collection[int],
    ) -> None:
        """Replace the whole table by one that holds exactly this. Errors: Internal."""

    async def add_network(self, rules: NetworkRules) -> None:
        """Add what a network needs. Errors: Internal."""

    async def remove_network(self, rules: NetworkRules) -> None:
        """Take a network's part away; fine if gone. Errors: Internal."""

    async def guard_tunnels(self, ports: Collection[int]) -> None:
        """Keep containers away from just these UDP ports of nodes. Errors: Internal."""

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Make the ports reachable, all or none. Errors: Internal."""

    async def remove_table(self) -> None:
        """Take the whole table away; fine if gone. Errors: Internal."""

    async def withdraw(self, publications: Sequence[Publication]) -> None:
        """Make them unreachable; fine if some are gone. Errors: Internal."""


class PortReservations(Protocol):
    """The host's ports, held by bound sockets so that no other program takes a published one."""

    def reserve(self, protocol: str, host_ip: str, port: int) -> None:
        """Hold a port. Errors: PortInUse, HostAddressMissing."""

    def release(self, protocol: str, host_ip: str, port: int) -> None:
        """Let go of it; fine if not held."""

    def ephemeral_range(self) -> tuple[int, int]:
        """Return the first and the last port that the kernel gives out itself."""
