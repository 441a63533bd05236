"""Those who wait for what they proposed: each is told once how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from manager.core.raft.messages import Entry, EntryId, SnapshotMeta
from manager.core.raft.proposals import Outcome
from manager.core.raft.proposals import Proposals as Places
from manager.ports.outcomes import NotDone, OutcomeUnknown

_Waiter = asyncio.Future[None]


class Superseded(NotDone):
    """Another leader's entry took the place of the proposal."""

    def __init__(self) -> None:
        super().__init__("leadership was lost before the change was replicated; it was not made")


class Proposals:
    """Proposals of this member that have not ended."""

    def __init__(self) -> None:
        self._places: Places[_Waiter] = Places()
        self._deadline_s: float | None = None

    def wait(self, place: EntryId) -> Coroutine[None, None, int]:
        """Wait from now on; what is returned gives the index once the entry is applied.

        Errors:  Superseded, OutcomeUnknown.
        """
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._places.add(place, waiter)
        self._deadline_s = None
        return self._ended(place, waiter)

    async def _ended(self, place: EntryId, waiter: _Waiter) -> int:
        try:
            await waiter
        finally:
            if waiter.cancelled():
                self._places.abandon(waiter)
        return place.index

    def applied(self, entry: Entry) -> None:
        """Settle what an applied entry decides."""
        _settle(self._places.on_committed(entry))

    def restored(self, meta: SnapshotMeta) -> None:
        """Settle what a restored snapshot decides or leaves open."""
        _settle(self._places.on_snapshot(meta))

    def lead_lost(self, deadline_s: float) -> None:
        """Wait no longer than this for proposals of the time as leader."""
        self._deadline_s = deadline_s

    def tick(self, now_s: float) -> None:
        """Give up what waited too long."""
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self.give_up()

    def give_up(self) -> None:
        """Leave the fate of everything that waits unknown."""
        self._deadline_s = None
        _settle(self._places.abandon_all())


def _settle(ended: Sequence[tuple[_Waiter, Outcome]]) -> None:
    for waiter, outcome in ended:
        if waiter.done():
            continue
        match outcome:
            case Outcome.COMMITTED:
                waiter.set_result(None)
            case Outcome.CERTAINLY_NOT:
                waiter.set_exception(Superseded())
            case Outcome.UNKNOWN:
                waiter.set_exception(OutcomeUnknown())
