"""The log and the way into it, with the time that they take measured."""

from __future__ import annotations

import time
from collections.abc import Callable

from manager.core.raft.messages import EntryId
from manager.ports.log import Batch, Log, StoredSnapshot
from manager.ports.outcomes import OutcomeUnknown
from manager.ports.proposer import Proposer

Observe = Callable[[float], None]


class MeasuredLog:
    """Fulfils `Log` by another one; `observe` hears how long each durable write took."""

    def __init__(self, log: Log, observe: Observe) -> None:
        self._log = log
        self._observe = observe

    async def write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all."""
        began_s = time.perf_counter()
        await self._log.write(batch)
        self._observe(time.perf_counter() - began_s)

    async def stage(self) -> int:
        """Return a handle for pieces to come."""
        return await self._log.stage()

    async def write_piece(self, handle: int, number: int, piece: bytes) -> None:
        """Store a piece."""
        await self._log.write_piece(handle, number, piece)

    async def drop(self, handle: int) -> None:
        """Forget the pieces of a handle."""
        await self._log.drop(handle)

    async def keep(self, snapshot: StoredSnapshot) -> bool:
        """Make staged pieces the snapshot, unless a received one is newer."""
        return await self._log.keep(snapshot)

    async def compact(self, start: EntryId) -> None:
        """Forget the entries up to `start`."""
        await self._log.compact(start)

    async def reseal(self) -> None:
        """Seal all that is stored by the newest key."""
        await self._log.reseal()

    async def read_piece(self, handle: int, number: int) -> bytes:
        """Return a piece."""
        return await self._log.read_piece(handle, number)

    async def close(self) -> None:
        """End the log."""
        await self._log.close()


class MeasuredProposer:
    """Fulfils `Proposer` by another one; `observe` hears how each proposal ended, and when."""

    def __init__(self, proposer: Proposer, observe: Callable[[str, float], None]) -> None:
        self._proposer = proposer
        self._observe = observe

    async def propose(self, data: bytes) -> int:
        """Return the entry's log index once it is committed and applied here."""
        began_s = time.perf_counter()
        outcome = "dropped"
        try:
            index = await self._proposer.propose(data)
            outcome = "committed"
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        finally:
            self._observe(outcome, time.perf_counter() - began_s)
        return index

    async def read_barrier(self) -> None:
        """Return when the local state holds everything that was committed when called."""
        await self._proposer.read_barrier()
