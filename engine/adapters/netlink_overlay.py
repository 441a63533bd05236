"""The netlink messages that overlay networks need: VXLAN devices, forwarding and neighbours.

Source:  linux/if_link.h (IFLA_VXLAN_*, IFLA_BRPORT_*), linux/neighbour.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_address

from msgspec import Struct

from engine.adapters.netlink import (
    GET_LINK,
    NEW_LINK,
    Message,
    NetlinkSocket,
    set_master,
)
from engine.adapters.netlink_attributes import (
    LINK,
    attribute,
    attributes,
    mac_bytes,
    string,
    u32,
)
from engine.core.overlay import Key

GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV})
"""What the kernel says of a deletion of what is not there."""

NEW_NEIGHBOUR, DELETE_NEIGHBOUR, GET_NEIGHBOUR = 28, 29, 30

_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 3, 4, 18, 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_VXLAN_ID, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PROXY = 1, 4, 7, 11
_VXLAN_PORT, _VXLAN_LOCAL6 = 15, 17
_BR_MCAST_SNOOPING = 23
_BRPORT_LEARNING, _BRPORT_UNICAST_FLOOD = 8, 9

_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_AF_BRIDGE = 7
_NDA_DST, _NDA_LLADDR = 1, 2
_NTF_SELF, _NTF_MASTER = 0x02, 0x04
_NUD_REACHABLE, _NUD_NOARP, _NUD_PERMANENT = 0x02, 0x40, 0x80
# To the bridge this is a static entry, to the tunnel one that it may use; neither ages.
_STATIC = _NUD_NOARP | _NUD_REACHABLE
_FIRST_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class TunnelInfo(Struct, frozen=True):
    """A VXLAN device as it is; `local` "" where it has no address of its own."""

    index: int
    name: str
    vni: int
    port: int
    local: str


def make_tunnel(name: str, vni: int, local: str, port: int, mtu: int, namespace_fd: int) -> Message:
    """Create a VXLAN device, down, in the namespace; its packets are of the sender's namespace."""
    address = ip_address(local)
    data = (
        attribute(_VXLAN_ID, u32(vni))
        + attribute(_VXLAN_LOCAL if address.version == 4 else _VXLAN_LOCAL6, address.packed)
        + attribute(_VXLAN_LEARNING, b"\0")
        + attribute(_VXLAN_PROXY, b"\1")
        + attribute(_VXLAN_PORT, struct.pack(">H", port))
    )
    info = attribute(_INFO_KIND, b"vxlan") + attribute(_INFO_DATA, data)
    body = (
        LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_MTU, u32(mtu))
        + attribute(_IFLA_NET_NS_FD, u32(namespace_fd))
        + attribute(_IFLA_LINKINFO, info)
    )
    return Message(NEW_LINK, _REQUEST | _ACK | _CREATE | _EXCLUSIVE, body)


def make_port(name: str, bridge_index: int) -> list[Message]:
    """Make a link a port of the bridge, up: it learns nothing, and frames for others miss it."""
    data = attribute(_BRPORT_LEARNING, b"\0") + attribute(_BRPORT_UNICAST_FLOOD, b"\0")
    info = attribute(_INFO_SLAVE_KIND, b"bridge") + attribute(_INFO_SLAVE_DATA, data)
    body = (
        LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_LINKINFO, info)
    )
    return [set_master(name, bridge_index), Message(NEW_LINK, _REQUEST | _ACK, body)]


def stop_snooping(bridge: str) -> Message:
    """Let multicast, and by it neighbour discovery, pass without memberships."""
    data = attribute(_BR_MCAST_SNOOPING, b"\0")
    info = attribute(_INFO_KIND, b"bridge") + attribute(_INFO_DATA, data)
    body = (
        LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, string(bridge))
        + attribute(_IFLA_LINKINFO, info)
    )
    return Message(NEW_LINK, _REQUEST | _ACK, body)


def forward_to_node(tunnel_index: int, mac: str, node: str) -> list[Message]:
    """Send frames for this MAC into the tunnel, and through it to the node's address."""
    return [
        _change(tunnel_index, _STATIC, _NTF_SELF, mac, node),
        forward_to_port(tunnel_index, mac),
    ]


def forward_to_port(port_index: int, mac: str) -> Message:
    """Send frames for this MAC to this port of its bridge."""
    return _change(port_index, _STATIC, _NTF_MASTER, mac)


def forget_node(tunnel_index: int, mac: str) -> list[Message]:
    """Take back what `forward_to_node` set."""
    return [
        Message(
            DELETE_NEIGHBOUR,
            _REQUEST | _ACK,
            _NEIGHBOUR.pack(_AF_BRIDGE, tunnel_index, 0, flag, 0)
            + attribute(_NDA_LLADDR, mac_bytes(mac)),
        )
        for flag in (_NTF_SELF, _NTF_MASTER)
    ]


def set_neighbour(tunnel_index: int, address: str, mac: str) -> Message:
    """Have the tunnel answer who has an address."""
    body = _neighbour_head(tunnel_index, address) + attribute(_NDA_LLADDR, mac_bytes(mac))
    return Message(NEW_NEIGHBOUR, _REQUEST | _ACK | _CREATE | _REPLACE, body)


def delete_neighbour(tunnel_index: int, address: str) -> Message:
    """Have the tunnel say nothing of an address."""
    return Message(DELETE_NEIGHBOUR, _REQUEST | _ACK, _neighbour_head(tunnel_index, address))


def tunnels(connection: NetlinkSocket) -> list[TunnelInfo]:
    """Return the VXLAN devices of the socket's namespace."""
    found = []
    for payload in connection.dump(GET_LINK, LINK.pack(0, 0, 0, 0, 0)):
        parts = dict(attributes(payload[LINK.size :]))
        info = dict(attributes(parts.get(_IFLA_LINKINFO, b"")))
        if info.get(_INFO_KIND, b"").rstrip(b"\0") != b"vxlan":
            continue
        data = dict(attributes(info[_INFO_DATA]))
        local = data.get(_VXLAN_LOCAL) or data.get(_VXLAN_LOCAL6) or b""
        found.append(
            TunnelInfo(
                index=struct.unpack_from("=i", payload, 4)[0],
                name=parts[_IFLA_IFNAME].rstrip(b"\0").decode(),
                vni=struct.unpack("=I", data[_VXLAN_ID])[0],
                port=struct.unpack(">H", data[_VXLAN_PORT])[0],
                local=str(ip_address(local)) if local else "",
            )
        )
    return found


def forwarding(connection: NetlinkSocket) -> dict[tuple[int, str], str]:
    """Return the node by (index of the tunnel, MAC)."""
    found = {}
    head = LINK.pack(0, 0, 0, 0, 0).replace(b"\0", bytes([_AF_BRIDGE]), 1)
    for payload in connection.dump(GET_NEIGHBOUR, head):
        index, parts = _read(payload)
        if _NDA_DST in parts and _NDA_LLADDR in parts:
            found[index, parts[_NDA_LLADDR].hex(":")] = str(ip_address(parts[_NDA_DST]))
    return found


def neighbours(connection: NetlinkSocket) -> dict[tuple[int, str], str]:
    """Return the MAC by (index of the tunnel, address), of what was set and not learned."""
    found = {}
    for family in _FIRST_FAMILIES:
        head = _NEIGHBOUR.pack(family, 0, 0, 0, 0)
        for payload in connection.dump(GET_NEIGHBOUR, head):
            index, parts = _read(payload)
            state = struct.unpack_from("=H", payload, 8)[0]
            if state & _NUD_PERMANENT and _NDA_DST in parts and _NDA_LLADDR in parts:
                key = index, str(ip_address(parts[_NDA_DST]))
                found[key] = parts[_NDA_LLADDR].hex(":")
    return found


def by_vni(table: dict[tuple[int, str], str], vnis: dict[int, int]) -> dict[Key, str]:
    """Return a table keyed by VNI in place of the index of the tunnel; others' are left out."""
    return {(vnis[index], key): value for (index, key), value in table.items() if index in vnis}


def _change(index: int, state: int, flags: int, mac: str, node: str = "") -> Message:
    body = _NEIGHBOUR.pack(_AF_BRIDGE, index, state, flags, 0) + attribute(
        _NDA_LLADDR, mac_bytes(mac)
    )
    if node:
        body += attribute(_NDA_DST, ip_address(node).packed)
    return Message(NEW_NEIGHBOUR, _REQUEST | _ACK | _CREATE | _REPLACE, body)


def _neighbour_head(index: int, address: str) -> bytes:
    parsed = ip_address(address)
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    head = _NEIGHBOUR.pack(family, index, _NUD_PERMANENT, 0, 0)
    return head + attribute(_NDA_DST, parsed.packed)


def _read(payload: bytes) -> tuple[int, dict[int, bytes]]:
    index: int = struct.unpack_from("=i", payload, 4)[0]
    return index, dict(attributes(payload[_NEIGHBOUR.size :]))
