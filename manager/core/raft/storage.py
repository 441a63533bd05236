"""What consensus reads back of what was stored."""

from __future__ import annotations

from typing import Protocol

from manager.core.raft.messages import ConfState, Entry, HardState, Snapshot


class Storage(Protocol):
    """The stored log, read only; answers come from memory, at once.

    Consensus never writes: what to write comes out of `Raft.ready`, and must be readable here
    before the write is acknowledged.
    """

    def initial_state(self) -> tuple[HardState, ConfState]:
        """Return the hard state, and the membership as of `Config.applied`."""
        ...

    def entries(self, lo: int, hi: int, max_bytes: int) -> list[Entry]:
        """Return entries lo to hi-1, fewer if they are larger than max_bytes, but at least one.

        Errors: EntriesCompacted if lo is gone, EntriesUnavailable if hi-1 is not there yet.
        """
        ...

    def term(self, index: int) -> int:
        """Return an entry's term; that of the entry before the first is known too.

        Errors: EntriesCompacted, EntriesUnavailable.
        """
        ...

    def first_index(self) -> int:
        """Return the index of the first entry that can be read (or that would come next)."""
        ...

    def last_index(self) -> int:
        """Return the index of the last entry, or the one before first_index."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, index 0 if there is none. Errors: SnapshotUnavailable.

        A member gets no snapshot from before it was added: make one after a change of membership
        if the log does not reach back to its first entry.
        """
        ...
