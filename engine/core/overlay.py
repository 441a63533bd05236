"""Overlay networks: which endpoint is behind which node, as tables that the kernel forwards by.

Nothing is learned and nothing is flooded: a frame goes to the node that the managers named, or
nowhere. Endpoints of the node itself are not in these tables; they are ports of its bridge.

    neighbours   (vni, address) -> mac    answered by the tunnel (ARP, neighbour discovery)
    forwarding   (vni, mac) -> node       where the tunnel sends the frame
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from msgspec import Struct

from api.addresses import version_of
from api.errors import Conflict, Unsupported
from engine.core.esp import OVERHEAD_BYTES as ESP_BYTES

ENCRYPTED = "encrypted"
OVERHEAD_BYTES = 50
"""What a tunnel adds to a packet: inner Ethernet, IPv4, UDP and VXLAN headers."""
_IPV6_MORE_BYTES = 20
_CABLE_MTU = 1500

Key: TypeAlias = tuple[int, str]
Table: TypeAlias = Mapping[Key, str]


class EncryptionUnavailable(Unsupported):
    """Nothing on this node encrypts, and nothing goes in the clear instead."""

    def __init__(self, network: str, why: str) -> None:
        super().__init__(
            f"the network {network} is encrypted (--opt encrypted), which this node cannot do: "
            f"{why}; nothing is sent in the clear instead"
        )


class TunnelTaken(Conflict):
    """A VXLAN device that is not ours has the id, and frames would go to one of the two."""

    def __init__(self, vni: int, port: int) -> None:
        super().__init__(
            f"the VXLAN id {vni} on UDP port {port} is in use by another device of this host, "
            "which Skep did not make (see `ip -d link show type vxlan`): remove it, or make the "
            "network with another id (-o com.docker.network.driver.overlay.vxlanid_list)"
        )


class TunnelPortTaken(Conflict):
    """Another program has the UDP port of the tunnels."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"UDP port {port}, that of overlay networks, is in use by another program of this "
            f"host (see `ss -lunp sport = :{port}`): end it, or make the swarm with another port "
            "(--data-path-port)"
        )


def default_mtu(node: str, *, is_encrypted: bool) -> int:
    """Return the mtu of containers' links that lets tunnels' packets from an address fit 1500."""
    outer = OVERHEAD_BYTES + (_IPV6_MORE_BYTES if version_of(node) == 6 else 0)
    return _CABLE_MTU - outer - (ESP_BYTES if is_encrypted else 0)


class Tunnel(Struct, frozen=True):
    """A subnet of an overlay network, in CIDR form, and the VXLAN that carries it."""

    subnet: str
    vni: int


class Peer(Struct, frozen=True):
    """An endpoint on another node: its bare addresses, the first of which names its tunnel."""

    addresses: tuple[str, ...]
    mac: str
    node: str


@dataclass(frozen=True, slots=True)
class Tables:
    """What is, or should be, in the kernel."""

    neighbours: Table = field(default_factory=dict)
    forwarding: Table = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What takes the kernel from one state to another; neighbours go before what they need."""

    neighbours: Table = field(default_factory=dict)
    forwarding: Table = field(default_factory=dict)
    lost_neighbours: tuple[Key, ...] = ()
    lost_forwarding: tuple[Key, ...] = ()

    def __bool__(self) -> bool:
        return bool(
            self.neighbours or self.forwarding or self.lost_neighbours or self.lost_forwarding
        )


def difference(present: Tables, wanted: Tables) -> Change:
    """Return what is to be written and what is to be deleted."""
    return Change(
        neighbours=_missing(present.neighbours, wanted.neighbours),
        forwarding=_missing(present.forwarding, wanted.forwarding),
        lost_neighbours=tuple(key for key in present.neighbours if key not in wanted.neighbours),
        lost_forwarding=tuple(key for key in present.forwarding if key not in wanted.forwarding),
    )


class PeerTable:
    """The peers of one network, by the id of their endpoint.

    For a moment two peers may claim one address: who came last has it, and the other one has it
    back when that one goes.
    """

    def __init__(self, tunnels: Iterable[Tunnel]) -> None:
        self._tunnels = [(ip_network(each.subnet), each.vni) for each in tunnels]
        self._peers: dict[str, Peer] = {}
        self._nodes: Counter[str] = Counter()
        self._neighbours: dict[Key, dict[str, str]] = {}
        self._forwarding: dict[Key, dict[str, str]] = {}

    @property
    def ids(self) -> set[str]:
        """The endpoints that are known."""
        return set(self._peers)

    @property
    def nodes(self) -> set[str]:
        """The nodes that have endpoints on the network."""
        return set(self._nodes)

    def tables(self) -> Tables:
        """Return all of it, as the kernel should have it."""
        return self._part(self._neighbours, self._forwarding)

    def change(self, peers: Mapping[str, Peer | None]) -> Change:
        """Take in peers that are new or other than they were, None for gone; return the difference.

        Its cost is that of the change. A peer whose address is in none of the subnets is left out.
        """
        touched = [each for id_ in peers for each in self._entries(self._peers.get(id_))]
        touched += [each for peer in peers.values() for each in self._entries(peer)]
        neighbours = [key for table, key, _ in touched if table is self._neighbours]
        forwarding = [key for table, key, _ in touched if table is self._forwarding]
        before = self._part(neighbours, forwarding)
        for endpoint_id, peer in peers.items():
            self._replace(endpoint_id, peer)
        return difference(before, self._part(neighbours, forwarding))

    def _replace(self, endpoint_id: str, peer: Peer | None) -> None:
        before = self._peers.pop(endpoint_id, None)
        for table, key, _ in self._entries(before):
            owners = table[key]
            del owners[endpoint_id]
            if not owners:
                del table[key]
        for table, key, value in self._entries(peer):
            table.setdefault(key, {})[endpoint_id] = value
        if before is not None:
            self._nodes[before.node] -= 1
            if not self._nodes[before.node]:
                del self._nodes[before.node]
        if peer is not None:
            self._peers[endpoint_id] = peer
            self._nodes[peer.node] += 1

    def _entries(self, peer: Peer | None) -> list[tuple[dict[Key, dict[str, str]], Key, str]]:
        vni = self._vni_of(peer.addresses[0]) if peer is not None and peer.addresses else None
        if peer is None or vni is None:
            return []
        return [
            (self._forwarding, (vni, peer.mac), peer.node),
            *((self._neighbours, (vni, address), peer.mac) for address in peer.addresses),
        ]

    def _vni_of(self, address: str) -> int | None:
        parsed = ip_address(address)
        return next((vni for subnet, vni in self._tunnels if parsed in subnet), None)

    def _part(self, neighbours: Iterable[Key], forwarding: Iterable[Key]) -> Tables:
        return Tables(
            {key: _last(self._neighbours[key]) for key in neighbours if key in self._neighbours},
            {key: _last(self._forwarding[key]) for key in forwarding if key in self._forwarding},
        )


def _missing(present: Table, wanted: Table) -> Table:
    return {key: value for key, value in wanted.items() if present.get(key) != value}


def _last(owners: Mapping[str, str]) -> str:
    return next(reversed(list(owners.values())))
