"""Connection tracking of the calling thread's network namespace: flows that are forgotten.

Source:  linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from engine.adapters.netlink import Message, NetlinkSocket
from engine.adapters.netlink_attributes import attribute, attributes, u32
from engine.core.dns import ADDRESS

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_REQUEST, _ACK = 0x1, 0x4
_NESTED = 0x8000
_TUPLE_ORIG, _TUPLE_REPLY = 1, 2
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_SOURCES = {int(socket.AF_INET): 1, int(socket.AF_INET6): 3}
_PROTO_NUMBER, _PROTO_SOURCE_PORT = 1, 2
_FILTER, _FILTER_ORIG, _FILTER_REPLY = 25, 1, 2
_BY_PROTOCOL = 1 << 3
_NO_SUCH_FLOW = 2
_SOCKETS = Path("/proc/thread-self/net/udp"), Path("/proc/thread-self/net/udp6")
# As the kernel writes it: a number in the order of the machine.
_RESOLVER = f"{int.from_bytes(socket.inet_aton(ADDRESS), sys.byteorder):08X}"


def forget_datagrams(targets: Collection[str], port: int = 0) -> None:
    """Forget the flows of UDP that are led to these addresses: what comes next is led anew.

    Only those that are led to this port, unless it is 0. Streams are left alone: they end with the
    one at their other end.
    Errors:  OSError.
    """
    connection = NetlinkSocket(_NETLINK_NETFILTER)
    try:
        for family, wanted in _by_family(targets).items():
            head = bytes([family, 0, 0, 0])
            gone = [
                Message(_DELETE, _REQUEST | _ACK, head + attribute(_TUPLE_ORIG | _NESTED, flow))
                for flow in _flows(connection, family, wanted, port)
            ]
            for message in gone:
                connection.send(message, fine={_NO_SUCH_FLOW})
    finally:
        connection.close()


def may_send_datagrams() -> bool:
    """Tell whether a socket for datagrams is open in the thread's namespace, but the resolver's.

    A look at all flows takes the kernel as long as its table is large (9 ms where that has the
    usual size), whosever they are; one at the sockets next to nothing.
    """
    for path in _SOCKETS:
        with suppress(FileNotFoundError), path.open() as listed:
            next(listed)
            if any(line.split()[1].partition(":")[0] != _RESOLVER for line in listed):
                return True
    return False


def _by_family(addresses: Iterable[str]) -> dict[int, set[bytes]]:
    found: dict[int, set[bytes]] = {}
    for each in map(ip_address, addresses):
        family = int(socket.AF_INET if each.version == 4 else socket.AF_INET6)
        found.setdefault(family, set()).add(each.packed)
    return found


def _flows(
    connection: NetlinkSocket, family: int, wanted: Collection[bytes], port: int
) -> Iterator[bytes]:
    """Yield how the flows began whose answers come from one of the addresses.

    The kernel picks out those of UDP, from Linux 5.8 on; older ones tell of all.
    """
    head = bytes([family, 0, 0, 0])
    protocol = attribute(
        _TUPLE_PROTO | _NESTED, attribute(_PROTO_NUMBER, bytes([socket.IPPROTO_UDP]))
    )
    flags = attribute(_FILTER_ORIG, u32(0)) + attribute(_FILTER_REPLY, u32(_BY_PROTOCOL))
    question = attribute(_TUPLE_REPLY | _NESTED, protocol) + attribute(_FILTER | _NESTED, flags)
    for payload in connection.dump(_GET, head + question):
        parts = dict(attributes(payload[len(head) :]))
        reply = dict(attributes(parts.get(_TUPLE_REPLY, b"")))
        addresses = dict(attributes(reply.get(_TUPLE_IP, b"")))
        transport = dict(attributes(reply.get(_TUPLE_PROTO, b"")))
        is_datagram = transport.get(_PROTO_NUMBER, b"\0")[0] == socket.IPPROTO_UDP
        led_to = int.from_bytes(transport.get(_PROTO_SOURCE_PORT, b""))
        is_there = addresses.get(_SOURCES[family], b"") in wanted and port in {0, led_to}
        if is_datagram and is_there:
            yield parts[_TUPLE_ORIG]
