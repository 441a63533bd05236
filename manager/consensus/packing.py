"""Entries as they are kept once they are old: hardly asked for, and easy to compress."""

from __future__ import annotations

import zlib
from typing import Final

from manager.core.raft.messages import ENTRY_OVERHEAD_BYTES, Entry

_LEAST_BYTES: Final = 4096  # below that there is little to win
_LEVEL: Final = 1


class PackedEntry(Entry, frozen=True, gc=False):
    """An entry whose data is compressed; size_bytes is how long it really is."""

    size_bytes: int = 0


def pack(entry: Entry) -> Entry:
    """Return an entry in less memory, or as it is."""
    if isinstance(entry, PackedEntry) or len(entry.data) < _LEAST_BYTES:
        return entry
    data = zlib.compress(entry.data, _LEVEL)
    return PackedEntry(entry.term, entry.index, entry.kind, data, entry.key, len(entry.data))


def unpack(entry: Entry) -> Entry:
    """Return an entry as it was before it was packed."""
    if not isinstance(entry, PackedEntry):
        return entry
    return Entry(entry.term, entry.index, entry.kind, zlib.decompress(entry.data), entry.key)


def data_bytes(entry: Entry) -> int:
    """Return how long an entry's data is, packed or not."""
    return entry.size_bytes if isinstance(entry, PackedEntry) else len(entry.data)


def unpack_within(entries: list[Entry], max_bytes: int) -> list[Entry]:
    """Return the longest prefix within max_bytes, unpacked, but at least one if there is one."""
    size, count = 0, 0
    for entry in entries:
        size += ENTRY_OVERHEAD_BYTES + data_bytes(entry) + len(entry.key)
        if size > max_bytes and count:
            break
        count += 1
    return [unpack(entry) for entry in entries[:count]]
