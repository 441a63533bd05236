"""The first packet of an SCTP association, for kernels that have no SCTP of their own."""

from __future__ import annotations

import select
import socket
import struct

_PROTOCOL = 132


def raw_socket() -> socket.socket:
    """Return a socket that sends and hears whole packets."""
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, _PROTOCOL)


def send_init(sender: socket.socket, address: str, port: int, source: int) -> None:
    """Begin an association, from a source port that has none yet."""
    sender.sendto(_init(port, source), (address, 0))


def hears_init(listener: socket.socket, port: int) -> bool:
    """Wait for the packet; tell whether it came as it was sent, to this port."""
    if not select.select([listener], [], [], 3)[0]:
        return False
    packet = listener.recv(2048)
    body = packet[(packet[0] & 15) * 4 :]
    return body[12:] == _init(port, 0)[12:] and int.from_bytes(body[2:4]) == port


def _init(port: int, source: int) -> bytes:
    """Return an INIT with the checksum that connection tracking asks for (RFC 9260)."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65535, 1, 1, 1)
    head = struct.pack("!HHI", source, port, 0)
    return head + struct.pack("<I", _crc32c(head + bytes(4) + chunk)) + chunk


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF
