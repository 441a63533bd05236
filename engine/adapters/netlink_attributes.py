"""The attributes that netlink messages are made of: packed, padded, and read again."""

from __future__ import annotations

import struct
from collections.abc import Iterator

# ifinfomsg: family and type 0, index, flags, mask of the flags that count.
LINK = struct.Struct("=BxHiII")


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    length = len(payload) + 4
    return struct.pack("=HH", length, kind) + payload + b"\0" * (-length % 4)


def attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (kind, payload) of each attribute, without the flags that some kinds carry."""
    offset = 0
    while offset + 4 <= len(payload):
        length, kind = struct.unpack_from("=HH", payload, offset)
        if length < 4:
            return
        yield kind & 0x3FFF, payload[offset + 4 : offset + length]
        offset += length + (-length % 4)


def string(text: str) -> bytes:
    """Return a text as the kernel takes it."""
    return text.encode() + b"\0"


def mac_bytes(text: str) -> bytes:
    """Return the six bytes of a MAC address with colons."""
    return bytes.fromhex(text.replace(":", ""))


def u32(number: int) -> bytes:
    """Return a number in four bytes, in the machine's order."""
    return struct.pack("=I", number)
