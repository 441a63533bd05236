"""Connection tracking of the calling thread's network namespace: flows, seen and forgotten.

Source:  linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_tcp.h.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from engine.adapters.netlink import Message, NetlinkSocket
from engine.adapters.netlink_attributes import attribute, attributes, u32

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_REQUEST, _ACK = 0x1, 0x4
_NESTED = 0x8000
_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _TIMEOUT = 1, 2, 3, 4, 7
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_SOURCES = {int(socket.AF_INET): 1, int(socket.AF_INET6): 3}
_PROTO_NUMBER, _PROTO_SOURCE_PORT = 1, 2
_PROTOINFO_TCP, _TCP_STATE = 1, 1
_ESTABLISHED = 3
_FILTER, _FILTER_ORIG, _FILTER_REPLY = 25, 1, 2
_BY_PROTOCOL = 1 << 3
_ANSWERED, _LED = 1 << 1, 1 << 5
_NO_SUCH_FLOW = 2
_TIMEOUTS = Path("/proc/sys/net/netfilter")


class TrackedFlow(NamedTuple):
    """A flow: how it began, in the kernel's form, and what became of it.

    It `is_led` if its address was translated. `unheard_s` is how long nothing came after the last
    packet of a stream whose data was not acknowledged, None where all was.
    """

    family: int
    begun: bytes
    protocol: int
    is_led: bool
    is_answered: bool
    unheard_s: int | None


class Conntrack:
    """The flows of the namespace in which it was made. Errors of all: OSError."""

    def __init__(self) -> None:
        self._connection = NetlinkSocket(_NETLINK_NETFILTER)
        self._unheard_left_s = _unheard_left_s()

    def flows(
        self, targets: Iterable[str], port: int = 0, *, protocol: int = 0
    ) -> Iterator[TrackedFlow]:
        """Yield the flows whose answers come from the addresses, and from the port, unless it is 0.

        Of a protocol the kernel picks them out, from Linux 5.8 on; older ones tell of all.
        """
        for family, wanted in _by_family(targets).items():
            for payload in self._connection.dump(_GET, _question(family, protocol)):
                # To take it apart costs much more than to see that it is none of them.
                if any(each in payload for each in wanted):
                    found = self._read(family, payload, wanted, port)
                    if found is not None and protocol in {0, found.protocol}:
                        yield found

    def forget(self, flow: TrackedFlow) -> None:
        """Forget a flow, so that what comes next is led anew; fine if it is gone."""
        body = _head(flow.family) + attribute(_TUPLE_ORIG | _NESTED, flow.begun)
        self._connection.send(Message(_DELETE, _REQUEST | _ACK, body), fine={_NO_SUCH_FLOW})

    def close(self) -> None:
        """Let go of the socket."""
        self._connection.close()

    def _read(
        self, family: int, payload: bytes, wanted: Collection[bytes], port: int
    ) -> TrackedFlow | None:
        parts = dict(attributes(payload[len(_head(family)) :]))
        reply = dict(attributes(parts.get(_TUPLE_REPLY, b"")))
        addresses = dict(attributes(reply.get(_TUPLE_IP, b"")))
        transport = dict(attributes(reply.get(_TUPLE_PROTO, b"")))
        led_to = int.from_bytes(transport.get(_PROTO_SOURCE_PORT, b""))
        if addresses.get(_SOURCES[family], b"") not in wanted or port not in {0, led_to}:
            return None
        status = int.from_bytes(parts.get(_STATUS, b""))
        details = dict(attributes(parts.get(_PROTOINFO, b"")))
        tcp = dict(attributes(details.get(_PROTOINFO_TCP, b"")))
        left_s = int.from_bytes(parts.get(_TIMEOUT, b""))
        is_established = tcp.get(_TCP_STATE) == bytes([_ESTABLISHED])
        is_unheard = is_established and left_s <= self._unheard_left_s
        return TrackedFlow(
            family=family,
            begun=parts[_TUPLE_ORIG],
            protocol=transport.get(_PROTO_NUMBER, b"\0")[0],
            is_led=bool(status & _LED),
            is_answered=bool(status & _ANSWERED),
            unheard_s=self._unheard_left_s - left_s if is_unheard else None,
        )


@contextmanager
def conntrack() -> Iterator[Conntrack]:
    """Lend the flows of the calling thread's namespace. Errors: OSError."""
    lent = Conntrack()
    try:
        yield lent
    finally:
        lent.close()


def _unheard_left_s() -> int:
    """Return how long a stream is kept, from its last packet on, whose data is not acknowledged.

    That is shorter than what others have; -1, so that there is none, where all have that little.
    """
    usual, short = (
        int((_TIMEOUTS / f"nf_conntrack_tcp_timeout_{name}").read_text())
        for name in ("established", "unacknowledged")
    )
    return short if usual > short else -1


def _head(family: int) -> bytes:
    return bytes([family, 0, 0, 0])


def _by_family(addresses: Iterable[str]) -> dict[int, set[bytes]]:
    found: dict[int, set[bytes]] = {}
    for each in map(ip_address, addresses):
        family = int(socket.AF_INET if each.version == 4 else socket.AF_INET6)
        found.setdefault(family, set()).add(each.packed)
    return found


def _question(family: int, protocol: int) -> bytes:
    if not protocol:
        return _head(family)
    wanted = attribute(_TUPLE_PROTO | _NESTED, attribute(_PROTO_NUMBER, bytes([protocol])))
    flags = attribute(_FILTER_ORIG, u32(0)) + attribute(_FILTER_REPLY, u32(_BY_PROTOCOL))
    return (
        _head(family) + attribute(_TUPLE_REPLY | _NESTED, wanted)
        + attribute(_FILTER | _NESTED, flags)
    )  # fmt: skip
