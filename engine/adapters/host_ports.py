"""Published ports held by bound sockets, so that other programs' conflicts show at once."""

from __future__ import annotations

import errno
import socket

from engine.adapters.sysctl import read_sysctl
from engine.core.bindings import HostAddressMissing, PortInUse

_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
_DEFAULT_RANGE = 32768, 60999


class BoundPorts:
    """Fulfils `PortReservations`. The sockets never listen: the firewall takes the packets."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str, int], socket.socket | None] = {}

    def reserve(self, protocol: str, host_ip: str, port: int) -> None:
        """Hold a port. Errors: PortInUse, HostAddressMissing."""
        key = protocol, host_ip, port
        if key in self._held:
            raise PortInUse(protocol, host_ip, port)
        self._held[key] = _bound(protocol, host_ip, port)

    def release(self, protocol: str, host_ip: str, port: int) -> None:
        """Let go of it; fine if not held."""
        held = self._held.pop((protocol, host_ip, port), None)
        if held is not None:
            held.close()

    def ephemeral_range(self) -> tuple[int, int]:
        """Return the first and the last port that the kernel gives out itself."""
        words = read_sysctl("net/ipv4/ip_local_port_range").split()
        return (int(words[0]), int(words[1])) if len(words) == 2 else _DEFAULT_RANGE

    def close(self) -> None:
        """Let go of all."""
        for key in list(self._held):
            self.release(*key)


def _bound(protocol: str, host_ip: str, port: int) -> socket.socket | None:
    """Return a bound socket; None for a protocol that this kernel cannot hold (sctp module)."""
    family = socket.AF_INET6 if ":" in host_ip else socket.AF_INET
    try:
        holder = socket.socket(family, *_KINDS[protocol])
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT and family == socket.AF_INET6:
            raise HostAddressMissing(protocol, host_ip, port) from error
        return None
    try:
        if family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _bind(holder, host_ip, port)
    except OSError as error:
        holder.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(protocol, host_ip, port) from error
        raise HostAddressMissing(protocol, host_ip, port) from error
    return holder


def _bind(holder: socket.socket, host_ip: str, port: int) -> None:
    try:
        holder.bind((host_ip, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or holder.type != socket.SOCK_STREAM:
            raise
        # Perhaps only old connections in TIME_WAIT are in the way. The option is taken back so
        # that nobody else listens here by the same means.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host_ip, port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
