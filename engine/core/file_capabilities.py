"""Capabilities of files in the two forms that the kernel keeps: of all namespaces, and of one.

The first form gives nothing to who runs such a file in a user namespace that did not set it.
Helper processes load this file, so it imports nothing that costs milliseconds.
Source:  capabilities(7), "File capability extended attribute versioning".
"""

from __future__ import annotations

import struct

_REVISION, _EFFECTIVE = 0xFF000000, 0x00000001
_OF_ALL_NAMESPACES, _OF_ONE_NAMESPACE = 0x02000000, 0x03000000
_BODY_BYTES = 16


def capability_outside(value: bytes, root_uid: int) -> bytes:
    """Return a file's capabilities, which hold everywhere, as ones of the namespace of a root."""
    if len(value) != 4 + _BODY_BYTES:
        return value
    (magic,) = struct.unpack_from("<I", value)
    if magic & _REVISION != _OF_ALL_NAMESPACES:
        return value
    return (
        struct.pack("<I", _OF_ONE_NAMESPACE | magic & _EFFECTIVE)
        + value[4:]
        + struct.pack("<I", root_uid)
    )


def capability_inside(value: bytes, root_uid: int) -> bytes:
    """Undo `capability_outside`; what belongs to another root is left as it is."""
    if len(value) != 8 + _BODY_BYTES:
        return value
    (magic,) = struct.unpack_from("<I", value)
    (owner,) = struct.unpack_from("<I", value, 4 + _BODY_BYTES)
    if magic & _REVISION != _OF_ONE_NAMESPACE or owner != root_uid:
        return value
    return struct.pack("<I", _OF_ALL_NAMESPACES | magic & _EFFECTIVE) + value[4 : 4 + _BODY_BYTES]
