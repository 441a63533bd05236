"""Route netlink: the messages that links, addresses and routes need, and a socket to send them.

Messages are packed here and not by a library: a library for all of netlink costs the daemon
20 MB and 0.2 s at start, and opening a sandbox needs seven messages.
Source:  linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h; rtnetlink(7).
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

from engine.adapters.netlink_attributes import (
    LINK,
    attribute,
    attributes,
    mac_bytes,
    string,
    u32,
)

_ERROR, _DONE = 2, 3
NEW_LINK, DELETE_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_CREATE, _EXCLUSIVE = 0x400, 0x200
_MAKE = _REQUEST | _ACK | _CREATE | _EXCLUSIVE
_CHANGE = _REQUEST | _ACK

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_NET_NS_FD = 18, 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_VETH_INFO_PEER = 1
_VLAN_ID = 1
# By kind and mode: the attribute and its value. Source: linux/if_link.h
_CHILD_MODES = {
    "macvlan": {
        mode: (1, struct.pack("=I", code))
        for mode, code in {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}.items()
    },
    "ipvlan": {
        mode: (1, struct.pack("=H", code)) for mode, code in {"l2": 0, "l3": 1, "l3s": 2}.items()
    },
}
_BRPORT_MODE, _BRPORT_ISOLATED = 4, 33
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFA_FLAG_NODAD, _IFA_FLAG_PERMANENT = 0x02, 0x80
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_TABLE = 1, 4, 5, 15
_IFF_UP = 1
_TABLE_MAIN, _PROTOCOL_BOOT, _TYPE_UNICAST, _SCOPE_LINK = 254, 3, 1, 253

_SOL_NETLINK, _EXT_ACK = 270, 11
_TIMEOUT_S = 20.0
_HEADER = struct.Struct("=IHHII")


@dataclass(frozen=True, slots=True)
class Message:
    """One request: its type, its flags, its body."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """An interface; `master` is the index of its bridge, 0 for none; `flags` are the kernel's."""

    index: int
    name: str
    master: int
    flags: int = 0


class NetlinkError(OSError):
    """The kernel refused a message; `errno` as ever, the text with the kernel's own words."""


class NetlinkSocket:
    """A socket of the network namespace in which it was made; safe in many threads."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._lock = threading.Lock()
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._socket.settimeout(_TIMEOUT_S)

    def send(self, *messages: Message, fine: Collection[int] = ()) -> None:
        """Send the messages together; return when the kernel did all of them, in order.

        Errors:  NetlinkError of the first that failed, but with an errno that is `fine`; the later
                 ones were carried out or refused on their own.
        """
        with self._lock:
            first = self._sequence + 1
            packets = []
            for message in messages:
                self._sequence += 1
                packets.append(_pack(message, self._sequence))
            self._socket.send(b"".join(packets))
            self._await_acks(first, self._sequence, fine)

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return the bodies of all objects of a kind. Errors: NetlinkError."""
        with self._lock:
            self._sequence += 1
            self._socket.send(_pack(Message(kind, _REQUEST | _DUMP, body), self._sequence))
            found: list[bytes] = []
            while True:
                for answer, _, sequence, payload in _split(self._socket.recv(1 << 18)):
                    if sequence != self._sequence:
                        continue
                    if answer == _DONE:
                        return found
                    if answer == _ERROR:
                        raise _refused(payload, b"")
                    found.append(payload)

    def index_of(self, name: str) -> int:
        """Return the index of an interface. Errors: NetlinkError, with ENODEV if there is none."""
        body = LINK.pack(0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, string(name))
        with self._lock:
            self._sequence += 1
            self._socket.send(_pack(Message(GET_LINK, _REQUEST, body), self._sequence))
            while True:
                for answer, flags, sequence, payload in _split(self._socket.recv(1 << 16)):
                    if sequence != self._sequence:
                        continue
                    if answer == _ERROR:
                        raise _refused(payload, _extended(payload, flags))
                    index: int = struct.unpack_from("=i", payload, 4)[0]
                    return index

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _await_acks(self, first: int, last: int, fine: Collection[int]) -> None:
        failure: NetlinkError | None = None
        missing = last - first + 1
        while missing:
            for answer, flags, sequence, payload in _split(self._socket.recv(1 << 16)):
                if answer != _ERROR or not first <= sequence <= last:
                    continue  # the rest of an exchange that timed out
                missing -= 1
                code = -struct.unpack_from("=i", payload)[0]
                if code and code not in fine and failure is None:
                    failure = _refused(payload, _extended(payload, flags))
        if failure is not None:
            raise failure


def make_bridge(name: str, mac: str, mtu: int) -> Message:
    """Create a bridge, up. A MAC given here stays; else it would change with the ports."""
    kind = attribute(_INFO_KIND, b"bridge")
    body = (
        LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_ADDRESS, mac_bytes(mac))
        + attribute(_IFLA_MTU, u32(mtu))
        + attribute(_IFLA_LINKINFO, kind)
    )
    return Message(NEW_LINK, _MAKE, body)


def make_veth(
    name: str, bridge_index: int, peer: str, peer_mac: str, mtu: int, namespace_fd: int
) -> Message:
    """Create a pair: `name` here, up, a port of the bridge; `peer` in the namespace, down."""
    end = (
        LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, string(peer))
        + attribute(_IFLA_ADDRESS, mac_bytes(peer_mac))
        + attribute(_IFLA_MTU, u32(mtu))
        + attribute(_IFLA_NET_NS_FD, u32(namespace_fd))
    )
    info = attribute(_INFO_KIND, b"veth") + attribute(_INFO_DATA, attribute(_VETH_INFO_PEER, end))
    body = (
        LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_MTU, u32(mtu))
        + attribute(_IFLA_MASTER, u32(bridge_index))
        + attribute(_IFLA_LINKINFO, info)
    )
    return Message(NEW_LINK, _MAKE, body)


def make_child(
    kind: str, mode: str, parent_index: int, name: str, mac: str, mtu: int, namespace_fd: int
) -> Message:
    """Create a macvlan or an ipvlan of a parent, down, in the namespace.

    `mac` "" and `mtu` 0 are left to the kernel.
    """
    key, code = _CHILD_MODES[kind][mode]
    info = attribute(_INFO_KIND, kind.encode()) + attribute(_INFO_DATA, attribute(key, code))
    body = (
        LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, string(name))
        + (attribute(_IFLA_ADDRESS, mac_bytes(mac)) if mac else b"")
        + (attribute(_IFLA_MTU, u32(mtu)) if mtu else b"")
        + attribute(_IFLA_LINK, u32(parent_index))
        + attribute(_IFLA_NET_NS_FD, u32(namespace_fd))
        + attribute(_IFLA_LINKINFO, info)
    )
    return Message(NEW_LINK, _MAKE, body)


def make_vlan(name: str, parent_index: int, number: int) -> Message:
    """Create a VLAN of an interface, up."""
    data = attribute(_VLAN_ID, struct.pack("=H", number))
    info = attribute(_INFO_KIND, b"vlan") + attribute(_INFO_DATA, data)
    body = (
        LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_LINK, u32(parent_index))
        + attribute(_IFLA_LINKINFO, info)
    )
    return Message(NEW_LINK, _MAKE, body)


def make_dummy(name: str) -> Message:
    """Create an interface that leads nowhere, up."""
    body = (
        LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, b"dummy"))
    )
    return Message(NEW_LINK, _MAKE, body)


def set_port(name: str, *, hairpin: bool, isolated: bool) -> Message:
    """Set how a bridge treats one of its ports."""
    data = attribute(_BRPORT_MODE, bytes([hairpin])) + attribute(
        _BRPORT_ISOLATED, bytes([isolated])
    )
    info = attribute(_INFO_SLAVE_KIND, b"bridge") + attribute(_INFO_SLAVE_DATA, data)
    body = (
        LINK.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_LINKINFO, info)
    )
    return Message(NEW_LINK, _CHANGE, body)


def set_up(index: int) -> Message:
    """Bring an interface up."""
    return Message(NEW_LINK, _CHANGE, LINK.pack(0, 0, index, _IFF_UP, _IFF_UP))


def set_master(name: str, bridge_index: int) -> Message:
    """Make an interface a port of the bridge, and bring it up."""
    body = (
        LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + attribute(_IFLA_IFNAME, string(name))
        + attribute(_IFLA_MASTER, u32(bridge_index))
    )
    return Message(NEW_LINK, _CHANGE, body)


def delete_link(name: str) -> Message:
    """Delete an interface, for a veth both ends."""
    body = LINK.pack(0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, string(name))
    return Message(DELETE_LINK, _CHANGE, body)


def add_address(index: int, address: str) -> Message:
    """Give an interface an address in CIDR form; IPv6 without waiting for duplicates."""
    return Message(NEW_ADDRESS, _MAKE, _address_body(index, address))


def delete_address(index: int, address: str) -> Message:
    """Take an address, in CIDR form, from an interface."""
    return Message(DELETE_ADDRESS, _CHANGE, _address_body(index, address))


def add_default_route(index: int, gateway: str) -> Message:
    """Send what has no other route to the gateway, over this interface."""
    family, packed = _family(gateway), ip_address(gateway).packed
    head = struct.pack(
        "=BBBBBBBBI", family, 0, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT, 0, _TYPE_UNICAST, 0
    )
    body = head + attribute(_RTA_GATEWAY, packed) + attribute(_RTA_OIF, u32(index))
    return Message(NEW_ROUTE, _MAKE, body)


def add_near_route(index: int, subnet: str) -> Message:
    """Look for the addresses of a subnet, in CIDR form, on this interface itself."""
    network = ip_network(subnet)
    address = network.network_address
    head = struct.pack(
        "=BBBBBBBBI", _family(str(address)), network.prefixlen, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT,
        _SCOPE_LINK if network.version == 4 else 0, _TYPE_UNICAST, 0,
    )  # fmt: skip
    body = head + attribute(_RTA_DST, address.packed) + attribute(_RTA_OIF, u32(index))
    return Message(NEW_ROUTE, _MAKE, body)


def delete_default_route(family: int) -> Message:
    """Remove the first default route of a family, AF_INET or AF_INET6."""
    head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _TABLE_MAIN, 0, 0, 0, 0)
    return Message(DELETE_ROUTE, _CHANGE, head)


def links(connection: NetlinkSocket) -> list[LinkInfo]:
    """Return every interface of the socket's namespace."""
    found = []
    for payload in connection.dump(GET_LINK, LINK.pack(0, 0, 0, 0, 0)):
        parts = dict(attributes(payload[LINK.size :]))
        index = struct.unpack_from("=i", payload, 4)[0]
        master = struct.unpack("=I", parts.get(_IFLA_MASTER, b"\0\0\0\0"))[0]
        name = parts[_IFLA_IFNAME].rstrip(b"\0").decode()
        flags = struct.unpack_from("=I", payload, 8)[0]
        found.append(LinkInfo(index, name, master, flags))
    return found


def addresses(connection: NetlinkSocket) -> list[tuple[int, str]]:
    """Return (interface index, address in CIDR form) of the socket's namespace."""
    found = []
    for payload in connection.dump(GET_ADDRESS, struct.pack("=BBBBI", 0, 0, 0, 0, 0)):
        _, prefix, _, _, index = struct.unpack_from("=BBBBI", payload)
        parts = dict(attributes(payload[8:]))
        packed = parts.get(_IFA_LOCAL) or parts[_IFA_ADDRESS]
        found.append((index, f"{ip_address(packed)}/{prefix}"))
    return found


def routes(connection: NetlinkSocket) -> list[tuple[int, str]]:
    """Return (interface index, destination in CIDR form) of the main table, default left out."""
    found = []
    for payload in connection.dump(GET_ROUTE, struct.pack("=BBBBBBBBI", *[0] * 9)):
        prefix, table = payload[1], payload[4]
        parts = dict(attributes(payload[12:]))
        if table == _TABLE_MAIN and prefix and _RTA_DST in parts:
            index = struct.unpack("=I", parts.get(_RTA_OIF, b"\0\0\0\0"))[0]
            found.append((index, f"{ip_address(parts[_RTA_DST])}/{prefix}"))
    return found


def _address_body(index: int, address: str) -> bytes:
    interface = ip_interface(address)
    packed = interface.ip.packed
    flags = _IFA_FLAG_PERMANENT if interface.version == 4 else _IFA_FLAG_NODAD
    head = struct.pack(
        "=BBBBI", _family(str(interface.ip)), interface.network.prefixlen, flags, 0, index
    )
    return head + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)


def _family(address: str) -> int:
    return socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6


def _pack(message: Message, sequence: int) -> bytes:
    length = _HEADER.size + len(message.body)
    return _HEADER.pack(length, message.kind, message.flags, sequence, 0) + message.body


def _split(packet: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (type, flags, sequence, payload) of each message of a packet."""
    offset = 0
    while offset + _HEADER.size <= len(packet):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(packet, offset)
        yield kind, flags, sequence, packet[offset + _HEADER.size : offset + length]
        offset += length + (-length % 4)


def _extended(payload: bytes, flags: int) -> bytes:
    """Return the kernel's own words that may follow an error."""
    if not flags & 0x200:  # NLM_F_ACK_TLVS
        return b""
    capped = bool(flags & 0x100)  # NLM_F_CAPPED: the request is echoed by its header alone
    request_length = struct.unpack_from("=I", payload, 4)[0]
    start = 4 + (_HEADER.size if capped else request_length + (-request_length % 4))
    return dict(attributes(payload[start:])).get(1, b"").rstrip(b"\0")


def _refused(payload: bytes, words: bytes) -> NetlinkError:
    number = -struct.unpack_from("=i", payload)[0]
    detail = f" ({words.decode(errors='replace')})" if words else ""
    return NetlinkError(number, f"{os.strerror(number)}{detail}")
