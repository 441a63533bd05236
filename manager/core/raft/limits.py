"""How many entries fit."""

from __future__ import annotations

from manager.core.raft.messages import ENTRY_OVERHEAD_BYTES, Entry


def limit_size(entries: list[Entry], max_bytes: int) -> list[Entry]:
    """Return the longest prefix within max_bytes, but at least one entry if there is one."""
    size = 0
    for count, entry in enumerate(entries):
        size += ENTRY_OVERHEAD_BYTES + len(entry.data) + len(entry.key)
        if size > max_bytes and count:
            return entries[:count]
    return entries
