"""The log of consensus on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.errors import Internal
from manager.core.raft.messages import Entry, EntryId, HardState, SnapshotMeta


class LogFailed(Internal):
    """A write did not reach the disk: what is durable is unknown, so the manager must stop."""


class LogDamaged(Internal):
    """What is on disk is not what was written. Nothing was changed, and nothing is guessed."""


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A whole dump of the applied state on disk; index 0 and no pieces when there is none.

    about:   what the driver stored along with it, opaque here.
    handle:  names its pieces for `read_piece`.
    """

    meta: SnapshotMeta = field(default_factory=SnapshotMeta)
    about: bytes = b""
    pieces: int = 0
    handle: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """All that a start needs, in memory; the snapshot's pieces are read one by one.

    start:   the entry before the first of `entries`: compacted, but its term is still known.
    """

    raft_id: int
    hard_state: HardState
    start: EntryId
    entries: Sequence[Entry]
    snapshot: StoredSnapshot

    @property
    def is_empty(self) -> bool:
        """Whether this member never took part: no term, no entry, no snapshot."""
        return self.hard_state == HardState() and not self.entries and not self.snapshot.pieces


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction.

    entries:   from the first one's index on they replace what was there.
    hard_state: None leaves it as it is.
    snapshot:  a received one, whose pieces are staged: it takes the place of the whole log before
               `entries` are added.
    """

    entries: Sequence[Entry] = field(default=())
    hard_state: HardState | None = None
    snapshot: StoredSnapshot | None = None


class Log(Protocol):
    """One member's log. Whatever an awaited call returned from survives a power cut.

    Calls are carried out in order. Errors of all that write: LogFailed, once and for all: every
    later call fails too.
    """

    async def write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all."""
        ...

    async def stage(self) -> int:
        """Return a handle for the pieces of a snapshot that is not one yet."""
        ...

    async def write_piece(self, handle: int, number: int, piece: bytes) -> None:
        """Store a piece; pieces are numbered from 0. They are gone after a restart if not kept."""
        ...

    async def drop(self, handle: int) -> None:
        """Forget the pieces of a handle that is not the snapshot's; fine if there are none."""
        ...

    async def keep(self, snapshot: StoredSnapshot) -> bool:
        """Make staged pieces the snapshot, in place of the older one. The log stays whole.

        The older one's pieces can be read until they are dropped. False, and nothing is done, if
        a newer one was received meanwhile.
        """
        ...

    async def compact(self, start: EntryId) -> None:
        """Forget the entries up to `start`, which the snapshot must cover."""
        ...

    async def reseal(self) -> None:
        """Seal all that is stored by the newest key; older keys open nothing here afterwards."""
        ...

    async def read_piece(self, handle: int, number: int) -> bytes:
        """Return a piece. Errors: LookupError when it is gone, LogDamaged."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and close; fine if closed."""
        ...
